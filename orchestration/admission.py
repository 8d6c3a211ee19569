"""A line of a landed file becomes an accepted, rejected or suppressed event.

Why it exists: row validity is decided here and nowhere else, line by line, so that one bad line never
costs another. Pure: bytes and a context in, an outcome out. Rules: METRICS.md, "Events" and "Privacy".
Not here: files (`event_files.py`), the meaning of `metadata` (`event_fields.py`), duplicates and
opt-outs across lines (`raw_events.py`).
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import orjson

from orchestration.event_fields import FieldProblem, metadata_columns
from orchestration.privacy import Keyring, is_consent_refused, says_no, says_yes
from orchestration.raw_schema import EVENT_COLUMNS

RejectionReason = Literal[
    "not_utf8",
    "not_json",
    "not_an_object",
    "line_too_long",
    "nesting_too_deep",
    "too_many_keys",
    "duplicate_key",
    "not_a_number",
    "lone_surrogate",
    "missing_field",
    "blank_field",
    "wrong_type",
    "id_too_long",
    "nul_character",
    "unknown_event_type",
    "timestamp_unreadable",
    "timestamp_without_offset",
    "timestamp_in_future",
    "timestamp_too_old",
    "custom_without_name",
    "id_conflict",
]

EVENT_TYPES: Final = frozenset({"view", "interaction", "conversion", "content_access", "custom"})
MAX_LINE_BYTES: Final = 1 << 20
MAX_NESTING: Final = 100
MAX_KEYS: Final = 10_000
MAX_ID_CHARACTERS: Final = 256
FUTURE_TOLERANCE: Final = timedelta(minutes=5)

_TIMESTAMP: Final = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?"
    r" ?(?:([Zz])|([+\-\u2212])(\d\d)(?::?(\d\d))?)?"
)
_EXCERPT_CHARACTERS: Final = 160
# Words an excerpt may show; every other letter becomes "a", every digit "9".
_EXCERPT_WORDS: Final = frozenset(
    (
        "eventId eventType capsuleId sessionId userId timestamp metadata view interaction conversion "
        "content_access custom action source referrer device location null true false"
    ).split()
)
_NO_VALUES: Final[dict[str, Any]] = dict.fromkeys(EVENT_COLUMNS)
_WORD: Final = re.compile(r"[^\W\d_]+(?:_[^\W\d_]+)*|\d+")


class OptOuts:
    """Who opted out or in, and when, by person key: what is known when a line is read."""

    def __init__(self, signals: Iterable[tuple[str, datetime, bool]] = ()) -> None:
        self._signals: dict[str, list[tuple[datetime, bool]]] = {}
        for person_key, signalled_at, is_opt_out in signals:
            self.remember([person_key], signalled_at, is_opt_out=is_opt_out)

    def remember(
        self, person_keys: Iterable[str | None], signalled_at: datetime, *, is_opt_out: bool
    ) -> None:
        """Adds a signal of one person, who may be known by several keys."""
        for person_key in filter(None, person_keys):
            self._signals.setdefault(person_key, []).append((signalled_at, is_opt_out))

    def is_out(self, person_keys: Iterable[str | None], moment: datetime) -> bool:
        """Whether the latest signal of any of the keys, up to a moment, is an opt-out."""
        for person_key in filter(None, person_keys):
            known = [signal for signal in self._signals.get(person_key, ()) if signal[0] <= moment]
            if known and max(known)[1]:
                return True
        return False


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """What admission depends on besides the line. `oldest` is null when any age is accepted."""

    keyring: Keyring
    now: datetime
    oldest: datetime | None
    opt_outs: OptOuts = field(default_factory=OptOuts)


@dataclass(frozen=True, slots=True)
class Accepted:
    """`event`: a value for every column of `raw_schema.EVENT_COLUMNS` that has one."""

    event: dict[str, Any]
    is_opt_in: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """`field`: the offending key when it is one of ours; `excerpt`: the shape of the line, no values."""

    reason: RejectionReason
    field: str | None
    capsule_id: str | None
    excerpt: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An event that carried `optOut`: `event` holds keys and instant only."""

    event: dict[str, Any]


Outcome = Accepted | Rejected | Suppressed


def admit_line(line: bytes, rules: AdmissionRules) -> Outcome:
    """Decides one line (without its line end, not blank).

    Raises nothing: whatever is wrong with the line is the reason of a `Rejected`.
    """
    parsed = _parse(line)
    if isinstance(parsed, Rejected):
        return parsed
    capsule_id = parsed.get("capsuleId")
    try:
        return _admit_object(parsed, rules)
    except FieldProblem as problem:
        known_capsule = capsule_id.strip() if isinstance(capsule_id, str) else None
        if known_capsule is not None and (len(known_capsule) > MAX_ID_CHARACTERS or "\0" in known_capsule):
            known_capsule = None
        return _rejected(problem.reason, line, problem.field, known_capsule or None)


