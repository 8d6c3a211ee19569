"""Keys of events, column by column: keyed hashes of ids and contents.

Why it exists: they cost most of what Python does for a line, so each is made once, and only of lines that are
fit. Not here: the hashes themselves (`keyed_hashes.py`, `privacy.py`), what else an event says
(`column_rules.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.event_columns import Answers, EventColumns
from orchestration.event_fields import (
    HASHED_IDS,
    MAX_ID_CHARACTERS,
    FieldProblem,
    address_of,
    identifier_of,
    user_agent_of,
)
from orchestration.keyed_hashes import KEY_BYTES
from orchestration.leaf_columns import Column, Hashes, Integers, distinct_numbers, looked_up
from orchestration.own_ids import OwnIds
from orchestration.privacy import Keyring, reduce_ip

_DAY_MILLISECONDS: Final = 86_400_000
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = date.max.toordinal() - _FIRST_DAY


class EventKeys:
    """Makes the keys of the events in a table: adds them to its columns."""

    def __init__(self, keyring: Keyring, made: EventColumns, capsules: Column, sessions: Column) -> None:
        self._keyring = keyring
        self._made = made
        self._capsules = capsules
        self._sessions = sessions
        self._nowhere = np.full(len(made.is_fit), -1, np.int32)

    def read(self, sent: Mapping[str, Column], content: Hashes, ids: OwnIds) -> None:
        """Adds the keys of ids, contents and events. `sent`: the keys of `metadata` with a meaning.

        `content`: the sum of the hashes of each line's values.
        """
        made = self._made
        # First what may leave a line.
        named = {name: self._identifiers(name, sent[name]) for name in HASHED_IDS if name in sent}
        factor = np.uint64(self._keyring.content.instant_factor)
        hashes = (content + made.numbers["occurred_at"].astype(np.uint64) * factor).view(np.int64)
        made.numbers["content_hash"] = hashes
        sessions = self._sessions
        made.answers["client_session_key"] = self._keyed("session", sessions.codes, sessions.values)
        for name, identifiers in named.items():
            output, kind = HASHED_IDS[name]
            made.answers[output] = self._keyed(kind, sent[name].codes, identifiers)
        self._read_event_keys(ids, hashes)

    def _identifiers(self, name: str, column: Column) -> list[Any]:
        """The ids of things in a column, as they are hashed; null where there is none."""
        values = column.values
        if all(type(value) is str for value in values) and all(values):
            joined = "".join(values)
            is_plain = joined.isascii() and joined.isprintable() and " " not in joined
            if is_plain and max(map(len, values)) <= MAX_ID_CHARACTERS:
                return values
        found: list[str | None] = []
        rejected = []
        for at, value in enumerate(values):
            try:
                found.append(identifier_of(value, name))
            except FieldProblem:
                found.append(None)
                rejected.append(at)
        self._made.leave(column.codes, rejected)
        return found

    def _keyed(self, kind: str, codes: Integers, ids: Sequence[Any]) -> Answers:
        """The keyed hashes of (kind, capsule, id) of all lines that are fit and have an id."""
        is_id = looked_up(codes, np.array([bool(own) for own in ids], np.bool_))
        rows = np.flatnonzero(is_id & self._made.is_fit)
        chosen, asked = self._capsules.codes[rows], codes[rows]
        places = np.arange(len(rows), dtype=np.int32)
        if 2 * len(ids) < len(rows):
            # The ids repeat: each once.
            places, both = distinct_numbers(chosen.astype(np.int64) * len(ids) + asked)
            chosen, asked = np.divmod(both, len(ids))
        texts = [ids[at] for at in asked.tolist()]
        keys = self._keyring.many_keys(kind, self._capsules.values, chosen.tolist(), texts)
        spread = self._nowhere.copy()
        spread[rows] = places
        return Answers(spread, key_array(keys))

    def _read_event_keys(self, own: OwnIds, hashes: npt.NDArray[np.int64]) -> None:
        capsules, sessions = self._capsules, self._sessions
        is_fit = self._made.is_fit
        rows = np.flatnonzero((own.event_at >= 0) & is_fit)
        ids = own.event_ids
        if len(rows) < len(ids):
            ids = [ids[at] for at in own.event_at[rows].tolist()]
        keys = [self._keyring.many_keys("event", capsules.values, capsules.codes[rows].tolist(), ids)]
        # Without an id, an event is what it says.
        unnamed = np.flatnonzero((own.event_at < 0) & is_fit)
        for row in unnamed.tolist():
            capsule_id = capsules.values[capsules.codes[row]]
            session_id = sessions.values[sessions.codes[row]]
            keys.append(self._keyring.key_once("event", capsule_id, "", str(hashes[row]), session_id))
        spread = self._nowhere.copy()
        spread[np.concatenate([rows, unnamed])] = np.arange(len(rows) + len(unnamed))
        self._made.answers["event_key"] = Answers(spread, key_array("".join(keys)))

    def read_daily(self, agents: Column | None, addresses: Column | None, refused: Integers) -> None:
        """Adds the keys that last a day, of events that did not refuse consent (0)."""
        # Most files are older than any salt.
        days, day_codes = np.unique(
            self._made.numbers["occurred_at"] // _DAY_MILLISECONDS, return_inverse=True
        )
        salted = np.array([self._has_salt(int(day)) for day in days], np.bool_)
        rows = np.flatnonzero(salted[day_codes] & (refused == 0) & self._made.is_fit)
        if not len(rows) or (agents is None and addresses is None):
            return
        agent_texts = [user_agent_of(value) for value in agents.values] if agents else []
        networks = [_network_of(value) for value in addresses.values] if addresses else []
        capsules = self._capsules
        keys: dict[tuple[int, str, str, str], str | None] = {}
        values: list[str | None] = []
        for row in rows.tolist():
            agent = agent_texts[agents.codes[row]] if agents and agents.codes[row] >= 0 else None
            network = networks[addresses.codes[row]] if addresses and addresses.codes[row] >= 0 else None
            if not agent and not network:
                values.append(None)
                continue
            capsule_id = capsules.values[capsules.codes[row]]
            asked = (int(days[day_codes[row]]), capsule_id, network or "", agent or "")
            if asked not in keys:
                keys[asked] = self._keyring.daily_key(date.fromordinal(_FIRST_DAY + asked[0]), *asked[1:])
            values.append(keys[asked])
        codes = self._nowhere.copy()
        codes[rows] = np.arange(len(rows))
        self._made.answers["daily_key"] = Answers(codes, values)

    def _has_salt(self, day: int) -> bool:
        # A timestamp that was not read stands far before any calendar.
        return 0 <= day < _LAST_DAY and self._keyring.has_salt(date.fromordinal(_FIRST_DAY + day))


def key_array(keys: str) -> pa.StringArray:
    """Keys that stand in one text, one behind the other."""
    width = 2 * KEY_BYTES
    offsets = np.arange(0, len(keys) + 1, width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(keys.encode()))


def _network_of(value: Any) -> str | None:
    address = address_of(value)
    return reduce_ip(address) if address else None
