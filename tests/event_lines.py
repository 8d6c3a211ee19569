"""Small builders of event lines for tests: an event is a dict, a line its JSON."""

import json
from typing import Any

NOON = "2026-11-20T12:00:00.000Z"


def event(event_type: str = "view", **changes: Any) -> dict[str, Any]:
    """A valid event; `metadata` is empty unless given, and a change to None removes the key."""
    made: dict[str, Any] = {
        "eventId": "e1",
        "eventType": event_type,
        "capsuleId": "capsule-a",
        "sessionId": "session-1",
        "timestamp": NOON,
        "metadata": {},
    }
    made |= changes
    return {name: value for name, value in made.items() if value is not None}


def line(made: dict[str, Any]) -> bytes:
    """The event as one line, without its end."""
    return json.dumps(made).encode()


def lines(*made: dict[str, Any]) -> bytes:
    """A file's content."""
    return b"".join(line(one) + b"\n" for one in made)
