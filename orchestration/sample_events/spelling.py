"""A planned step becomes the JSON object and the line that a sender would write.

Why it exists: the same fact is sent in several spellings (clock, key style, with and without an
event id), and the pipeline has to read them all alike.
"""

from datetime import date
from random import Random
from typing import Final

import orjson

from orchestration.sample_events.audience import Metadata
from orchestration.sample_events.plan import EVENT_TYPES, MILLISECONDS_OF_DAY, PlannedSession, Step

# Clock styles: Z with milliseconds, Z without, local offset, +00:00, Z with microseconds.
CLOCK_STYLES: Final = (0, 0, 0, 0, 1, 2, 2, 3, 4)
WHOLE_SECOND_STYLES: Final = frozenset({1})

_ORDINAL_OF_1970: Final = date(1970, 1, 1).toordinal()

_snake_case_keys: dict[str, str] = {}
_day_texts: dict[int, str] = {}


def spell_day(day: int) -> str:
    """ISO date of a day counted from 1970-01-01, remembered."""
    text = _day_texts.get(day)
    if text is None:
        text = _day_texts[day] = date.fromordinal(_ORDINAL_OF_1970 + day).isoformat()
    return text


def spell_instant(instant: int, clock_style: int = 0, offset_minutes: int = 0) -> str:
    """ISO 8601 with an offset; style 2 writes the clock on the wall at `offset_minutes`."""
    suffix = "Z"
    if clock_style == 2:
        instant += offset_minutes * 60_000
        sign = "-" if offset_minutes < 0 else "+"
        suffix = f"{sign}{abs(offset_minutes) // 60:02d}:{abs(offset_minutes) % 60:02d}"
    elif clock_style == 3:
        suffix = "+00:00"
    day, rest = divmod(instant, MILLISECONDS_OF_DAY)
    second, millisecond = divmod(rest, 1000)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    clock = f"{spell_day(day)}T{hour:02d}:{minute:02d}:{second:02d}"
    if clock_style == 1:
        return clock + suffix
    if clock_style == 4:
        return f"{clock}.{millisecond:03d}000{suffix}"
    return f"{clock}.{millisecond:03d}{suffix}"


def _snake_case(metadata: Metadata) -> Metadata:
    """METRICS accepts snake_case spellings of the keys of `metadata`, and of these only."""
    spelled: Metadata = {}
    for key, value in metadata.items():
        name = _snake_case_keys.get(key)
        if name is None:
            name = "".join(f"_{c.lower()}" if c.isupper() else c for c in key)
            _snake_case_keys[key] = name
        spelled[name] = value
    return spelled


def spell_events(session: PlannedSession, rng: Random) -> list[Metadata]:
    """The events of a session as JSON objects, in the order of its steps."""
    return [
        _spell_step(session, step, index, f"{rng.getrandbits(64):016x}")
        for index, step in enumerate(session.steps)
    ]


def _spell_step(session: PlannedSession, step: Step, index: int, event_id: str) -> Metadata:
    metadata = {**session.ambient, **step.detail}
    if index == 0:
        metadata = {**session.entry, **metadata}
    if session.is_snake_case:
        metadata = _snake_case(metadata)
    event: Metadata = {}
    if session.has_event_ids:
        event["eventId"] = event_id
    event["eventType"] = EVENT_TYPES[step.kind]
    event["capsuleId"] = session.capsule_id
    event["sessionId"] = session.session_id
    if session.user_id is not None and index >= session.user_from:
        event["userId"] = session.user_id
    event["timestamp"] = spell_instant(step.instant, session.clock_style, session.offset_minutes)
    event["metadata"] = metadata
    return event


def encode_event(event: Metadata) -> bytes:
    """One line without its line end."""
    return orjson.dumps(event)
