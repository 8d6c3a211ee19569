"""What the keys of an event say before any value is looked at, and how its values become columns at once.

Why it exists: see `shape_admission.py`. The rules are those of `admission.py` and `event_fields.py`; here is
only which of them the keys of a shape call for.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Any, Final, NamedTuple, cast

import orjson

from orchestration.admission import EVENT_TYPES, OPT_OUT_KEYS, content_names
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
    address_of,
    agent_columns,
    amount_of,
    currency_of,
    place_columns,
    text_of,
    traffic_columns,
    user_agent_of,
)
from orchestration.event_properties import properties
from orchestration.masking import repeats_own_id
from orchestration.privacy import (
    Consent,
    Keyring,
    reduce_ip,
    says_something_of_consent,
    stated_consent,
    weighed_consent,
)

# Event type, the event's own keys, null, the keys of `metadata`; none of their values is null.
Shape = tuple[Any, ...]
# Name → one value a row. A column nobody has a value for is absent.
Columns = dict[str, list[Any]]
Column = Sequence[Any]
# The oldest accepted instant, or null, and the latest: milliseconds since 1970.
Window = tuple[int | None, int]

_REMEMBERED: Final = 20_000
_SCALARS: Final = frozenset({str, int, float, bool})
_TEXT: Final = frozenset({str})
_REQUIRED: Final = frozenset({"eventType", "capsuleId", "sessionId", "timestamp"})
_OWN_IDS: Final = ("capsuleId", "sessionId", "eventId", "userId")
_PERSONS_IDS: Final = ("sessionId", "eventId", "userId")
# Every key that becomes a text; numbers, hashed ids, amounts and what is dropped are none.
_KEPT_TEXTS: Final = frozenset(
    {*(name for name, field in FIELDS.items() if field.column in TEXT_COLUMNS)}
    | {*TRAFFIC_KEYS, *AGENT_KEYS, "location"} - {"userAgent"}
)
_INNER_IDS: Final = frozenset({*HASHED_IDS, "contentId", "ctaId", "visitorId"})
_DAY_MILLISECONDS: Final = 86_400_000
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()


class _Memo(dict[Any, Any]):
    """What a rule makes of a text, remembered: texts repeat. Numbers are not, because 1 is True is 1.0."""

    def __init__(self, rule: Callable[[Any], Any]) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, value: Any) -> Any:
        if len(self) >= _REMEMBERED:
            self.clear()
        answer = self[value] = self._rule(value)
        return answer

    def of(self, column: Column) -> list[Any]:
        """The answers for a column of scalars."""
        if set(map(type, column)) == _TEXT:
            return list(map(self.__getitem__, column))
        return [self[value] if type(value) is str else self._rule(value) for value in column]

    def of_tuples(self, columns: Sequence[Column]) -> list[Any]:
        """The answers for the rows of several columns."""
        rows = list(zip(*columns, strict=True))
        if all(set(map(type, column)) == _TEXT for column in columns):
            return list(map(self.__getitem__, rows))
        return [self._rule(row) for row in rows]


class Memos:
    """Everything remembered from shape to shape and block to block."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self.fields = {name: _Memo(partial(_read, field, name)) for name, field in FIELDS.items()}
        self.session_key = _Memo(lambda pair: keyring.key_once("session", *pair))
        self.capsules = _Memo(keyring.capsule_id)
        self.user_key = _Memo(lambda user_id: keyring.key_once("user", user_id))
        self.visitor_key = _Memo(_key_or_null(keyring, "visitor"))
        self.places = _Memo(lambda value: _in_order(place_columns(value), PLACE_COLUMNS))
        self.amounts = _Memo(amount_of)
        self.currencies = _Memo(currency_of)
        self.event_names = _Memo(text_of)
        self.agents = _Memo(user_agent_of)
        self.addresses = _Memo(address_of)
        self.reduced_addresses = _Memo(lambda address: reduce_ip(address) if address else None)
        self.daily_key = _Memo(
            lambda row: keyring.daily_key(date.fromordinal(_FIRST_DAY + int(row[0])), *row[1:])
        )
        self._consent: dict[str, _Memo] = {}
        self._together: dict[tuple[str, ...], _Memo] = {}

    def consent(self, name: str) -> _Memo:
        """What the value of one key says of consent."""
        if name not in self._consent:
            self._consent[name] = _Memo(lambda value: stated_consent({name: value}))
        return self._consent[name]

    def together(self, names: tuple[str, ...]) -> _Memo:
        """The columns that several keys make, in the order of `TRAFFIC_COLUMNS` or `AGENT_COLUMNS`."""
        if names not in self._together:
            is_traffic = names[0] in TRAFFIC_KEYS
            make = traffic_columns if is_traffic else agent_columns
            order = TRAFFIC_COLUMNS if is_traffic else AGENT_COLUMNS
            self._together[names] = _Memo(
                lambda row: _in_order(make(dict(zip(names, row, strict=True))), order)
            )
        return self._together[names]


