"""A line of a landed file becomes an accepted, rejected or suppressed event.

Why it exists: row validity is decided here and nowhere else, line by line, so that one bad line never
costs another. Pure: bytes and a context in, an outcome out. Rules: METRICS.md, "Events" and "Privacy".
`column_admission.py` gives the same outcomes for many lines at once. Not here: files (`event_files.py`), what
is JSON (`strict_json.py`), the meaning of `metadata` (`event_fields.py`), duplicates and opt-outs across
lines (`verdicts.py`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

import orjson

from orchestration.erasure_list import ErasureList
from orchestration.event_fields import MAX_ID_CHARACTERS, FieldProblem, metadata_columns
from orchestration.limits import DEFAULT_LIMITS, Limits
from orchestration.opt_outs import OptOuts
from orchestration.privacy import Keyring, says_no, says_yes, stated_consent, weighed_consent
from orchestration.raw_schema import EVENT_COLUMNS
from orchestration.strict_json import Unreadable, UnreadableReason, parse_line
from orchestration.timestamps import parse_timestamp

InvalidReason = Literal[
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
    "unexpected_error",
]
RejectionReason = UnreadableReason | InvalidReason
REJECTION_REASONS: Final[tuple[str, ...]] = (*get_args(UnreadableReason), *get_args(InvalidReason))

EVENT_TYPES: Final = frozenset({"view", "interaction", "conversion", "content_access", "custom"})
OPT_OUT_KEYS: Final = ("optOut", "opt_out")
# What identifies an event is none of its content; the instant and `metadata` are read by themselves.
WITHOUT_CONTENT: Final = frozenset({"eventId", "timestamp", "metadata"})
FUTURE_TOLERANCE: Final = timedelta(minutes=5)

_EXCERPT_CHARACTERS: Final = 160
# Words an excerpt may show; every other letter becomes "a", every digit "9".
_EXCERPT_WORDS: Final = frozenset(
    (
        "eventId eventType capsuleId sessionId userId timestamp metadata view interaction conversion "
        "content_access custom action source referrer device location null true false"
    ).split()
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_VALUES: Final[dict[str, Any]] = dict.fromkeys(EVENT_COLUMNS)
_WORD: Final = re.compile(r"[^\W\d_]+(?:_[^\W\d_]+)*|\d+")


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """What admission depends on besides the line. `oldest` is null when any age is accepted."""

    keyring: Keyring
    now: datetime
    oldest: datetime | None
    opt_outs: OptOuts = field(default_factory=OptOuts)
    limits: Limits = DEFAULT_LIMITS
    erased: ErasureList = field(default_factory=ErasureList)


@dataclass(frozen=True, slots=True)
class Accepted:
    """`event`: a value for every column of `raw_schema.EVENT_COLUMNS` that has one.

    `refused_keys`: user and visitor key of an event that refused consent: to ask whether the person opted
    out, and never kept.
    """

    event: dict[str, Any]
    is_opt_in: bool = False
    refused_keys: tuple[str | None, str | None] = (None, None)


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

    Whatever is wrong with the line is the reason of a `Rejected`; raises only for what this machine lacks.
    """
    try:
        return _admit_line(line, rules)
    except (MemoryError, OSError):
        raise
    except Exception:  # noqa: BLE001 (a mistake of ours about one line must never cost another)
        return _rejected("unexpected_error", line)


def _admit_line(line: bytes, rules: AdmissionRules) -> Outcome:
    parsed = parse_line(line, rules.limits)
    if isinstance(parsed, Unreadable):
        return _rejected(parsed.reason, line, parsed.key if parsed.key in _EXCERPT_WORDS else None)
    capsule_id = parsed.get("capsuleId")
    try:
        return _admit_object(parsed, rules)
    except FieldProblem as problem:
        known_capsule = capsule_id.strip() if isinstance(capsule_id, str) else None
        if known_capsule is not None and (len(known_capsule) > MAX_ID_CHARACTERS or "\0" in known_capsule):
            known_capsule = None
        return _rejected(
            problem.reason,
            line,
            problem.field,
            rules.keyring.capsule_id(known_capsule) if known_capsule else None,
        )


