"""Counts headline figures of event files in plain Python.

Independent on purpose: it shares no code with the models, reads the files with the standard library and
follows METRICS by hand, so that equal results mean something. It knows what the fixtures need: no consent, no
conflicts, one time zone (UTC).
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

Event = dict[str, Any]


def read_events(files: Iterable[Path]) -> list[Event]:
    """Every event once, with its instant as `at`."""
    seen: dict[tuple[str, str], Event] = {}
    for path in files:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            for text in file:
                found = json.loads(text)
                found["at"] = datetime.fromisoformat(found["timestamp"]).astimezone(UTC)
                seen.setdefault((found["capsuleId"], found["eventId"]), found)
    return list(seen.values())


def cut_sessions(events: list[Event]) -> list[list[Event]]:
    """Events of one sessionId on one capsule, cut after 30 minutes and where another user appears."""
    streams: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for found in events:
        streams[found["capsuleId"], found["sessionId"]].append(found)
    sessions: list[list[Event]] = []
    for stream in streams.values():
        stream.sort(key=lambda found: found["at"])
        current: list[Event] = []
        user: str | None = None
        for found in stream:
            sent = found.get("userId")
            is_gap = current and (found["at"] - current[-1]["at"]).total_seconds() > 30 * 60
            if is_gap or (current and sent and user and sent != user):
                sessions.append(current)
                current, user = [], None
            current.append(found)
            user = user or sent
        sessions.append(current)
    return sessions


def is_turn(found: Event) -> bool:
    return found["metadata"].get("action") == "message" and found["metadata"].get("role") == "user"


def is_message(found: Event) -> bool:
    said_by = found["metadata"].get("role")
    return found["metadata"].get("action") == "message" and said_by in ("user", "assistant")


def is_persons_action(found: Event) -> bool:
    if found["eventType"] == "interaction":
        return is_turn(found) or found["metadata"].get("action") in ("cta_click", "search", "feedback")
    return found["eventType"] in ("content_access", "conversion", "custom")


def headline_figures(events: list[Event]) -> dict[str, float | None]:
    """Metric id → value over all events, bots included."""
    sessions = cut_sessions(events)
    lengths = [(one[-1]["at"] - one[0]["at"]).total_seconds() for one in sessions]
    engaged = sum(
        min((later["at"] - earlier["at"]).total_seconds(), 60)
        for one in sessions
        for earlier, later in pairwise(one)
    )
    views = [sum(found["eventType"] == "view" for found in one) for one in sessions]
    turns = [sum(map(is_turn, one)) for one in sessions]
    bounces = sum(
        count == 1 and not any(map(is_persons_action, one))
        for count, one in zip(views, sessions, strict=True)
    )
    conversations = [count for count in turns if count]
    viewed = sum(count > 0 for count in views)
    return {
        "view_count": sum(views),
        "session_count": len(sessions),
        "session_seconds_avg": sum(lengths) / len(lengths),
        "session_seconds_median": median(lengths),
        "engaged_seconds_total": engaged,
        "bounce_count": bounces,
        "bounce_rate": bounces / viewed,
        "turn_count": sum(turns),
        "message_count": sum(map(is_message, events)),
        "conversation_count": len(conversations),
        "turns_per_conversation_avg": sum(conversations) / len(conversations) if conversations else None,
        "content_access_count": sum(found["eventType"] == "content_access" for found in events),
        "conversion_count": sum(found["eventType"] == "conversion" for found in events),
    }