def _read(field: Field, name: str, value: Any) -> Any:
    return field.read(value, name)


def _key_or_null(keyring: Keyring, kind: str) -> Callable[[Any], str | None]:
    def key(value: Any) -> str | None:
        identifier = text_of(value, masked=False, limit=MAX_ID_CHARACTERS)
        return keyring.key_once(kind, identifier) if identifier else None

    return key


def _in_order(columns: dict[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(map(columns.get, names))


class Read(NamedTuple):
    """Which rows were read by columns and which need `admit_line`; `occurred_at` is in milliseconds."""

    fit: Sequence[int]
    unfit: Sequence[int]
    columns: Columns


class EventShape:
    """The events of one shape. `is_plain`: whether they can be read by columns at all."""

    def __init__(self, shape: Shape, memos: Memos) -> None:
        end = shape.index(None)
        self.event_type: str = shape[0]
        self._memos = memos
        self._own: dict[str, int] = {name: at for at, name in enumerate(shape[1:end])}
        self._inner: dict[str, int] = {name: at for at, name in enumerate(shape[end + 1 :])}
        known = [SPELLINGS[name] for name in self._inner if name in SPELLINGS]
        # The key with a meaning, by its camelCase name, and all others.
        self._sent = {SPELLINGS[name]: at for name, at in self._inner.items() if name in SPELLINGS}
        self._unknown = {name: at for name, at in self._inner.items() if name not in SPELLINGS}
        if self.event_type == "custom":
            self._unknown |= {name: at for name, at in self._sent.items() if name in PROPERTIES_OF_CUSTOM}
        self.is_plain = (
            self.event_type in EVENT_TYPES
            and self._own.keys() >= _REQUIRED
            and len(known) == len(set(known))
            and not any(name in self._own or name in self._inner for name in OPT_OUT_KEYS)
            and (self.event_type != "custom" or "name" in self._inner)
        )
        self._traffic = tuple(name for name in TRAFFIC_KEYS if name in self._sent)
        self._agent = tuple(name for name in AGENT_KEYS if name in self._sent)
        own, inner = content_names(self._own, self._inner)
        self._content = (own, inner)
        self._hash = memos.keyring.content_hasher(orjson.dumps((own, inner)))

    def read(self, events: Sequence[dict[str, Any]], instants: Sequence[int | None], window: Window) -> Read:
        """The columns of the events that can be read by columns, and which those are. Raises nothing."""
        own, inner = self._transposed(events)
        unfit = self._unfit(own, inner, instants, window)
        if not unfit:
            return Read(range(len(events)), (), self._columns(own, inner, instants))
        fit = [row for row in range(len(events)) if row not in unfit]
        if not fit:
            return Read((), sorted(unfit), {})
        own, inner = self._transposed([events[row] for row in fit])
        return Read(fit, sorted(unfit), self._columns(own, inner, [instants[row] for row in fit]))

    def _transposed(self, events: Sequence[dict[str, Any]]) -> tuple[list[Column], list[Column]]:
        own = list(zip(*map(dict.values, events), strict=True))
        if not self._inner:
            return cast("list[Column]", own), []
        inner = list(zip(*map(dict.values, own[self._own["metadata"]]), strict=True))
        return cast("list[Column]", own), cast("list[Column]", inner)

    def _unfit(
        self, own: list[Column], inner: list[Column], instants: Sequence[int | None], window: Window
    ) -> set[int]:
        """Rows that `_columns` could not read: everything it relies on is asked here."""
        unfit: set[int] = set()
        for name, at in self._own.items():
            if name in _OWN_IDS:
                unfit |= _unfit_ids(own[at])
            elif name != "metadata":
                unfit |= _not_scalar(own[at])
        for name, at in self._inner.items():
            unfit |= _not_scalar(inner[at])
            if SPELLINGS.get(name) in _INNER_IDS:
                unfit |= _too_long(inner[at])
        if self.event_type == "custom":
            named = self._memos.event_names.of(inner[self._inner["name"]])
            unfit.update(row for row, name in enumerate(named) if name is None)
        return unfit | self._repeating(own, inner, unfit) | _outside(instants, window)

    def _repeating(self, own: list[Column], inner: list[Column], unfit: set[int]) -> set[int]:
        """Rows of which a kept text may repeat an own id."""
        kept = [inner[at] for name, at in self._sent.items() if name in _KEPT_TEXTS]
        if self.event_type == "custom":
            kept.append(inner[self._inner["name"]])
        if not kept:
            return set()
        ids = [own[self._own[name]] for name in _PERSONS_IDS if name in self._own]
        if "visitorId" in self._sent:
            ids.append(inner[self._sent["visitorId"]])
        rows = zip(zip(*kept, strict=True), zip(*ids, strict=True), strict=True)
        return {
            row
            for row, (texts, owned) in enumerate(rows)
            if row not in unfit and repeats_own_id(" ".join(map(str, texts)), _trimmed(owned))
        }

    def _columns(self, own: list[Column], inner: list[Column], instants: Sequence[Any]) -> Columns:
        memos, count = self._memos, len(instants)
        ids = {name: list(map(str.strip, own[self._own[name]])) for name in _OWN_IDS if name in self._own}
        ids["capsuleId"] = memos.capsules.of(ids["capsuleId"])
        capsules, sessions = ids["capsuleId"], ids["sessionId"]
        columns: Columns = {
            "event_type": [self.event_type] * count,
            "capsule_id": capsules,
            "occurred_at": list(instants),
            "client_session_key": memos.session_key.of_tuples([capsules, sessions]),
        }
        columns["content_hash"] = self._content_hashes(own, inner, ids, instants)
        columns["event_key"] = self._event_keys(ids, columns["content_hash"])
        columns |= self._metadata_columns(inner, capsules, count)
        columns |= self._person_columns(own, inner, ids, instants, count)
        if self._unknown:
            columns["properties"] = self._properties(inner, ids)
        return columns

    def _content_hashes(
        self, own: list[Column], inner: list[Column], ids: Columns, instants: Column
    ) -> list[int]:
        own_names, inner_names = self._content
        values = zip(
            *[ids.get(name) or own[self._own[name]] for name in own_names],
            instants,
            *[inner[self._inner[name]] for name in inner_names],
            strict=True,
        )
        return self._hash(list(map(orjson.dumps, values)))

    def _event_keys(self, ids: Columns, content_hashes: list[int]) -> list[str]:
        capsules = ids["capsuleId"]
        if "eventId" in ids:
            return self._memos.keyring.many_keys("event", capsules, ids["eventId"])
        key_once = self._memos.keyring.key_once
        return [
            key_once("event", capsule_id, "", str(content_hash), session_id)
            for capsule_id, content_hash, session_id in zip(
                capsules, content_hashes, ids["sessionId"], strict=True
            )
        ]

    def _metadata_columns(self, inner: list[Column], capsules: Column, count: int) -> Columns:
        memos = self._memos
        columns: Columns = {"is_bot_agent": [False] * count}
        for name, at in self._sent.items():
            if name in FIELDS:
                columns[FIELDS[name].column] = memos.fields[name].of(inner[at])
            elif name in HASHED_IDS:
                column, kind = HASHED_IDS[name]
                columns[column] = self._hashed_ids(inner[at], kind, capsules)
        if self.event_type == "conversion":
            for name, column, memo in (
                ("value", "amount", memos.amounts),
                ("currency", "currency", memos.currencies),
            ):
                if name in self._sent:
                    columns[column] = memo.of(inner[self._sent[name]])
        elif self.event_type == "custom":
            columns["event_name"] = memos.event_names.of(inner[self._inner["name"]])
        for names, order in ((self._traffic, TRAFFIC_COLUMNS), (self._agent, AGENT_COLUMNS)):
            if names:
                made = memos.together(names).of_tuples([inner[self._sent[name]] for name in names])
                columns |= _by_column(made, order)
        if "location" in self._sent:
            placed = _by_column(memos.places.of(inner[self._sent["location"]]), PLACE_COLUMNS)
            for column, values in placed.items():
                columns[column] = _first_of(columns.get(column), values)
        return columns

    def _hashed_ids(self, column: Column, kind: str, capsules: Column) -> list[str | None]:
        is_text = set(map(type, column)) == _TEXT
        texts = list(map(str.strip, column)) if is_text else [text_of_id(value) or "" for value in column]
        keys = self._memos.keyring.many_keys(kind, capsules, texts)
        return (
            list(keys)
            if all(texts)
            else [key if text else None for key, text in zip(keys, texts, strict=True)]
        )

    def _person_columns(
        self, own: list[Column], inner: list[Column], ids: Columns, instants: Column, count: int
    ) -> Columns:
        memos = self._memos
        consent = self._consent(own, inner, count)
        refused = [said == "refused" for said in consent]
        keys: Columns = {}
        if "userId" in ids:
            keys["user"] = memos.user_key.of(ids["userId"])
        if "visitorId" in self._sent:
            keys["visitor"] = memos.visitor_key.of(inner[self._sent["visitorId"]])
        columns: Columns = {"is_consent_refused": refused, "consent": consent}
        for kind, column in (("user", "user_key"), ("visitor", "visitor_id_key")):
            if kind not in keys:
                continue
            if any(refused):
                columns[column] = [None if no else key for key, no in zip(keys[kind], refused, strict=True)]
                columns[f"refused_{kind}_key"] = [
                    key if no else None for key, no in zip(keys[kind], refused, strict=True)
                ]
            else:
                columns[column] = keys[kind]
        if "userAgent" in self._sent or "ip" in self._sent:
            columns["daily_key"] = self._daily_keys(inner, ids["capsuleId"], instants, refused)
        return columns

    def _consent(self, own: list[Column], inner: list[Column], count: int) -> list[Consent | None]:
        said = [
            self._memos.consent(name).of(columns[at])
            for names, columns in ((self._own, own), (self._inner, inner))
            for name, at in names.items()
            if says_something_of_consent(name)
        ]
        return [weighed_consent(row) for row in zip(*said, strict=True)] if said else [None] * count

    def _daily_keys(
        self, inner: list[Column], capsules: Column, instants: Column, refused: list[bool]
    ) -> list[str | None]:
        memos = self._memos
        nothing: list[Any] = [None] * len(capsules)
        agents, addresses = nothing, nothing
        if "userAgent" in self._sent:
            agents = memos.agents.of(inner[self._sent["userAgent"]])
        if "ip" in self._sent:
            addresses = memos.addresses.of(inner[self._sent["ip"]])
            addresses = [memos.reduced_addresses[address] for address in addresses]
        return [
            memos.daily_key[(instant // _DAY_MILLISECONDS, capsule_id, address or "", agent or "")]
            if (address or agent) and not no
            else None
            for instant, capsule_id, address, agent, no in zip(
                instants, capsules, addresses, agents, refused, strict=True
            )
        ]

    def _properties(self, inner: list[Column], ids: Columns) -> list[str | None]:
        rows = zip(*[inner[at] for at in self._unknown.values()], strict=True)
        unknown = [dict(zip(self._unknown, row, strict=True)) for row in rows]
        secrets: list[Column] = [ids[name] for name in ("userId", "sessionId", "eventId") if name in ids]
        for name, read in (("visitorId", text_of_id), ("ip", address_of), ("userAgent", user_agent_of)):
            if name in self._sent:
                secrets.append(list(map(read, inner[self._sent[name]])))
        return [
            properties(values, self.event_type, list(filter(None, own)))
            for values, own in zip(unknown, zip(*secrets, strict=True), strict=True)
        ]


def text_of_id(value: Any) -> str | None:
    """An id as sent, trimmed; its length was asked before."""
    return text_of(value, masked=False, limit=MAX_ID_CHARACTERS)


def _trimmed(ids: Sequence[Any]) -> list[str]:
    return [trimmed for one in ids if (trimmed := str(one).strip())]


def _not_scalar(column: Column) -> set[int]:
    if set(map(type, column)) <= _SCALARS:
        return set()
    return {row for row, value in enumerate(column) if type(value) not in _SCALARS}


def _unfit_ids(column: Column) -> set[int]:
    """Own ids that are no text, blank or too long."""
    is_text = set(map(type, column)) == _TEXT
    if is_text and max(map(len, column)) <= MAX_ID_CHARACTERS and all(map(str.strip, column)):
        return set()
    return {
        row
        for row, value in enumerate(column)
        if type(value) is not str or len(value) > MAX_ID_CHARACTERS or not value.strip()
    }


def _too_long(column: Column) -> set[int]:
    if set(map(type, column)) == _TEXT and max(map(len, column)) <= MAX_ID_CHARACTERS:
        return set()
    return {row for row, value in enumerate(column) if len(str(value)) > MAX_ID_CHARACTERS}


def _outside(instants: Sequence[int | None], window: Window) -> set[int]:
    oldest, latest = window
    if None not in instants:
        known = cast("Sequence[int]", instants)
        if max(known) <= latest and (oldest is None or min(known) >= oldest):
            return set()
    return {
        row
        for row, instant in enumerate(instants)
        if instant is None or instant > latest or (oldest is not None and instant < oldest)
    }


def _by_column(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> Columns:
    columns = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    return {name: column for name, column in columns.items() if any(value is not None for value in column)}


def _first_of(wanted: list[Any] | None, otherwise: list[Any]) -> list[Any]:
    if wanted is None:
        return otherwise
    return [second if first is None else first for first, second in zip(wanted, otherwise, strict=True)]
