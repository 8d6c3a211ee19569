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
from decimal import Decimal, InvalidOperation
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


def accepted_events(sent: Iterable[Event]) -> list[Event]:
    """Of all lines sent, in whatever order: once each, without what an opt-out suppresses.

    From its opt-out on, a person is known by user, visitor and session. Of one id the earliest instant
    wins; none here has two contents of one instant. An event whose consent is refused counts without user
    and visitor; where opt-outs are sent too, the order of arrival decides about it, and this can't tell.
    """
    events = [found | {"at": datetime.fromisoformat(found["timestamp"]).astimezone(UTC)} for found in sent]
    silent_from: dict[tuple[str, ...], datetime] = {}
    for found in events:
        if found["metadata"].get("optOut"):
            for key in person_keys(found):
                silent_from[key] = min(found["at"], silent_from.get(key, found["at"]))
    winners: dict[tuple[str, str], Event] = {}
    for found in events:
        if any(key in silent_from and silent_from[key] <= found["at"] for key in person_keys(found)):
            continue
        identity = (found["capsuleId"], found["eventId"])
        if identity not in winners or found["at"] < winners[identity]["at"]:
            winners[identity] = found
    return [without_person(found) if is_refused(found) else found for found in winners.values()]


def is_refused(found: Event) -> bool:
    return found["metadata"].get("consent") not in (None, "granted")


def without_person(found: Event) -> Event:
    said = {name: value for name, value in found["metadata"].items() if name != "visitorId"}
    return {name: value for name, value in found.items() if name != "userId"} | {"metadata": said}


def person_keys(found: Event) -> list[tuple[str, ...]]:
    keys: list[tuple[str, ...]] = [("session", found["capsuleId"], found["sessionId"])]
    if found.get("userId"):
        keys.append(("user", found["userId"]))
    if found["metadata"].get("visitorId"):
        keys.append(("visitor", found["metadata"]["visitorId"]))
    return keys


def visitor_of(session: list[Event]) -> tuple[str, str]:
    """Tier and name of who a session belongs to; no event here has an address or a user agent."""
    users = [found["userId"] for found in session if found.get("userId")]
    if users:
        return ("user", users[0])
    visitors = [found["metadata"]["visitorId"] for found in session if found["metadata"].get("visitorId")]
    if visitors:
        return ("visitor", visitors[0])
    return ("session", f"{session[0]['capsuleId']}/{session[0]['sessionId']}")


def is_bot_session(session: list[Event]) -> bool:
    """Longer than 24 hours, or 301 events within less than a minute."""
    if (session[-1]["at"] - session[0]["at"]).total_seconds() > 24 * 3600:
        return True
    return any(
        (last["at"] - first["at"]).total_seconds() < 60
        for first, last in zip(session, session[300:], strict=False)
    )


def counted_messages(session: list[Event], roles: tuple[str, ...]) -> int:
    """Messages of the roles; one that the same speaker sends again with its id is not another."""
    seen: set[tuple[str, str]] = set()
    count = 0
    for found in session:
        said = found["metadata"]
        if said.get("action") != "message" or said.get("role") not in roles:
            continue
        name = (said["role"], said.get("messageId", ""))
        if name[1] and name in seen:
            continue
        seen.add(name)
        count += 1
    return count


def counted_conversions(events: list[Event]) -> list[Event]:
    """Conversions and clicks; an order of a type counts once on a capsule, where it came first."""
    orders: set[tuple[str, str, str]] = set()
    counted = []
    for found in sorted(events, key=lambda one: one["at"]):
        said = found["metadata"]
        if found["eventType"] != "conversion" and said.get("action") != "cta_click":
            continue
        if "orderId" in said:
            order = (found["capsuleId"], said["conversionType"], said["orderId"])
            if order in orders:
                continue
            orders.add(order)
        counted.append(found)
    return counted


def amount_of(found: Event) -> Decimal | None:
    """Null for what could be two amounts."""
    try:
        return Decimal(str(found["metadata"]["value"]))
    except (KeyError, InvalidOperation):
        return None


def money(conversions: list[Event]) -> dict[str, Decimal]:
    sums = {"euros": Decimal(0), "dollars": Decimal(0), "refunds": Decimal(0)}
    for found in conversions:
        amount = amount_of(found)
        if amount is not None:
            sums[{"EUR": "euros", "USD": "dollars"}[found["metadata"]["currency"].upper()]] += amount
            sums["refunds"] += min(amount, Decimal(0))
    return sums