def _admit_object(parsed: dict[str, Any], rules: AdmissionRules) -> Outcome:
    event_type = _required(parsed, "eventType")
    if event_type not in EVENT_TYPES:
        raise FieldProblem("unknown_event_type", "eventType")
    capsule_id = rules.keyring.capsule_id(_identifier(_required(parsed, "capsuleId"), "capsuleId"))
    session_id = _identifier(_required(parsed, "sessionId"), "sessionId")
    occurred_at = _instant(_required(parsed, "timestamp"))
    _check_window(occurred_at, rules)
    event_id = _optional_id(parsed, "eventId")
    user_id = _optional_id(parsed, "userId")
    metadata = parsed.get("metadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise FieldProblem("wrong_type", "metadata")
    # A key that is sent as null says as much as a key that is not sent.
    metadata = {name: value for name, value in metadata.items() if value is not None}

    keyring = rules.keyring
    own_ids = [own for own in (user_id, session_id, event_id) if own]
    meant = metadata_columns(metadata, event_type, capsule_id, keyring, own_ids)
    consent = weighed_consent([stated_consent(metadata), stated_consent(parsed)])
    refused = consent == "refused"
    stated = {"eventType": event_type, "capsuleId": capsule_id, "sessionId": session_id, "userId": user_id}
    content = canonical_content(parsed | stated, metadata)
    content_hash = keyring.content.of(content, epoch_milliseconds(occurred_at))
    identity = (capsule_id, event_id) if event_id else (capsule_id, "", str(content_hash), session_id)
    person = {
        "user_key": keyring.key("user", user_id) if user_id else None,
        "visitor_id_key": keyring.key("visitor", meant.visitor_id) if meant.visitor_id else None,
        "client_session_key": keyring.key("session", capsule_id, session_id),
    }
    event = _NO_VALUES | {
        "event_key": keyring.key_once("event", *identity),
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
        return Suppressed(event)
    refused_keys: tuple[str | None, str | None] = (None, None)
    if refused:
        refused_keys = (person["user_key"], person["visitor_id_key"])
        event |= {"user_key": None, "visitor_id_key": None}
    elif meant.reduced_ip or meant.user_agent:
        event["daily_key"] = keyring.daily_key(
            occurred_at.date(), capsule_id, meant.reduced_ip or "", meant.user_agent or ""
        )
    event.update(meant.columns, is_consent_refused=refused, consent=consent)
    is_opt_in = opt_out is not None and says_no(opt_out) and not refused
    return Accepted(event, is_opt_in, refused_keys)


def _opt_out_signal(parsed: dict[str, Any], metadata: dict[str, Any]) -> Any:
    for sent in (metadata, parsed):
        for name in OPT_OUT_KEYS:
            if sent.get(name) is not None:
                return sent[name]
    return None


def canonical_content(
    stated: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Iterator[tuple[str, str, bytes]]:
    """What an event says but for its instant: each key, of itself or of `metadata`, with its value as JSON.

    `stated`: the event's own keys, ids trimmed; `metadata` without nulls.
    """
    for name, value in stated.items():
        if value is not None and name not in WITHOUT_CONTENT:
            yield "own", name, orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    for name, value in metadata.items():
        yield "inner", name, orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def epoch_milliseconds(instant: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


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


def _instant(text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except FieldProblem as problem:
        if not isinstance(problem.__cause__, OverflowError):
            raise
        # Year 1 or 9999 in its zone, and in UTC one that no calendar has: outside of any window.
        reason = "timestamp_too_old" if text.strip().startswith("0") else "timestamp_in_future"
        raise FieldProblem(reason, "timestamp") from problem


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
