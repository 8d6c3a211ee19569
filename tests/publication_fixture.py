"""A publication written by hand: two weeks, two capsules, seven sessions, four conversions.

Why it exists: figures of the app are checked against numbers worked out on paper, without the
pipeline. The rows are those of a finished mart, so nothing here knows how they were computed.

    week of 2 March 2026     s5 (guide, user-1, 2 turns)   s6 (guide, daily-0, bounce)
    week of 9 March 2026     s1 (guide, user-1, returns, 3 turns, click and sale)
                             s2 (guide, daily-1, bounce)
                             s3 (guide, visitor-1, over midnight, a lead)   s4 (onboarding, user-1, click)
                             s9 (guide, a bot)
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

ACTIVITY_COUNTS = (
    "event_count", "view_count", "turn_count", "message_count", "content_access_count",
    "citation_count", "search_count", "zero_result_search_count", "cta_impression_count",
    "cta_click_count", "conversion_count", "lead_count", "custom_event_count",
)  # fmt: skip
SESSION_COUNTS = (
    "event_count", "view_count", "turn_count", "message_count", "assistant_message_count",
    "system_message_count", "content_access_count", "search_count", "cta_impression_count",
    "cta_click_count", "conversion_count", "lead_count", "feedback_count", "custom_event_count",
)  # fmt: skip
ORIGIN = dict.fromkeys(("channel", "source", "campaign", "country", "device", "browser", "os"), "varchar")
WHO = {"visitor_key": "varchar", "visitor_tier": "varchar", "is_bot": "boolean"}

TABLES: dict[str, dict[str, str]] = {
    "session_activity_hourly": {
        "session_key": "varchar", "capsule_id": "varchar", **WHO, "is_returning": "boolean",
        **ORIGIN, "session_date": "date", "activity_hour_at": "timestamp", "activity_date": "date",
        **dict.fromkeys(ACTIVITY_COUNTS, "bigint"),
    },
    "session_activity_minutely": {
        "session_key": "varchar", "capsule_id": "varchar", **WHO, **ORIGIN, "event_count": "bigint",
        "view_count": "bigint", "activity_minute_at": "timestamp", "event_date": "date",
    },
    "fct_sessions": {
        "session_key": "varchar", "capsule_id": "varchar", **WHO, "started_at": "timestamp",
        "ended_at": "timestamp", "session_date": "date", **ORIGIN, "session_seconds": "double",
        "engaged_seconds": "double", **dict.fromkeys(SESSION_COUNTS, "bigint"),
        "is_bounce": "boolean", "is_engaged": "boolean", "is_returning": "boolean",
        "is_conversation": "boolean", "bot_reason": "varchar", "consent": "varchar",
    },
    "fct_conversions": {
        "conversion_key": "varchar", "capsule_id": "varchar", "session_key": "varchar", **WHO,
        "converted_at": "timestamp", "conversion_date": "date", "conversion_type": "varchar",
        "cta_id": "varchar", "cta_type": "varchar", "amount": "decimal(18,4)",
        "currency": "varchar", "seconds_from_session_start": "double",
        "seconds_from_first_touch": "double", "is_lead": "boolean", "is_cta_click": "boolean",
        **ORIGIN,
    },
    "cta_performance_daily": {
        "capsule_id": "varchar", "cta_id": "varchar", "cta_type": "varchar",
        "impression_count": "bigint", "click_count": "bigint", "conversion_count": "bigint",
        "is_bot": "boolean", "activity_date": "date",
    },
    "cta_activity_hourly": {
        "session_key": "varchar", "capsule_id": "varchar", **WHO, **ORIGIN, "cta_id": "varchar",
        "cta_type": "varchar", "impression_count": "bigint", "click_count": "bigint",
        "conversion_count": "bigint", "activity_hour_at": "timestamp", "activity_date": "date",
    },
    "fct_turns": {
        "turn_key": "varchar", "capsule_id": "varchar", "session_key": "varchar", **WHO, **ORIGIN,
        "topic": "varchar", "turn_number": "bigint", "reply_seconds": "double",
        "is_answered": "boolean", "is_last_turn": "boolean", "asked_at": "timestamp",
        "session_hour_at": "timestamp", "activity_date": "date", "session_date": "date",
    },
    "fct_conversations": {
        "session_key": "varchar", "capsule_id": "varchar", **WHO, **ORIGIN,
        "last_content_id": "varchar", "last_topic": "varchar", "last_speaker": "varchar",
        "turn_count": "bigint", "is_finished": "boolean", "is_last_turn_unanswered": "boolean",
        "started_at": "timestamp", "session_date": "date",
    },
    "fct_searches": {
        "search_key": "varchar", "capsule_id": "varchar", "session_key": "varchar", **WHO, **ORIGIN,
        "search_query": "varchar", "result_count": "bigint", "is_zero_result": "boolean",
        "is_followed_by_access": "boolean", "searched_at": "timestamp",
        "activity_hour_at": "timestamp", "activity_date": "date",
    },
    "fct_video_plays": {
        "play_key": "varchar", "capsule_id": "varchar", "content_id": "varchar",
        "content_type": "varchar", "session_key": "varchar", **WHO, **ORIGIN,
        "watched_seconds": "double", "duration_seconds": "double", "watched_share": "double",
        "furthest_share": "double", "is_completed": "boolean", "played_at": "timestamp",
        "activity_hour_at": "timestamp", "activity_date": "date",
    },
    "fct_funnel_steps": {
        "session_key": "varchar", "capsule_id": "varchar", **WHO, **ORIGIN, "scope": "varchar",
        "step": "varchar", "step_number": "bigint", "seconds_to_step": "double",
        "entered_at": "timestamp", "entry_date": "date",
    },
    "revenue_attribution": {
        "conversion_key": "varchar", "capsule_id": "varchar", "model": "varchar",
        "currency": "varchar", "channel": "varchar", "source": "varchar", "campaign": "varchar",
        "credit": "decimal(18,4)", "credit_share": "decimal(18,9)", "is_bot": "boolean",
        "conversion_date": "date",
    },
    "revenue_daily": {
        "capsule_id": "varchar", "currency": "varchar", "conversion_type": "varchar",
        "conversion_count": "bigint", "amount": "decimal(18,4)", "refund_amount": "decimal(18,4)",
        "is_bot": "boolean", "conversion_date": "date",
    },
    "fct_custom_events": {
        "event_key": "varchar", "capsule_id": "varchar", "session_key": "varchar", **WHO, **ORIGIN,
        "event_name": "varchar", "properties": "varchar", "occurred_at": "timestamp",
        "activity_date": "date",
    },
    "fct_custom_event_properties": {
        "event_key": "varchar", "capsule_id": "varchar", "session_key": "varchar", **WHO, **ORIGIN,
        "event_name": "varchar", "property_name": "varchar", "text_value": "varchar",
        "number_value": "double", "occurred_at": "timestamp", "activity_date": "date",
    },
    "insights": {
        "insight_key": "varchar", "capsule_id": "varchar", "metric": "varchar",
        "direction": "varchar", "sentence": "varchar", "recommendation": "varchar",
        "evidence": "varchar", "link": "varchar", "p_value": "double", "insight_rank": "bigint",
        "period_from": "date", "period_to": "date",
    },
    "content_status": {
        "content_key": "varchar", "capsule_id": "varchar", "content_id": "varchar",
        "content_title": "varchar", "content_type": "varchar", "access_count": "bigint",
        "is_catalogued": "boolean", "is_unused": "boolean", "is_cold": "boolean",
        "published_at": "timestamp", "last_accessed_at": "timestamp",
    },
    "fct_content_accesses": {
        "capsule_id": "varchar", "content_id": "varchar", "session_key": "varchar", **WHO,
        "content_type": "varchar", "is_citation": "boolean", "accessed_at": "timestamp",
        "activity_hour_at": "timestamp", "activity_date": "date", **ORIGIN,
    },
    "dim_capsules": {
        "capsule_id": "varchar", "capsule_name": "varchar", "owner_name": "varchar",
        "created_at": "timestamp", "first_event_at": "timestamp", "last_event_at": "timestamp",
        "is_catalogued": "boolean",
    },
    "dim_content": {
        "content_key": "varchar", "capsule_id": "varchar", "content_id": "varchar",
        "content_title": "varchar", "content_type": "varchar", "published_at": "timestamp",
        "duration_seconds": "double", "first_accessed_at": "timestamp",
        "last_accessed_at": "timestamp", "access_count": "bigint", "is_catalogued": "boolean",
    },
    "ingestion_daily": {
        "load_date": "date", "capsule_id": "varchar", "received_count": "bigint",
        "accepted_count": "bigint", "duplicate_count": "bigint", "rejected_count": "bigint",
        "suppressed_count": "bigint",
    },
    "rejected_daily": {
        "load_date": "date", "capsule_id": "varchar", "reason": "varchar", "field": "varchar",
        "rejected_count": "bigint",
    },
    "rejected_lines": {
        "file_id": "bigint", "line_number": "bigint", "file_kind": "varchar", "file_name": "varchar",
        "reason": "varchar", "field": "varchar", "excerpt": "varchar", "load_date": "date",
        "loaded_at": "timestamp",
    },
    "event_files": {
        "file_id": "bigint", "file_name": "varchar", "status": "varchar", "refused_reason": "varchar",
        "received_count": "bigint", "accepted_count": "bigint", "duplicate_count": "bigint",
        "rejected_count": "bigint", "suppressed_count": "bigint", "loaded_at": "timestamp",
    },
}  # fmt: skip

SEARCH = {
    "channel": "search", "source": "google", "country": "DE", "device": "desktop",
    "browser": "Firefox", "os": "Linux",
}  # fmt: skip
DIRECT = {"channel": "direct", "country": "US", "device": "mobile", "browser": "Safari", "os": "iOS"}
EMAIL = {
    "channel": "email", "source": "newsletter", "campaign": "spring", "country": "DE",
    "device": "mobile", "browser": "Chrome", "os": "Android",
}  # fmt: skip
BOT = {"channel": "unknown", "country": "unknown", "device": "bot", "browser": "unknown"}
USER_1 = {"visitor_key": "user-1", "visitor_tier": "user"}
VISITOR_1 = {"visitor_key": "visitor-1", "visitor_tier": "visitor"}
DAILY_0 = {"visitor_key": "daily-0", "visitor_tier": "daily"}
DAILY_1 = {"visitor_key": "daily-1", "visitor_tier": "daily"}
CRAWLER = {"visitor_key": "crawler", "visitor_tier": "session"}


def session(
    key: str,
    capsule_id: str,
    started_at: str,
    session_seconds: float,
    engaged_seconds: float,
    hours: Mapping[str, Mapping[str, int]],
    **facts: Any,
) -> dict[str, Any]:
    """A session with the counts of each of its UTC hours; `hours` adds up to the session's counts."""
    counts = {
        name: sum(hour.get(name, 0) for hour in hours.values())
        for name in {name for hour in hours.values() for name in hour}
    }
    return {
        "session_key": key, "capsule_id": capsule_id, "started_at": started_at,
        "session_date": started_at[:10], "session_seconds": session_seconds,
        "engaged_seconds": engaged_seconds, "hours": hours, "is_bot": False,
        "is_returning": False, "is_bounce": False, "is_engaged": True, "consent": "unknown",
        "is_conversation": counts.get("turn_count", 0) > 0, **counts, **facts,
    }  # fmt: skip