def video_figures(sessions: list[list[Event]]) -> dict[str, float]:
    """Plays of clip (by play id, over sessions) and reel (one a session); a play counts second by second."""
    plays: dict[tuple[object, ...], list[Event]] = defaultdict(list)
    for number, session in enumerate(sessions):
        for found in session:
            said = found["metadata"]
            if said.get("contentId") == "clip":
                plays[found["capsuleId"], said["playId"]].append(found)
            elif said.get("contentId") == "reel":
                plays[number, "reel"].append(found)
    measured = [play_figures(sorted(play, key=lambda one: one["at"])) for play in plays.values()]
    return {
        "play_count": len(measured),
        "completed_play_count": sum(is_completed for _, is_completed in measured),
        "watched_seconds": round(sum(seconds for seconds, _ in measured), 3),
    }


def play_figures(play: list[Event]) -> tuple[float, bool]:
    """Seconds watched, and whether to the end. A second counts once, however often it was watched.

    From one position to the next is watched, but not by seeking, nor faster than at twice the speed.
    """
    length = play[0]["metadata"]["durationSeconds"]
    watched: set[int] = set()
    position_count, has_interval = 0, False
    stood, stood_at = None, play[0]["at"]
    for found in play:
        said = found["metadata"]
        place = said.get("positionSeconds", said.get("toSeconds"))
        if said["action"] != "seek":
            position_count += place is not None
            if "fromSeconds" in said:
                has_interval = True
                watched.update(range(said["fromSeconds"], said["toSeconds"]))
            elif said["action"] != "play" and place is not None and stood is not None:
                elapsed = (found["at"] - stood_at).total_seconds()
                if place - stood <= 2 * elapsed + 2:
                    watched.update(range(stood, place))
        stood, stood_at = place, found["at"]
    if has_interval or position_count > 1:
        return len(watched), len(watched) >= 0.95 * length
    is_ended = any(found["metadata"]["action"] == "complete" for found in play)
    percents = [found["metadata"]["percent"] for found in play if "percent" in found["metadata"]]
    if percents:
        return max(percents) / 100 * length, is_ended or max(percents) >= 95
    return (length if is_ended else 0), is_ended


def property_figures(events: list[Event]) -> dict[str, float]:
    """Properties of custom events; a number is one in quotes too."""
    values = [
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for found in events
        if found["eventType"] == "custom"
        for name, value in found["metadata"].items()
        if name in ("stars", "mood", "again")
    ]
    numbers = [float(text) for _, text in values if text.replace(".", "", 1).isdigit()]
    return {
        "property_count": len(values),
        "property_value_count": len(set(values)),
        "number_count": len(numbers),
        "number_sum": sum(numbers),
    }


def exact_figures(events: list[Event]) -> dict[str, float | Decimal]:
    """Headline figures over all events, bots included; sums, so that equal means equal."""
    sessions = cut_sessions(events)
    begun: dict[tuple[str, str, str], datetime] = {}
    for one in sessions:
        who = (one[0]["capsuleId"], *visitor_of(one))
        begun[who] = min(one[0]["at"], begun.get(who, one[0]["at"]))
    turns = [counted_messages(one, ("user",)) for one in sessions]
    views = [sum(found["eventType"] == "view" for found in one) for one in sessions]
    conversions = counted_conversions(events)
    continued = ("progress", "pause", "seek", "complete", "cite")
    return {
        "event_count": len(events),
        "session_count": len(sessions),
        "view_count": sum(views),
        "visitor_count": len({visitor_of(one) for one in sessions}),
        "returning_session_count": sum(
            visitor_of(one)[0] != "session" and one[0]["at"] > begun[one[0]["capsuleId"], *visitor_of(one)]
            for one in sessions
        ),
        "bot_session_count": sum(map(is_bot_session, sessions)),
        "session_seconds": round(sum((one[-1]["at"] - one[0]["at"]).total_seconds() for one in sessions), 3),
        "engaged_seconds": round(
            sum(
                min((later["at"] - earlier["at"]).total_seconds(), 60)
                for one in sessions
                for earlier, later in pairwise(one)
            ),
            3,
        ),
        "bounce_count": sum(
            count == 1 and not any(map(is_persons_action, one))
            for count, one in zip(views, sessions, strict=True)
        ),
        "turn_count": sum(turns),
        "conversation_count": sum(count > 0 for count in turns),
        "message_count": sum(counted_messages(one, ("user", "assistant")) for one in sessions),
        "content_access_count": sum(
            found["eventType"] == "content_access" and found["metadata"].get("action") not in continued
            for found in events
        ),
        "conversion_count": len(conversions),
        **money(conversions),
        **video_figures(sessions),
        **property_figures(events),
    }
