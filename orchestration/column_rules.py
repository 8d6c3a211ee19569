"""Columns of leaves become columns of events, through the rules that also hold line by line.

Why it exists: see `column_admission.py`. No rule is written here a second time: each distinct value, or each
distinct combination of values that make columns together, is asked of `event_fields.py` and `privacy.py`
once. Where the answer is a rejection, or depends on more of the line than these values, the line is left to
`admission.admit_line`. Not here: what a line says (`leaf_columns.py`), keys (`column_keys.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from orchestration.admission import EVENT_TYPES, OPT_OUT_KEYS
from orchestration.column_keys import EventKeys
from orchestration.event_columns import Answers, EventColumns, combined
from orchestration.event_fields import (
    AGENT_COLUMNS,
    AGENT_KEYS,
    FIELDS,
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
from orchestration.leaf_columns import (
    Column,
    Integers,
    LeafTable,
    looked_up,
    texts_of,
)
from orchestration.own_ids import OwnIds, is_plain_id
from orchestration.privacy import (
    Keyring,
    says_something_of_consent,
    stated_consent,
    weighed_consent,
)

# The oldest accepted instant, or null, and the latest: milliseconds since 1970.
Window = tuple[int | None, int]

_REMEMBERED: Final = 20_000
_PLACE_KEYS: Final = ("location", "country", "region", "city")
# Keys that become a column by themselves; a place is made from several.
_SINGLE: Final = {name: rule for name, rule in FIELDS.items() if name not in _PLACE_KEYS}
_UNREAD: Final = object()
_NO_HASHES: Final = np.zeros(0, np.uint64)
_REQUIRED: Final = ("eventType", "capsuleId", "sessionId", "timestamp")


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
        ids = OwnIds(
            [self._own("userId"), self._own("sessionId"), self._visitor_ids],
            self._table.arrays.get(("own", "eventId")),
            self._count,
        )
        made.is_fit &= ids.is_plain
        texts = [answers for name in TEXT_COLUMNS if (answers := made.answers.get(name))]
        ids.leave_repeated(texts, made.is_fit)
        self._read_properties(ids)
        # Last, because they cost most: only of lines that are fit.
        keys = EventKeys(self._keyring, made, self._own("capsuleId"), self._own("sessionId"))
        keys.read_daily(self._sent.get("userAgent"), self._sent.get("ip"), self._refused)
        keys.read(self._sent, self._table.content, ids)
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
            (types, _is_event_type), (capsules, self._is_kept_capsule), (sessions, is_plain_id),
        ):  # fmt: skip
            made.is_fit &= column.codes >= 0
            made.leave(column.codes, [at for at, value in enumerate(column.values) if not is_right(value)])
        made.leave(users.codes, [at for at, value in enumerate(users.values) if not is_plain_id(value)])
        for output, column in (("event_type", types), ("capsule_id", capsules)):
            texts = [value if type(value) is str else None for value in column.values]
            made.answers[output] = Answers(column.codes, texts)
        sent = texts_of(self._table.arrays["own", "timestamp"])
        instants, is_read = plain_instants(sent.data, sent.offsets[:-1] + 1, sent.lengths - 2)
        oldest, latest = self._rules.window
        made.is_fit &= is_read & (instants <= latest)
        if oldest is not None:
            made.is_fit &= instants >= oldest
        made.numbers["occurred_at"] = instants

    def _is_kept_capsule(self, value: Any) -> bool:
        return is_plain_id(value) and self._rules.asked("capsule", self._keyring.capsule_id, value) == value

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
        self._refused = refused

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

    def _read_properties(self, ids: OwnIds) -> None:
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
            made.append(properties(sent, event_type, ids.of(row) + self._secrets_of(row)))
        codes = self._nowhere.copy()
        codes[rows] = np.arange(len(rows))
        self._made.answers["properties"] = Answers(codes, made)

    def _secrets_of(self, row: int) -> list[str]:
        """What no property of a line may repeat besides its ids."""
        found = []
        for column, read in (
            (self._sent.get("ip"), address_of),
            (self._sent.get("userAgent"), user_agent_of),
        ):
            if column is not None and (at := column.codes[row]) >= 0 and (secret := read(column.values[at])):
                found.append(secret)
        return found


def _both(first: Column, second: Column) -> Column:
    """Two columns of which no line has both."""
    moved = np.where(second.codes >= 0, second.codes + len(first.values), -1).astype(np.int32)
    return Column(np.where(first.codes >= 0, first.codes, moved), first.values + second.values, _NO_HASHES)


def _is_event_type(value: Any) -> bool:
    return isinstance(value, str) and value in EVENT_TYPES


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