SESSIONS = [
    session("s5", "guide", "2026-03-02 08:00:00", 300, 100,
            {"2026-03-02 08:00": {"view_count": 1, "turn_count": 2, "message_count": 4}},
            **USER_1, **SEARCH),
    session("s6", "guide", "2026-03-05 20:00:00", 0, 0,
            {"2026-03-05 20:00": {"view_count": 1}},
            is_bounce=True, is_engaged=False, **DAILY_0, **DIRECT),
    session("s1", "guide", "2026-03-09 10:00:00", 600, 120,
            {"2026-03-09 10:00": {
                "view_count": 1, "turn_count": 3, "message_count": 6, "content_access_count": 1,
                "search_count": 1, "zero_result_search_count": 1, "cta_impression_count": 2,
                "cta_click_count": 1, "conversion_count": 2}},
            is_returning=True, consent="given", **USER_1, **SEARCH),
    session("s2", "guide", "2026-03-09 11:00:00", 0, 0,
            {"2026-03-09 11:00": {"view_count": 1}},
            consent="refused", is_bounce=True, is_engaged=False, **DAILY_1, **DIRECT),
    session("s3", "guide", "2026-03-11 23:50:00", 1200, 90,
            {"2026-03-11 23:00": {"view_count": 1, "turn_count": 1, "message_count": 1},
             "2026-03-12 00:00": {"message_count": 1, "cta_impression_count": 2,
                                  "conversion_count": 1, "lead_count": 1}},
            **VISITOR_1, **SEARCH),
    session("s4", "onboarding", "2026-03-12 09:00:00", 60, 40,
            {"2026-03-12 09:00": {"view_count": 2, "content_access_count": 1,
                                  "cta_click_count": 1, "conversion_count": 1}},
            **USER_1, **EMAIL),
    session("s9", "guide", "2026-03-10 03:00:00", 5, 5,
            {"2026-03-10 03:00": {"view_count": 1}}, is_bot=True, is_bounce=True,
            is_engaged=False, bot_reason="user_agent", **CRAWLER, **BOT),
]  # fmt: skip