def _parse(line: bytes) -> dict[str, Any] | Rejected:
    if len(line) > MAX_LINE_BYTES:
        return _rejected("line_too_long", line)
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _rejected(_why_unreadable(line), line)
    if not isinstance(parsed, dict):
        return _rejected("not_an_object", line)
    if line.count(b"{") + line.count(b"[") > MAX_NESTING and _nesting(line) > MAX_NESTING:
        return _rejected("nesting_too_deep", line)
    key_count = _count_keys(parsed)
    if key_count > MAX_KEYS:
        return _rejected("too_many_keys", line)
    # A repeated key disappears while parsing; only a line with more `":` than keys can have one.
    if line.count(b'":') != key_count and (repeated := _repeated_key(line)) is not None:
        return _rejected("duplicate_key", line, repeated if repeated in _EXCERPT_WORDS else None)
    return parsed


def _why_unreadable(line: bytes) -> RejectionReason:
    """The reason behind a line that strict JSON refuses, found with the tolerant standard parser."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return "not_utf8"
    if _nesting(line) > MAX_NESTING:
        return "nesting_too_deep"
    not_numbers: list[str] = []
    try:
        parsed = json.loads(text, parse_constant=not_numbers.append)
    except (ValueError, RecursionError):
        return "not_json"
    if not_numbers:
        return "not_a_number"
    try:
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return "lone_surrogate"
    # A number beyond the range of a double reads as infinity.
    return "not_a_number"


def _nesting(line: bytes) -> int:
    deepest = depth = 0
    in_string = escaped = False
    for character in line:
        if in_string:
            if escaped:
                escaped = False
            elif character == 0x5C:
                escaped = True
            elif character == 0x22:
                in_string = False
        elif character == 0x22:
            in_string = True
        elif character in (0x7B, 0x5B):
            depth += 1
            deepest = max(deepest, depth)
        elif character in (0x7D, 0x5D):
            depth -= 1
    return deepest


def _count_keys(parsed: Any) -> int:
    if isinstance(parsed, dict):
        count = len(parsed)
        for value in parsed.values():
            if isinstance(value, (dict, list)):
                count += _count_keys(value)
        return count
    if isinstance(parsed, list):
        return sum(_count_keys(value) for value in parsed if isinstance(value, (dict, list)))
    return 0


def _repeated_key(line: bytes) -> str | None:
    repeated: list[str] = []

    def remember(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            repeated.extend(name for name in names if names.count(name) > 1)
        return found

    json.loads(line, object_pairs_hook=remember)
    return repeated[0] if repeated else None


def _admit_object(parsed: dict[str, Any], rules: AdmissionRules) -> Outcome:
    event_type = _required(parsed, "eventType")
    if event_type not in EVENT_TYPES:
        raise FieldProblem("unknown_event_type", "eventType")
    capsule_id = _identifier(_required(parsed, "capsuleId"), "capsuleId")
    session_id = _identifier(_required(parsed, "sessionId"), "sessionId")
    occurred_at = parse_timestamp(_required(parsed, "timestamp"))
    _check_window(occurred_at, rules)
    event_id = _optional_id(parsed, "eventId")
    user_id = _optional_id(parsed, "userId")
    metadata = parsed.get("metadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise FieldProblem("wrong_type", "metadata")

    keyring = rules.keyring
    own_ids = [own for own in (user_id, session_id, event_id) if own]
    meant = metadata_columns(metadata, event_type, capsule_id, keyring, own_ids)
    refused = is_consent_refused(metadata) or is_consent_refused(parsed)
    content_hash = keyring.content_hash(_canonical(parsed, occurred_at))
    identity = (capsule_id, event_id) if event_id else (capsule_id, "", str(content_hash), session_id)
    person = {
        "user_key": keyring.key("user", user_id) if user_id else None,
        "visitor_id_key": keyring.key("visitor", meant.visitor_id) if meant.visitor_id else None,
        "client_session_key": keyring.key("session", capsule_id, session_id),
    }
    event = _NO_VALUES | {
        "event_key": keyring.event_key(*identity),
        "content_hash": content_hash,
        "event_type": event_type,
        "capsule_id": capsule_id,
        # Milliseconds are what we promise; without a zone in the type.
        "occurred_at": occurred_at.replace(tzinfo=None),
        "event_date": occurred_at.date(),
        **person,
    }
    opt_out = _opt_out_signal(parsed, metadata)
    if says_yes(opt_out):
        rules.opt_outs.remember(person.values(), occurred_at, is_opt_out=True)
        return Suppressed(event)
    if refused:
        # Its identity is not kept, so whether the person opted out can be asked only here.
        is_out = rules.opt_outs.is_out(person.values(), occurred_at)
        event |= {"user_key": None, "visitor_id_key": None}
        if is_out:
            return Suppressed(event | {"client_session_key": None})
    elif meant.reduced_ip or meant.user_agent:
        event["daily_key"] = keyring.daily_key(
            occurred_at.date(), capsule_id, meant.reduced_ip or "", meant.user_agent or ""
        )
    event.update(meant.columns, is_consent_refused=refused)
    is_opt_in = opt_out is not None and says_no(opt_out) and not refused
    if is_opt_in:
        rules.opt_outs.remember(person.values(), occurred_at, is_opt_out=False)
    return Accepted(event, is_opt_in)


def _opt_out_signal(parsed: dict[str, Any], metadata: dict[str, Any]) -> Any:
    for sent in (metadata, parsed):
        for name in ("optOut", "opt_out"):
            if sent.get(name) is not None:
                return sent[name]
    return None


def _canonical(parsed: dict[str, Any], occurred_at: datetime) -> bytes:
    """The same bytes for the same content, whatever the order of keys or the spelling of the instant."""
    content = {name: value for name, value in parsed.items() if name not in ("eventId", "timestamp")}
    content["timestamp"] = occurred_at
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _required(parsed: dict[str, Any], name: str) -> str:
    value = parsed.get(name)
    if value is None:
        raise FieldProblem("missing_field", name)
    if not isinstance(value, str):
        # A number in `timestamp` is an epoch, which is no ISO 8601.
        is_epoch = name == "timestamp" and isinstance(value, (int, float)) and not isinstance(value, bool)
        raise FieldProblem("timestamp_unreadable" if is_epoch else "wrong_type", name)
    if not value.strip():
        raise FieldProblem("blank_field", name)
    return value


def _identifier(value: str, name: str) -> str:
    trimmed = value.strip()
    if len(trimmed) > MAX_ID_CHARACTERS:
        raise FieldProblem("id_too_long", name)
    if "\0" in trimmed:
        raise FieldProblem("nul_character", name)
    return trimmed


def _optional_id(parsed: dict[str, Any], name: str) -> str | None:
    value = parsed.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise FieldProblem("wrong_type", name)
    return _identifier(value, name) or None


def parse_timestamp(text: str) -> datetime:
    """The UTC instant of an ISO 8601 timestamp with an offset or Z, cut to milliseconds.

    Raises `FieldProblem` with `timestamp_without_offset` or `timestamp_unreadable`.
    """
    found = _TIMESTAMP.fullmatch(text.strip())
    if found is None:
        raise FieldProblem("timestamp_unreadable", "timestamp")
    year, month, day, hour, minute, second, fraction, zulu, sign, ahead_hours, ahead_minutes = found.groups()
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second or 0),
            int((fraction or "0")[:3].ljust(3, "0")) * 1000,
            tzinfo=UTC,
        )
        if not zulu and not sign:
            raise FieldProblem("timestamp_without_offset", "timestamp")
        if zulu:
            return local
        if int(ahead_hours) > 18 or int(ahead_minutes or 0) > 59:
            raise FieldProblem("timestamp_unreadable", "timestamp")
        ahead = timedelta(hours=int(ahead_hours), minutes=int(ahead_minutes or 0))
        return local - ahead if sign == "+" else local + ahead
    except (ValueError, OverflowError) as error:
        if isinstance(error, FieldProblem):
            raise
        raise FieldProblem("timestamp_unreadable", "timestamp") from error


def _check_window(occurred_at: datetime, rules: AdmissionRules) -> None:
    if occurred_at > rules.now + FUTURE_TOLERANCE:
        raise FieldProblem("timestamp_in_future", "timestamp")
    if rules.oldest is not None and occurred_at < rules.oldest:
        raise FieldProblem("timestamp_too_old", "timestamp")


def _rejected(
    reason: RejectionReason, line: bytes, field: str | None = None, capsule_id: str | None = None
) -> Rejected:
    return Rejected(reason, field, capsule_id, redacted_excerpt(line))


def redacted_excerpt(line: bytes) -> str:
    """The beginning of a line with its shape only: our own words stay, other letters become `a`, digits `9`.

    Enough to see a wrong date format or a missing bracket, and nobody's personal data.
    """
    text = line[: _EXCERPT_CHARACTERS * 4].decode("utf-8", "replace")[:_EXCERPT_CHARACTERS]
    shown = _WORD.sub(_shape, text)
    return "".join(character if character.isprintable() else "\ufffd" for character in shown)


def _shape(found: re.Match[str]) -> str:
    word = found.group()
    if word in _EXCERPT_WORDS:
        return word
    return ("9" if word[0].isdigit() else "a") * len(word)
