"""Columns of leaves become columns of events, through the rules that also hold line by line.

Why it exists: see `column_admission.py`. No rule is written here a second time: each distinct value, or each
distinct combination of values that make columns together, is asked of `event_fields.py` and `privacy.py`
once. Where the answer is a rejection, or depends on more of the line than these values, the line is left to
`admission.admit_line`. Not here: what a line says (`leaf_columns.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.admission import EVENT_TYPES, OPT_OUT_KEYS
from orchestration.event_fields import (
    AGENT_COLUMNS,
    AGENT_KEYS,
    FIELDS,
    HASHED_IDS,
    MAX_ID_CHARACTERS,
    PLACE_COLUMNS,
    PROPERTIES_OF_CUSTOM,
    SPELLINGS,
    TEXT_COLUMNS,
    TRAFFIC_COLUMNS,
    TRAFFIC_KEYS,
    Field,
    FieldProblem,
    address_of,
    agent_columns,
    amount_of,
    currency_of,
    identifier_of,
    place_columns,
    text_of,
    traffic_columns,
    user_agent_of,
)
from orchestration.event_properties import MAX_PROPERTIES, properties
from orchestration.instant_columns import plain_instants
from orchestration.keyed_hashes import KEY_BYTES
from orchestration.leaf_columns import (
    Column,
    Flags,
    Integers,
    LeafTable,
    distinct_numbers,
    looked_up,
    texts_of,
)
from orchestration.masking import mask_own_ids
from orchestration.privacy import (
    Keyring,
    reduce_ip,
    says_something_of_consent,
    stated_consent,
    weighed_consent,
)
from orchestration.repeated_ids import KeptTexts

# The oldest accepted instant, or null, and the latest: milliseconds since 1970.
Window = tuple[int | None, int]

_OWN_IDS: Final = ("userId", "sessionId", "eventId")
_DAY_MILLISECONDS: Final = 86_400_000
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()
_REMEMBERED: Final = 20_000
_QUOTE: Final = ord('"')
_PLACE_KEYS: Final = ("location", "country", "region", "city")
# Keys that become a column by themselves; a place is made from several.
_SINGLE: Final = {name: rule for name, rule in FIELDS.items() if name not in _PLACE_KEYS}
_UNREAD: Final = object()
_NO_HASHES: Final = np.zeros(0, np.uint64)
_REQUIRED: Final = ("eventType", "capsuleId", "sessionId", "timestamp")


@dataclass(frozen=True, slots=True)
class Answers:
    """A column of events: for each line the place of its value in `values`, or -1."""

    codes: Integers
    values: list[Any] | pa.Array


@dataclass(slots=True)
class EventColumns:
    """`is_fit`: whether all that is said of a line holds; the others are to be admitted by themselves."""

    is_fit: Flags
    answers: dict[str, Answers] = field(default_factory=dict)
    numbers: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def leave(self, codes: Integers, problems: Sequence[int]) -> None:
        """Leaves out the lines that have one of these codes."""
        if problems:
            self.is_fit &= ~np.isin(codes, np.array(problems))


class ColumnRules:
    """Reads tables of leaves; what a text means is remembered from block to block, within bounds."""

    def __init__(self, keyring: Keyring, window: Window) -> None:
        self.keyring = keyring
        self.window = window
        self._known: dict[Any, Any] = {}

    def read(self, table: LeafTable) -> EventColumns:
        """The columns of all lines, of which those that are fit are accepted events."""
        return _Reading(self, table).columns()

    def asked(self, rule: str, make: Callable[[Any], Any], value: Any) -> Any:
        """What a rule makes of a text, or of a tuple of texts; null when it rejects the line."""
        if not _is_textual(value):
            # Not remembered: 1 is True is 1.0.
            return _asked(make, value)
        known = self._known.get((rule, value), _UNREAD)
        if known is _UNREAD:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            known = self._known[rule, value] = _asked(make, value)
        return known


REJECTED: Final = object()


def _asked(make: Callable[[Any], Any], value: Any) -> Any:
    try:
        return make(value)
    except FieldProblem:
        return REJECTED


def _is_textual(value: Any) -> bool:
    if type(value) is tuple:
        return all(type(part) is str or part is None for part in value)
    return type(value) is str


class _Reading:
    """One table of leaves on its way to columns of events."""

    def __init__(self, rules: ColumnRules, table: LeafTable) -> None:
        self._rules = rules
        self._keyring = rules.keyring
        self._table = table
        self._count = len(table.is_certain)
        self._made = EventColumns(table.is_certain.copy())
        # The keys of `metadata` with a meaning, by their camelCase name, and all others.
        self._sent: dict[str, Column] = {}
        self._unknown: dict[str, Column] = {}
        self._nowhere = np.full(self._count, -1, np.int32)

    def columns(self) -> EventColumns:
        made = self._made
        if not all(("own", name) in self._table.arrays for name in _REQUIRED):
            made.is_fit[:] = False
            return made
        self._sort_keys()
        self._read_own()
        self._read_fields()
        self._read_groups()
        self._read_by_type()
        self._read_persons()
        self._leave_repeated_ids()
        self._read_properties()
        # Hashes last: they cost most, and only of lines that are fit.
        self._read_hashes()
        return made

    def _own(self, name: str) -> Column:
        return self._table.columns.get(("own", name)) or Column(self._nowhere, [], _NO_HASHES)

    def _sort_keys(self) -> None:
        """Which key has which meaning; a line that has one twice, or an opt-out, is left."""
        for (scope, name), column in self._table.columns.items():
            if name in OPT_OUT_KEYS:
                self._made.is_fit &= column.codes < 0
            elif scope == "inner" and name not in SPELLINGS:
                self._unknown[name] = column
            elif scope == "inner":
                known = self._sent.get(SPELLINGS[name])
                if known is not None:
                    self._made.is_fit &= (known.codes < 0) | (column.codes < 0)
                    column = _both(known, column)
                self._sent[SPELLINGS[name]] = column

    def _read_own(self) -> None:
        made = self._made
        types, capsules, sessions, users = map(self._own, ("eventType", "capsuleId", "sessionId", "userId"))
        for column, is_right in (
            (types, _is_event_type), (capsules, self._is_kept_capsule), (sessions, _is_plain_id),
        ):  # fmt: skip
            made.is_fit &= column.codes >= 0
            made.leave(column.codes, [at for at, value in enumerate(column.values) if not is_right(value)])
        made.leave(users.codes, [at for at, value in enumerate(users.values) if not _is_plain_id(value)])
        for output, column in (("event_type", types), ("capsule_id", capsules)):
            texts = [value if type(value) is str else None for value in column.values]
            made.answers[output] = Answers(column.codes, texts)
        sent = texts_of(self._table.arrays["own", "timestamp"])
        self.instants, is_read = plain_instants(sent.data, sent.offsets[:-1] + 1, sent.lengths - 2)
        oldest, latest = self._rules.window
        made.is_fit &= is_read & (self.instants <= latest)
        if oldest is not None:
            made.is_fit &= self.instants >= oldest

    def _is_kept_capsule(self, value: Any) -> bool:
        return _is_plain_id(value) and self._rules.asked("capsule", self._keyring.capsule_id, value) == value

    def _read_fields(self) -> None:
        for name, rule in _SINGLE.items():
            if column := self._sent.get(name):
                self._answer(rule.column, name, column, partial(_read_field, rule, name))

    def _answer(self, output: str, rule: str, column: Column, make: Callable[[Any], Any]) -> Answers:
        """The column of what a rule makes of each value; lines it rejects are left."""
        values = [self._rules.asked(rule, make, value) for value in column.values]
        self._leave_rejected(column.codes, values)
        answers = self._made.answers[output] = Answers(column.codes, values)
        return answers

    def _leave_rejected(self, codes: Integers, values: list[Any]) -> None:
        if rejected := [at for at, value in enumerate(values) if value is REJECTED]:
            self._made.leave(codes, rejected)
            for at in rejected:
                values[at] = None

    def _read_groups(self) -> None:
        # Also so where no agent is named.
        self._made.answers["is_bot_agent"] = Answers(np.zeros(self._count, np.int32), [False])
        for names, outputs, make in (
            (TRAFFIC_KEYS, TRAFFIC_COLUMNS, traffic_columns),
            (AGENT_KEYS, AGENT_COLUMNS, agent_columns),
            (_PLACE_KEYS, PLACE_COLUMNS, _place_columns),
        ):
            sent = {name: self._sent[name] for name in names if name in self._sent}
            if not sent:
                continue
            codes, parts = combined(list(sent.values()))
            names = tuple(sent)

            def made_of(
                values: tuple[Any, ...], names: tuple[str, ...] = names, outputs: Sequence[str] = outputs,
                make: Callable[[Mapping[str, Any]], Mapping[str, Any]] = make,
            ) -> tuple[Any, ...]:  # fmt: skip
                made = make(
                    {name: value for name, value in zip(names, values, strict=True) if value is not None}
                )
                return tuple(map(made.get, outputs))

            rule = ",".join(names)
            rows = [self._rules.asked(rule, made_of, values) for values in zip(*parts, strict=True)]
            for output, column in zip(outputs, zip(*rows, strict=True), strict=True):
                self._made.answers[output] = Answers(codes, list(column))

    def _read_by_type(self) -> None:
        types = self._own("eventType")
        is_custom = looked_up(types.codes, np.array([value == "custom" for value in types.values], np.bool_))
        is_conversion = looked_up(
            types.codes, np.array([value == "conversion" for value in types.values], np.bool_)
        )
        for name, output, make in (("value", "amount", amount_of), ("currency", "currency", currency_of)):
            if (column := self._sent.get(name)) and is_conversion.any():
                found = self._answer(output, output, column, make)
                self._made.answers[output] = Answers(np.where(is_conversion, found.codes, -1), found.values)
        self._is_custom = is_custom
        if is_custom.any():
            column = self._unknown.get("name") or Column(self._nowhere, [], _NO_HASHES)
            found = self._answer("event_name", "event_name", column, text_of)
            codes = np.where(is_custom, found.codes, -1).astype(np.int32)
            self._made.answers["event_name"] = Answers(codes, found.values)
            is_named = looked_up(codes, np.array([value is not None for value in found.values], np.bool_))
            self._made.is_fit &= is_named | ~is_custom

    def _read_persons(self) -> None:
        made = self._made
        users = self._own("userId")
        said = self._consent()
        refused = looked_up(said.codes, np.array([answer == "refused" for answer in said.values], np.int32))
        made.answers["consent"] = said
        made.answers["is_consent_refused"] = Answers(refused, [False, True])
        persons = {"user": Answers(users.codes, [self._key_of("user", value) for value in users.values])}
        if visitors := self._sent.get("visitorId"):
            ids = [self._rules.asked("visitor", _visitor_id, value) for value in visitors.values]
            self._leave_rejected(visitors.codes, ids)
            self._visitor_ids = Answers(visitors.codes, ids)
            persons["visitor"] = Answers(visitors.codes, [self._key_of("visitor", own) for own in ids])
        else:
            self._visitor_ids = Answers(self._nowhere, [])
        for kind, output in (("user", "user_key"), ("visitor", "visitor_id_key")):
            if kind in persons:
                codes, values = persons[kind].codes, persons[kind].values
                made.answers[output] = Answers(np.where(refused == 1, -1, codes), values)
                made.answers[f"refused_{kind}_key"] = Answers(np.where(refused == 1, codes, -1), values)
        self._read_daily_keys(refused)

    def _key_of(self, kind: str, own: Any) -> str | None:
        return self._keyring.key(kind, own) if type(own) is str and own else None

    def _consent(self) -> Answers:
        """What each line says of consent."""
        said = {
            key: column for key, column in self._table.columns.items() if says_something_of_consent(key[1])
        }
        if not said:
            return Answers(self._nowhere, [])
        codes, parts = combined(list(said.values()))
        answers = []
        for values in zip(*parts, strict=True):
            sent = [(key, value) for key, value in zip(said, values, strict=True) if value is not None]
            own, inner = (
                {name: value for (within, name), value in sent if within == scope}
                for scope in ("own", "inner")
            )
            answers.append(weighed_consent([stated_consent(inner), stated_consent(own)]))
        return Answers(codes, answers)

    def _read_daily_keys(self, refused: Integers) -> None:
        sent = [self._sent[name] for name in ("userAgent", "ip") if name in self._sent]
        # Most files are older than any salt.
        days, day_codes = np.unique(self.instants // _DAY_MILLISECONDS, return_inverse=True)
        salted = [
            -_FIRST_DAY < day < 100_000 and self._keyring.has_salt(date.fromordinal(_FIRST_DAY + int(day)))
            for day in days
        ]
        is_asked = np.array(salted, np.bool_)[day_codes] & (refused == 0) & self._made.is_fit
        if not sent or not is_asked.any():
            return
        rows = np.flatnonzero(is_asked)
        keys: dict[Any, str | None] = {}
        values: list[str | None] = []
        agents, addresses = self._sent.get("userAgent"), self._sent.get("ip")
        agent_texts = [user_agent_of(value) for value in agents.values] if agents else []
        networks = (
            [self._rules.asked("network", _network_of, value) for value in addresses.values]
            if addresses
            else []
        )
        capsules = self._own("capsuleId")
        for row in rows.tolist():
            agent = agent_texts[agents.codes[row]] if agents and agents.codes[row] >= 0 else None
            network = networks[addresses.codes[row]] if addresses and addresses.codes[row] >= 0 else None
            asked = (
                int(days[day_codes[row]]),
                capsules.values[capsules.codes[row]],
                network or "",
                agent or "",
            )
            if agent is None and network is None:
                values.append(None)
                continue
            if asked not in keys:
                keys[asked] = self._keyring.daily_key(date.fromordinal(_FIRST_DAY + asked[0]), *asked[1:])
            values.append(keys[asked])
        codes = self._nowhere.copy()
        codes[rows] = np.arange(len(rows))
        self._made.answers["daily_key"] = Answers(codes, values)

    def _leave_repeated_ids(self) -> None:
        """Leaves lines of which a kept text repeats an own id, and event ids that are not plain."""
        made = self._made
        texts = [answers for name in TEXT_COLUMNS if (answers := made.answers.get(name))]
        kept = KeptTexts({text for answers in texts for text in answers.values if text})
        users, sessions, visitors = self._own("userId"), self._own("sessionId"), self._visitor_ids
        # First which ids stand in any text of the block: few do.
        is_asked = np.zeros(self._count, np.bool_)
        for column in (users, sessions, visitors):
            if found := kept.which_of(column.values):
                is_asked |= np.isin(column.codes, np.array(found))
        self._event_at, self._event_ids = self._nowhere.copy(), list[str]()
        if (array := self._table.arrays.get(("own", "eventId"))) is not None:
            sent = texts_of(array)
            is_sent = sent.lengths > 0
            made.is_fit &= ~is_sent | _are_plain_ids(sent.data, sent.offsets, MAX_ID_CHARACTERS)
            rows = np.flatnonzero(is_sent & made.is_fit)
            starts, ends = sent.offsets[:-1][rows] + 1, sent.offsets[1:][rows] - 1
            is_asked[rows[kept.which(sent.data, starts, ends)]] = True
            # Ids that are plain are ASCII: there a sign is a byte.
            whole = sent.data.tobytes().decode("latin-1")
            spans = zip(starts.tolist(), ends.tolist(), strict=True)
            self._event_at[rows] = np.arange(len(rows))
            self._event_ids = [whole[start:end] for start, end in spans]
        for row in np.flatnonzero(is_asked & made.is_fit).tolist():
            own = self._own_ids(row)
            said = [answers.values[at] for answers in texts if (at := answers.codes[row]) >= 0]
            made.is_fit[row] = not any(text and mask_own_ids(text, own) != text for text in said)

    def _own_ids(self, row: int) -> list[str]:
        columns = (self._own("userId"), self._own("sessionId"), self._visitor_ids)
        ids = [column.values[at] for column in columns if (at := column.codes[row]) >= 0]
        if (event := self._event_at[row]) >= 0:
            ids.append(self._event_ids[event])
        return [own for own in ids if own]

    def _read_properties(self) -> None:
        """The one column that needs a look at each line: few have a key that no rule knows."""
        unknown = dict(self._unknown)
        is_asked = np.zeros(self._count, np.bool_)
        for column in unknown.values():
            is_asked |= column.codes >= 0
        of_custom = {name: column for name, column in self._sent.items() if name in PROPERTIES_OF_CUSTOM}
        for column in of_custom.values():
            is_asked |= (column.codes >= 0) & self._is_custom
        if len(unknown) + len(of_custom) > MAX_PROPERTIES:
            # Which of them are kept depends on the order of keys.
            self._made.is_fit &= ~is_asked
        rows = np.flatnonzero(is_asked & self._made.is_fit)
        types = self._own("eventType")
        made = []
        for row in rows.tolist():
            event_type = types.values[types.codes[row]]
            columns = unknown | of_custom if event_type == "custom" else unknown
            sent = {
                name: column.values[column.codes[row]]
                for name, column in columns.items()
                if column.codes[row] >= 0
            }
            made.append(properties(sent, event_type, self._secrets_of(row)))
        codes = self._nowhere.copy()
        codes[rows] = np.arange(len(rows))
        self._made.answers["properties"] = Answers(codes, made)

    def _secrets_of(self, row: int) -> list[str]:
        """What no property of a line may repeat."""
        found = self._own_ids(row)
        for column, read in (
            (self._sent.get("ip"), address_of),
            (self._sent.get("userAgent"), user_agent_of),
        ):
            if column is not None and (at := column.codes[row]) >= 0 and (secret := read(column.values[at])):
                found.append(secret)
        return found

    def _read_hashes(self) -> None:
        capsules, sessions = self._own("capsuleId"), self._own("sessionId")
        made = self._made
        factor = np.uint64(self._keyring.content.instant_factor)
        content = (self._table.content + self.instants.astype(np.uint64) * factor).view(np.int64)
        made.numbers |= {"content_hash": content, "occurred_at": self.instants}
        made.answers["client_session_key"] = self._keyed("session", capsules, sessions.codes, sessions.values)
        for name, (output, kind) in HASHED_IDS.items():
            if column := self._sent.get(name):
                made.answers[output] = self._keyed(
                    kind, capsules, column.codes, self._identifiers(name, column)
                )
        self._read_event_keys(capsules, sessions, content)

    def _identifiers(self, name: str, column: Column) -> list[Any]:
        """The ids of things in a column, as they are hashed; null where there is none."""
        values = column.values
        if all(type(value) is str for value in values) and all(values):
            joined = "".join(values)
            is_plain = joined.isascii() and joined.isprintable() and " " not in joined
            if is_plain and max(map(len, values)) <= MAX_ID_CHARACTERS:
                return values
        found = [_asked(lambda value: identifier_of(value, name), value) for value in values]
        self._leave_rejected(column.codes, found)
        return found

    def _keyed(self, kind: str, capsules: Column, codes: Integers, ids: Sequence[Any]) -> Answers:
        """The keyed hashes of (kind, capsule, id) of all lines that are fit and have an id."""
        is_id = looked_up(codes, np.array([bool(own) for own in ids], np.bool_))
        rows = np.flatnonzero(is_id & self._made.is_fit)
        chosen, asked = capsules.codes[rows], codes[rows]
        places = np.arange(len(rows), dtype=np.int32)
        if 2 * len(ids) < len(rows):
            # The ids repeat: each once.
            places, both = distinct_numbers(chosen.astype(np.int64) * len(ids) + asked)
            chosen, asked = np.divmod(both, len(ids))
        texts = [ids[at] for at in asked.tolist()]
        keys = self._keyring.many_keys(kind, capsules.values, chosen.tolist(), texts)
        spread = self._nowhere.copy()
        spread[rows] = places
        return Answers(spread, key_array(keys))

    def _read_event_keys(self, capsules: Column, sessions: Column, content: npt.NDArray[np.int64]) -> None:
        rows = np.flatnonzero((self._event_at >= 0) & self._made.is_fit)
        ids = self._event_ids
        if len(rows) < len(ids):
            ids = [ids[at] for at in self._event_at[rows].tolist()]
        keys = self._keyring.many_keys("event", capsules.values, capsules.codes[rows].tolist(), ids)
        unnamed = np.flatnonzero((self._event_at < 0) & self._made.is_fit)
        for row in unnamed.tolist():
            capsule_id, session_id = (
                capsules.values[capsules.codes[row]],
                sessions.values[sessions.codes[row]],
            )
            keys += self._keyring.key_once("event", capsule_id, "", str(content[row]), session_id)
        spread = self._nowhere.copy()
        spread[np.concatenate([rows, unnamed])] = np.arange(len(rows) + len(unnamed))
        self._made.answers["event_key"] = Answers(spread, key_array(keys))


def combined(columns: Sequence[Column]) -> tuple[Integers, list[list[Any]]]:
    """The distinct combinations of some columns: for each line its place, and for each column the values.

    A value that a line does not have is null.
    """
    codes, parts = np.zeros(len(columns[0].codes), np.int64), list[npt.NDArray[np.int64]]()
    for column in columns:
        size = len(column.values) + 1
        places, both = distinct_numbers(codes * size + column.codes + 1)
        codes = places.astype(np.int64)
        before, last = np.divmod(both, size)
        parts = [part[before] for part in parts] + [last - 1]
    values = [
        [column.values[at] if at >= 0 else None for at in part.tolist()]
        for column, part in zip(columns, parts, strict=True)
    ]
    return codes.astype(np.int32), values


def key_array(keys: str) -> pa.StringArray:
    """Keys that stand in one text, one behind the other."""
    width = 2 * KEY_BYTES
    offsets = np.arange(0, len(keys) + 1, width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(keys.encode()))


def _both(first: Column, second: Column) -> Column:
    """Two columns of which no line has both."""
    moved = np.where(second.codes >= 0, second.codes + len(first.values), -1).astype(np.int32)
    return Column(np.where(first.codes >= 0, first.codes, moved), first.values + second.values, _NO_HASHES)


def _is_event_type(value: Any) -> bool:
    return isinstance(value, str) and value in EVENT_TYPES


def _is_plain_id(value: Any) -> bool:
    """Whether an id is hashed and compared as it was sent."""
    return (
        type(value) is str
        and value.isprintable()
        and value.strip() == value
        and 0 < len(value) <= MAX_ID_CHARACTERS
    )


def _are_plain_ids(data: npt.NDArray[np.uint8], offsets: Integers, longest: int) -> Flags:
    """As `_is_plain_id`, of JSON texts `data[offsets[i] : offsets[i + 1]]`."""
    starts, ends = offsets[:-1], offsets[1:]
    last = len(data) - 1
    space = ord(" ")
    good = (ends - starts > 2) & (ends - starts <= longest + 2)
    good &= (data[np.minimum(starts, last)] == _QUOTE) & (data[np.minimum(starts + 1, last)] != space)
    good &= data[np.maximum(ends - 2, 0)] != space
    odd = (data < space) | (data > ord("~")) | (data == ord("\\"))
    if odd.any():
        counted = np.append(0, np.cumsum(odd))
        good &= counted[ends] == counted[starts]
    return good


def _place_columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    """As `metadata_columns` makes them: a country, region or city of their own come first."""
    placed = place_columns(sent["location"]) if "location" in sent else {}
    for name in _PLACE_KEYS[1:]:
        if name in sent and (found := FIELDS[name].read(sent[name], name)) is not None:
            placed[FIELDS[name].column] = found
    return placed


def _read_field(rule: Field, name: str, value: Any) -> Any:
    return rule.read(value, name)


def _visitor_id(value: Any) -> str | None:
    return identifier_of(value, "visitorId")


def _network_of(value: Any) -> str | None:
    address = address_of(value)
    return reduce_ip(address) if address else None