def conversion(key: str, session_key: str, converted_at: str, **facts: Any) -> dict[str, Any]:
    origin = next(found for found in SESSIONS if found["session_key"] == session_key)
    return {
        **{name: origin.get(name) for name in ("capsule_id", "is_bot", *WHO, *ORIGIN)},
        "conversion_key": key, "session_key": session_key, "converted_at": converted_at,
        "conversion_date": converted_at[:10], "is_lead": False, "is_cta_click": False, **facts,
    }  # fmt: skip


CLICK = {"conversion_type": "cta_click", "cta_type": "demo", "is_cta_click": True}
CONVERSIONS = [
    conversion("c1", "s1", "2026-03-09 10:05:00", seconds_from_session_start=300,
               seconds_from_first_touch=612300,  # since s5
               cta_id="book-demo", **CLICK),
    conversion("c2", "s1", "2026-03-09 10:08:00", seconds_from_session_start=480,
               conversion_type="sale", amount="49.90", currency="EUR"),
    conversion("c3", "s3", "2026-03-12 00:05:00", seconds_from_session_start=900,
               seconds_from_first_touch=900,
               conversion_type="signup", is_lead=True, amount="10", currency="USD"),
    conversion("c4", "s4", "2026-03-12 09:00:30", seconds_from_session_start=30,
               cta_id="see-plans", **CLICK),
]  # fmt: skip


