"""What goes wrong on the way: broken lines, conflicting events, resends and lateness.

Why it exists: a pipeline that never saw dirt proves nothing. Every broken line knows the reason it is
rejected for; the reasons are those of admission.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Final, Literal

from orchestration.sample_events.audience import Metadata
from orchestration.sample_events.spelling import encode_event, spell_instant

Reason = Literal[
    "not_utf8",
    "not_json",
    "not_an_object",
    "missing_field",
    "blank_field",
    "wrong_type",
    "unknown_event_type",
    "timestamp_unreadable",
    "timestamp_without_offset",
    "timestamp_in_future",
    "custom_without_name",
    "id_conflict",
    "not_a_number",
    "duplicate_key",
]

_SECOND: Final = 1000
_HOUR: Final = 3600 * _SECOND
_DAY: Final = 24 * _HOUR
LATEST_ARRIVAL: Final = 20 * _DAY


def _cut(event: Metadata) -> bytes:
    # ASCII, so that the cut cannot fall into a character and change the reason.
    line = json.dumps(event).encode("ascii")
    return line[: len(line) * 2 // 3]


def _not_utf8(event: Metadata) -> bytes:
    return encode_event(event | {"metadata": {"topic": "caf@"}}).replace(b"@", b"\xe9\xff")


def _without(field: str) -> Callable[[Metadata], bytes]:
    return lambda event: encode_event({k: v for k, v in event.items() if k != field})


def _with(**changes: object) -> Callable[[Metadata], bytes]:
    return lambda event: encode_event(event | changes)


def _without_offset(event: Metadata) -> bytes:
    return encode_event(event | {"timestamp": str(event["timestamp"])[:19]})


def _not_a_number(event: Metadata) -> bytes:
    sale = {"conversionType": "purchase", "value": float("nan"), "currency": "EUR"}
    # Python's own encoder, because it writes the NaN that JSON does not have.
    return json.dumps(event | {"eventType": "conversion", "metadata": sale}).encode("ascii")


def _duplicate_key(event: Metadata) -> bytes:
    return encode_event(event)[:-1] + b',"capsuleId":"another-capsule"}'


# The year 2099 stays in the future however late the stream is loaded.
BREAKAGES: Final[tuple[tuple[Reason, Callable[[Metadata], bytes]], ...]] = (
    ("not_json", _cut),
    ("missing_field", _without("timestamp")),
    ("unknown_event_type", _with(eventType="click")),
    ("timestamp_without_offset", _without_offset),
    ("missing_field", _without("capsuleId")),
    ("timestamp_in_future", _with(timestamp="2099-01-01T00:00:00.000Z")),
    ("not_utf8", _not_utf8),
    ("timestamp_unreadable", _with(timestamp="yesterday at noon")),
    ("custom_without_name", _with(eventType="custom", metadata={"colour": "blue"})),
    ("blank_field", _with(capsuleId="   ")),
    ("not_a_number", _not_a_number),
    ("wrong_type", _with(sessionId={"id": 7})),
    ("not_an_object", lambda event: encode_event(event).join((b"[", b"]"))),
    ("duplicate_key", _duplicate_key),
)


def break_event(event: Metadata, number: int, rng: Random) -> tuple[Reason, bytes]:
    """A line made from `event` under an id of its own, with the reason it will be rejected for."""
    reason, spoil = BREAKAGES[number % len(BREAKAGES)]
    return reason, spoil(event | {"eventId": f"{rng.getrandbits(64):016x}"})


def conflicting_event(event: Metadata, instant: int) -> Metadata:
    """The same identity seven seconds later with other content: it loses, whatever comes first."""
    metadata = event["metadata"]
    assert isinstance(metadata, dict)
    return event | {
        "timestamp": spell_instant(instant + 7 * _SECOND),
        "metadata": metadata | {"revision": 2},
    }


def respelled(event: Metadata, instant: int) -> Metadata:
    """The same content in another order of keys and another spelling of the instant."""
    metadata = event["metadata"]
    assert isinstance(metadata, dict)
    shuffled = event | {
        "metadata": dict(reversed(metadata.items())),
        "timestamp": spell_instant(instant, 3),
    }
    return dict(reversed(shuffled.items()))


def resend_delay(rng: Random) -> int:
    """Milliseconds until a sender that saw no answer sends the line again."""
    return rng.choice((2 * _SECOND, 5 * _SECOND, 60 * _SECOND, 3 * _HOUR, _DAY, 2 * _DAY))


def late_delay(rng: Random) -> int:
    """Milliseconds a device without network holds events back: minutes, hours or days."""
    return rng.choice((4 * 60 * _SECOND, 2 * _HOUR, 7 * _HOUR, _DAY, 3 * _DAY, 5 * _DAY))