def access(session_key: str, content_id: str, accessed_at: str, is_citation: bool = False) -> dict[str, Any]:
    origin = next(found for found in SESSIONS if found["session_key"] == session_key)
    return {
        **{name: origin.get(name) for name in ("capsule_id", *WHO, *ORIGIN)},
        "content_id": content_id, "session_key": session_key, "is_citation": is_citation,
        "accessed_at": accessed_at, "activity_hour_at": f"{accessed_at[:13]}:00:00",
        "activity_date": accessed_at[:10],
    }  # fmt: skip


CONTENT_ACCESSES = [
    access("s1", "pricing", "2026-03-09 10:03:00"),
    access("s3", "security", "2026-03-11 23:52:00", is_citation=True),
    access("s4", "pricing", "2026-03-12 09:00:20"),  # of another capsule: another item
]


def of_session(session_key: str, **facts: Any) -> dict[str, Any]:
    """A row that carries who and where from of its session."""
    origin = next(found for found in SESSIONS if found["session_key"] == session_key)
    return {
        **{name: origin.get(name) for name in ("capsule_id", *WHO, *ORIGIN, "session_date")},
        "session_key": session_key, **facts,
    }  # fmt: skip


def in_hour(session_key: str, hour: str, **facts: Any) -> dict[str, Any]:
    """A row of the UTC hour `YYYY-MM-DD HH`."""
    return of_session(session_key, activity_hour_at=f"{hour}:00:00", activity_date=hour[:10], **facts)


def turn(
    session_key: str, number: int, reply_seconds: float | None, topic: str, asked_on: str = ""
) -> dict[str, Any]:
    """A turn of a session, on the day that it started unless another is named."""
    origin = next(found for found in SESSIONS if found["session_key"] == session_key)
    return of_session(
        session_key, turn_key=f"{session_key}-{number}", topic=topic, turn_number=number,
        reply_seconds=reply_seconds, is_answered=reply_seconds is not None,
        session_hour_at=f"{origin['started_at'][:13]}:00:00",
        asked_at=origin["started_at"], activity_date=asked_on or origin["session_date"],
    )  # fmt: skip


CTA_HOURS = [
    in_hour("s1", "2026-03-09 10", cta_id="book-demo", cta_type="demo", impression_count=2,
            click_count=1, conversion_count=1),
    in_hour("s3", "2026-03-12 00", cta_id="book-demo", cta_type="demo", impression_count=2,
            click_count=0, conversion_count=0),
    in_hour("s4", "2026-03-12 09", cta_id="see-plans", cta_type="demo", impression_count=0,
            click_count=1, conversion_count=1),
]  # fmt: skip
TURNS = [
    turn("s1", 1, 2.0, "prices"),
    turn("s1", 2, 4.0, "unknown"),
    turn("s1", 3, None, "prices"),
    turn("s3", 1, 10.0, "setup"),
]
CONVERSATIONS = [
    of_session("s1", last_content_id="pricing", last_topic="prices", last_speaker="user", turn_count=3,
               is_finished=True, is_last_turn_unanswered=True, started_at="2026-03-09 10:00:00"),
    of_session("s3", last_content_id="security", last_topic="setup", last_speaker="assistant",
               turn_count=1, is_finished=True, is_last_turn_unanswered=False,
               started_at="2026-03-11 23:50:00"),
    of_session("s5", last_content_id="unknown", last_topic="prices", last_speaker="assistant",
               turn_count=2, is_finished=False, is_last_turn_unanswered=False,
               started_at="2026-03-02 08:00:00"),
]  # fmt: skip
SEARCHES = [
    in_hour("s1", "2026-03-09 10", search_key="q1", search_query="refund", result_count=0,
            is_zero_result=True, is_followed_by_access=True, searched_at="2026-03-09 10:01:00"),
]  # fmt: skip
PLAYS = [
    in_hour("s1", "2026-03-09 10", play_key="p1", content_id="tour", content_type="video",
            watched_seconds=95, duration_seconds=100, watched_share=0.95, furthest_share=1.0,
            is_completed=True),
    in_hour("s3", "2026-03-11 23", play_key="p2", content_id="tour", content_type="video",
            watched_seconds=20, duration_seconds=100, watched_share=0.2, furthest_share=0.3,
            is_completed=False),
]  # fmt: skip


def step(scope: str, session_key: str, number: int, seconds: float) -> dict[str, Any]:
    origin = next(found for found in SESSIONS if found["session_key"] == session_key)
    return of_session(
        session_key, scope=scope, step=("view", "turn", "cta_click", "conversion")[number - 1],
        step_number=number, seconds_to_step=seconds, entered_at=origin["started_at"],
        entry_date=origin["session_date"],
    )  # fmt: skip


FUNNEL_STEPS = [
    *(step("session", key, 1, 0) for key in ("s1", "s2", "s3", "s4")),
    step("session", "s1", 2, 20), step("session", "s3", 2, 60), step("session", "s1", 3, 240),
    # user-1 enters guide and onboarding, visitor-1 and daily-1 guide.
    *(step("visitor", key, 1, 0) for key in ("s1", "s2", "s3", "s4")),
    step("visitor", "s1", 2, 20), step("visitor", "s3", 2, 60), step("visitor", "s1", 3, 240),
    step("visitor", "s1", 4, 3600),
]  # fmt: skip


def credit(conversion_key: str, model: str, channel: str, amount: str | None, share: str) -> dict[str, Any]:
    origin = next(found for found in CONVERSIONS if found["conversion_key"] == conversion_key)
    return {
        "conversion_key": conversion_key, "model": model, "channel": channel, "source": channel,
        "campaign": "unknown", "credit": amount, "credit_share": share,
        "capsule_id": origin["capsule_id"], "currency": origin.get("currency") or "unknown",
        "is_bot": False, "conversion_date": origin["conversion_date"],
    }  # fmt: skip


CREDITS = [
    credit("c2", "linear", "search", "16.63", "0.333333333"),
    credit("c2", "linear", "email", "33.27", "0.666666667"),
    credit("c2", "last_non_direct", "email", "49.90", "1"),
    credit("c3", "linear", "search", "10", "1"),
    credit("c3", "last_non_direct", "search", "10", "1"),
]
CUSTOM_EVENTS = [
    of_session("s1", event_key="x1", event_name="quiz", occurred_at="2026-03-09 10:02:00",
               activity_date="2026-03-09"),
    of_session("s4", event_key="x2", event_name="quiz", occurred_at="2026-03-12 09:00:10",
               activity_date="2026-03-12"),
    of_session("s3", event_key="x3", event_name="quiz", occurred_at="2026-03-11 23:55:00",
               activity_date="2026-03-11"),
    of_session("s3", event_key="x4", event_name="shared", occurred_at="2026-03-11 23:56:00",
               activity_date="2026-03-11"),
]  # fmt: skip


def event_property(event_key: str, name: str, text: str, number: float | None) -> dict[str, Any]:
    event = next(found for found in CUSTOM_EVENTS if found["event_key"] == event_key)
    return {**event, "property_name": name, "text_value": text, "number_value": number}


EVENT_PROPERTIES = [
    event_property("x1", "score", "10", 10), event_property("x2", "score", "40", 40),
    event_property("x3", "score", "skipped", None), event_property("x1", "level", "hard", None),
    event_property("x2", "level", "easy", None), event_property("x3", "level", "hard", None),
]  # fmt: skip
CONTENT_STATUS = [
    {"content_key": "k1", "capsule_id": "guide", "content_id": "pricing", "content_title": "Pricing",
     "content_type": "document", "is_catalogued": True, "is_unused": False, "is_cold": False,
     "last_accessed_at": "2026-03-09 10:03:00"},
    {"content_key": "k2", "capsule_id": "guide", "content_id": "faq", "content_title": "Questions",
     "content_type": "document", "is_catalogued": True, "is_unused": True, "is_cold": False,
     "published_at": "2026-03-01 23:00:00"},
    {"content_key": "k3", "capsule_id": "guide", "content_id": "news", "content_title": "News",
     "content_type": "link", "is_catalogued": True, "is_unused": False, "is_cold": False,
     "published_at": "2026-03-02 00:00:00"},
    {"content_key": "k4", "capsule_id": "guide", "content_id": "old", "content_title": "Old film",
     "content_type": "video", "is_catalogued": False, "is_unused": False, "is_cold": True,
     "last_accessed_at": "2026-01-09 10:00:00"},
]  # fmt: skip


def activity_rows(sessions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The hourly rows of sessions in a reporting zone of UTC."""
    columns = TABLES["session_activity_hourly"]
    return [
        {name: value for name, value in found.items() if name in columns}
        | dict.fromkeys(ACTIVITY_COUNTS, 0)
        | {"activity_hour_at": hour, "activity_date": hour[:10], **counts}
        for found in sessions
        for hour, counts in found["hours"].items()
    ]


def in_minute(session_key: str, minute: str, view_count: int) -> dict[str, Any]:
    """A row of the UTC minute `HH:MM` of 16 March, the day of the newest event."""
    return of_session(session_key, activity_minute_at=f"2026-03-16 {minute}:00", event_date="2026-03-16",
                      event_count=view_count + 1, view_count=view_count)  # fmt: skip


# The newest event came at 09:30. s9 is a bot.
MINUTES = [
    in_minute("s2", "09:01", 1), in_minute("s3", "09:25", 2), in_minute("s1", "09:26", 0),
    in_minute("s4", "09:30", 3), in_minute("s9", "09:29", 7),
]  # fmt: skip

ROWS: dict[str, list[dict[str, Any]]] = {
    "session_activity_hourly": activity_rows(SESSIONS),
    "fct_sessions": [
        dict.fromkeys(SESSION_COUNTS, 0)
        | {name: value for name, value in found.items() if name in TABLES["fct_sessions"]}
        for found in SESSIONS
    ],
    "fct_conversions": CONVERSIONS,
    "fct_content_accesses": CONTENT_ACCESSES,
    "cta_performance_daily": [
        {"capsule_id": "guide", "cta_id": "book-demo", "cta_type": "demo", "impression_count": 2,
         "click_count": 1, "conversion_count": 1, "is_bot": False, "activity_date": "2026-03-09"},
        {"capsule_id": "guide", "cta_id": "book-demo", "cta_type": "demo", "impression_count": 2,
         "click_count": 0, "conversion_count": 0, "is_bot": False, "activity_date": "2026-03-12"},
        {"capsule_id": "onboarding", "cta_id": "see-plans", "cta_type": "demo", "impression_count": 0,
         "click_count": 1, "conversion_count": 1, "is_bot": False, "activity_date": "2026-03-12"},
    ],
    "cta_activity_hourly": CTA_HOURS,
    "session_activity_minutely": MINUTES,
    "fct_turns": TURNS,
    "fct_conversations": CONVERSATIONS,
    "fct_searches": SEARCHES,
    "fct_video_plays": PLAYS,
    "fct_funnel_steps": FUNNEL_STEPS,
    "revenue_attribution": CREDITS,
    "revenue_daily": [
        {"capsule_id": "guide", "currency": "EUR", "conversion_type": "sale", "conversion_count": 1,
         "amount": "49.90", "refund_amount": "0", "is_bot": False, "conversion_date": "2026-03-09"},
    ],
    "fct_custom_events": CUSTOM_EVENTS,
    "fct_custom_event_properties": EVENT_PROPERTIES,
    "content_status": CONTENT_STATUS,
    "insights": [
        {"insight_key": f"i{rank}", "capsule_id": capsule_id, "metric": metric, "direction": "up",
         "sentence": f"The {metric} rose.", "recommendation": "Look.", "evidence": "40 sessions.",
         "link": "/engagement", "p_value": p_value, "insight_rank": rank,
         "period_from": "2026-03-09", "period_to": "2026-03-15"}
        for capsule_id, metric, p_value, rank in [
            ("guide", "bounce_rate", 0.001, 1), ("guide", "engagement_rate", 0.002, 2),
            ("guide", "conversion_rate", 0.004, 3), ("onboarding", "bounce_rate", 0.0001, 1),
            ("onboarding", "engagement_rate", 0.003, 2), ("onboarding", "session_count", 0.005, 3),
        ]
    ],
    "dim_capsules": [
        {"capsule_id": "guide", "capsule_name": "Sales *guide*", "owner_name": "Ada",
         "first_event_at": "2026-03-02 08:00:00", "is_catalogued": True},
        {"capsule_id": "onboarding", "first_event_at": "2026-03-12 09:00:00",
         "is_catalogued": False},
    ],
    "dim_content": [
        {"content_key": "k1", "capsule_id": "guide", "content_id": "pricing",
         "content_title": "Pricing", "content_type": "document", "access_count": 1,
         "last_accessed_at": "2026-03-09 10:03:00", "is_catalogued": True},
    ],
    "ingestion_daily": [
        {"load_date": "2026-03-12", "capsule_id": "guide", "received_count": 20,
         "accepted_count": 16, "duplicate_count": 2, "rejected_count": 1, "suppressed_count": 1},
        {"load_date": "2026-03-12", "capsule_id": None, "received_count": 1, "accepted_count": 0,
         "duplicate_count": 0, "rejected_count": 1, "suppressed_count": 0},
    ],
    "rejected_daily": [
        {"load_date": "2026-03-12", "capsule_id": "guide", "reason": "timestamp_without_offset",
         "field": "timestamp", "rejected_count": 1},
        {"load_date": "2026-03-12", "capsule_id": None, "reason": "not_json", "field": None,
         "rejected_count": 1},
    ],
    "rejected_lines": [
        {"file_id": 1, "line_number": line, "file_kind": "events", "file_name": "march.ndjson",
         "reason": reason, "field": field, "excerpt": excerpt, "load_date": "2026-03-12",
         "loaded_at": "2026-03-12 10:00:00"}
        for line, reason, field, excerpt in (
            (7, "timestamp_without_offset", "timestamp", '{"aaaaaaaaa": "9999-99-99"}'),
            (21, "not_json", None, "aaaaaa"),
        )
    ],
    "event_files": [
        {"file_id": 1, "file_name": "march.ndjson", "status": "loaded", "received_count": 21,
         "accepted_count": 16, "duplicate_count": 2, "rejected_count": 2, "suppressed_count": 1,
         "loaded_at": "2026-03-12 10:00:00"},
        {"file_id": 2, "file_name": "torn.ndjson.gz", "status": "refused",
         "refused_reason": "damaged_compression", "received_count": 0, "accepted_count": 0,
         "duplicate_count": 0, "rejected_count": 0, "suppressed_count": 0,
         "loaded_at": "2026-03-11 10:00:00"},
    ],
}  # fmt: skip


def write_publication(
    published: Path,
    publication_id: str = "20260316T100000-1",
    *,
    rows: Mapping[str, Sequence[Mapping[str, Any]]] = ROWS,
    tables: Sequence[str] = tuple(TABLES),
    published_at: str = "2026-03-16T10:00:00Z",
    as_of: str = "2026-03-16T09:30:00Z",
    timezone: str = "UTC",
    first_event_date: str = "2026-03-02",
) -> Path:
    """Writes a publication and points `CURRENT` at it; returns its folder."""
    folder = published / publication_id
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{folder / 'publication.duckdb'}' as publication")
        connection.execute("use publication")
        connection.execute("create schema marts")
        for table in tables:
            columns = TABLES[table]
            declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            connection.execute(f"create table marts.{table} ({declared})")
            for row in rows.get(table, []):
                marks = ", ".join("?" for _ in columns)
                connection.execute(
                    f"insert into marts.{table} values ({marks})", [row.get(name) for name in columns]
                )
    manifest = {
        "id": publication_id,
        "published_at": published_at,
        "as_of": as_of,
        "timezone": timezone,
        "first_event_date": first_event_date,
        "last_event_date": as_of[:10],
        "batch_id": 1,
        "accepted_count": 16,
        "tables": {table: len(rows.get(table, [])) for table in tables},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    pointer = published / "CURRENT.tmp"
    pointer.write_text(publication_id + "\n", encoding="utf-8")
    pointer.replace(published / "CURRENT")
    return folder
