"""What a reader of a number asks next: the formula in words, and where well-known tools count otherwise.

Why it exists: `docs/metrics.md` is generated from it and the registry; the registry itself stays short.
Not here: labels, definitions and SQL (`metrics.py`), the page (`metric_pages.py`).

What is said of a tool is its documented default; a sentence says why ours is different.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# The first metric of each group, in the order of the registry: a new metric belongs where it stands.
GROUP_STARTS: Final[Mapping[str, str]] = {
    "view_count": "Traffic",
    "session_seconds_avg": "Engagement",
    "turn_count": "Conversations",
    "content_access_count": "Content",
    "cta_impression_count": "Conversions",
    "custom_event_count": "Custom events",
}


@dataclass(frozen=True)
class Note:
    """`formula`: in words; `peers`: where tools differ and why ours is so. Either may be empty."""

    formula: str = ""
    peers: str = ""


_DAILY_SALTS: Final = (
    "Plausible forgets its visitors every night and adds the days up, so that a person who comes on "
    "five days is five visitors; Umami by default every month; Google Analytics 4 estimates distinct "
    "counts with HyperLogLog++. Here visitors are counted once for exactly the chosen range and filters; how "
    "surely they are recognised is shown beside it as their tier."
)
_EVER_BEFORE: Final = (
    "Matomo and Google Analytics 4 trust a cookie: cleared or refused, the person is new again, and nobody "
    "can tell. Here a visitor without a lasting identity is neither new nor returning but unknown, and the "
    "three add up to all visitors. The look into the past covers the whole kept history, not only the chosen "
    "range, so that a short range does not make everybody new."
)
_LAST_PAGE: Final = (
    "Matomo gives the last page of a visit no time, unless its heartbeat is switched on; Google Analytics 4 "
    "shows the time in the foreground that browsers report. Here only what was sent is used: the first and "
    "the last event."
)
_MANY_BOUNCES: Final = (
    "Matomo: one action in the visit. Google Analytics 4: every session that is not engaged, a different "
    "thing under the old name. Plausible and Umami: a single page viewed. A person who reads one page, asks "
    "three questions and buys would bounce in some of them. Here any action of the person prevents a "
    "bounce, and what the assistant or the page does by itself does not."
)
_ENGAGED: Final = (
    "Google Analytics 4 asks for ten seconds in the foreground, two page views or a key event. Here one "
    "message or opened document is enough too: in a capsule that is what engagement means. The time is "
    "engaged time, so that an abandoned tab does not count."
)
_PER_CONVERSATION: Final = (
    "Chat tools often divide by all chats that were opened. Both are here: over sessions, and over the "
    "conversations in which the person said something."
)
_REPLIES: Final = (
    "Help desks commonly show the first reply of a conversation only, or business hours. Here every "
    "message of the person that got a reply counts, by the clock."
)
_TIME_LAG: Final = (
    "Google Analytics 4 reports days to a key event from the first ad interaction it knows. Here both starts "
    "are given, in seconds: the session that converted, and the person's first event within 30 days."
)
_CONVERTING: Final = (
    "Google Analytics 4 has a rate per session and one per user, and its user count is estimated; shops "
    "often divide orders by sessions, which passes 100% when people buy twice. Here people are divided by "
    "people: never above 1, with a 95% interval where it is broken down."
)

NOTES: Final[Mapping[str, Note]] = {
    "view_count": Note(
        "number of events with event_type = view",
        "Many tools count a retried request again; here the same event counts once however often it is sent, "
        "and an event that arrives days late is counted on the day it happened.",
    ),
    "unique_viewer_count": Note("distinct visitors with ≥ 1 view in the range", _DAILY_SALTS),
    "session_count": Note(
        "sessions whose first event is in the range",
        "Matomo begins a new visit at midnight and with a new campaign; PostHog ends a session after 24 "
        "hours. Here neither midnight nor a campaign cuts a session: one sitting is one session. A session "
        "over 24 hours is flagged as a bot's.",
    ),
    "visitor_count": Note("distinct visitors with ≥ 1 event in the range", _DAILY_SALTS),
    "new_visitor_count": Note("visitors of tiers user and visitor − returning visitors", _EVER_BEFORE),
    "returning_visitor_count": Note(
        "distinct visitors of tiers user and visitor with a session that has an earlier one on its capsule",
        _EVER_BEFORE,
    ),
    "unknown_visitor_count": Note("visitors of tiers daily and session", _EVER_BEFORE),
    "return_visit_rate": Note("returning / (new + returning)", _EVER_BEFORE),
    "session_seconds_avg": Note("mean of (last event − first event)", _LAST_PAGE),
    "session_seconds_median": Note("middle of (last event − first event), interpolated", _LAST_PAGE),
    "session_seconds_p90": Note("90th percentile of (last event − first event), interpolated", _LAST_PAGE),
    "engaged_seconds_total": Note(
        "Σ over sessions of Σ min(gap between two events, 60 s)",
        "Snowplow counts the heartbeats of its tracker; Google Analytics 4 the foreground time a browser "
        "reports as it leaves, which some never send. Gaps of up to 60 s need no co-operation of the "
        "browser; heartbeats, when sent, make them finer.",
    ),
    "engaged_seconds_avg": Note("engaged time / sessions"),
    "bounce_count": Note("sessions with exactly one view and no action of the person", _MANY_BOUNCES),
    "bounce_rate": Note("bounces / sessions with ≥ 1 view", _MANY_BOUNCES),
    "engaged_session_count": Note(
        "sessions with ≥ 1 turn, content access or conversion, or ≥ 2 views, or ≥ 10 s engaged time",
        _ENGAGED,
    ),
    "engagement_rate": Note("engaged sessions / sessions", _ENGAGED),
    "turn_count": Note("messages with role = user, each message id once a session"),
    "message_count": Note(
        "messages with role = user or assistant",
        "Some tools count system and tool messages, which grow with the number of tools a prompt calls.",
    ),
    "turns_per_session_avg": Note("turns / sessions", _PER_CONVERSATION),
    "turns_per_session_median": Note("middle of the turns of a session", _PER_CONVERSATION),
    "turns_per_session_p90": Note(
        "90th percentile of the turns of a session, interpolated", _PER_CONVERSATION
    ),
    "conversation_count": Note("sessions with ≥ 1 turn"),
    "turns_per_conversation_avg": Note("turns / conversations", _PER_CONVERSATION),
    "turns_per_conversation_median": Note("middle of the turns of a conversation", _PER_CONVERSATION),
    "turns_per_conversation_p90": Note(
        "90th percentile of the turns of a conversation, interpolated", _PER_CONVERSATION
    ),
    "messages_per_conversation_avg": Note("messages / conversations", _PER_CONVERSATION),
    "reply_seconds_median": Note(
        "middle of (first assistant message after it − message of the person), within the session",
        _REPLIES,
    ),
    "reply_seconds_p95": Note(
        "95th percentile of (first assistant message after it − message of the person), interpolated",
        _REPLIES,
    ),
    "content_access_count": Note("openings, downloads and plays by the person"),
    "content_item_count": Note("distinct (capsule, content item) opened by the person"),
    "accessing_session_count": Note("distinct sessions with ≥ 1 content access in the range"),
    "accessing_visitor_count": Note("distinct visitors with ≥ 1 content access in the range", _DAILY_SALTS),
    "citation_count": Note(
        "content items shown in messages of the assistant, or accesses with action = cite"
    ),
    "search_count": Note("interactions with action = search"),
    "zero_result_rate": Note("searches with resultCount = 0 / searches"),
    "followed_search_rate": Note(
        "searches with a later content access in their session / searches",
        "Site-search reports often count a click on a result only. Capsules show no list of results, so any "
        "content the person opens afterwards counts.",
    ),
    "video_play_count": Note("distinct play ids, else (session, content item)"),
    "video_completion_rate": Note(
        "plays with ≥ 95% watched / plays",
        "Google Analytics 4 sends `video_complete` when the end is reached, also by a jump to it. Here "
        "the union of the watched intervals must cover 95% of the video.",
    ),
    "video_watched_seconds_avg": Note("Σ watched seconds / plays of which they are known"),
    "cta_impression_count": Note("interactions with action = cta_impression"),
    "cta_click_count": Note("interactions with action = cta_click"),
    "cta_click_through_rate": Note(
        "clicks / impressions, or sessions with a click / sessions with a view, per capsule",
        "Advertising tools divide clicks by impressions, and pass 100% when clicks are sent twice or "
        "impressions are lost. Here clicks beyond the impressions of a capsule are left out, and a capsule "
        "that sends no impressions is measured by its sessions. The basis (impressions, sessions or, of "
        "several capsules, mixed) stands beside the rate; it follows from days and capsules, never from a "
        "filter.",
    ),
    "conversion_count": Note(
        "conversion events and CTA clicks; (capsule, type, order id) once",
        "Google Analytics 4 counts key events per event or once a session, as configured; an order that is "
        "sent by the page and again by the server counts twice without care. Here the order id decides.",
    ),
    "converting_visitor_count": Note("distinct visitors with ≥ 1 conversion"),
    "conversion_rate": Note("converting visitors / visitors", _CONVERTING),
    "lead_count": Note("conversions whose type the seed conversion_types marks as a lead"),
    "lead_capture_rate": Note(
        "visitors with ≥ 1 turn and a lead / visitors with ≥ 1 turn",
        "A lead of somebody who never wrote says nothing about conversations, and could lift it above 1. "
        "Chat tools divide by chats started, so that one person with three chats weighs three times.",
    ),
    "seconds_to_conversion_median": Note(
        "middle of (first conversion of a visitor in the range − start of its session)", _TIME_LAG
    ),
    "seconds_to_conversion_p75": Note(
        "75th percentile of (first conversion of a visitor in the range − start of its session)", _TIME_LAG
    ),
    "seconds_to_conversion_p90": Note(
        "90th percentile of (first conversion of a visitor in the range − start of its session)", _TIME_LAG
    ),
    "seconds_to_conversion_avg": Note(
        "mean of (first conversion of a visitor in the range − start of its session)", _TIME_LAG
    ),
    "seconds_from_first_touch_median": Note(
        "middle of (first conversion of a visitor in the range − its first event within 30 days)",
        _TIME_LAG,
    ),
    "seconds_from_first_touch_p75": Note(
        "75th percentile of (first conversion of a visitor in the range − its first event within 30 days)",
        _TIME_LAG,
    ),
    "seconds_from_first_touch_p90": Note(
        "90th percentile of (first conversion of a visitor in the range − its first event within 30 days)",
        _TIME_LAG,
    ),
    "seconds_from_first_touch_avg": Note(
        "mean of (first conversion of a visitor in the range − its first event within 30 days)",
        _TIME_LAG,
    ),
    "revenue": Note(
        "Σ amount of conversions, per currency",
        "Google Analytics 4 converts everything into one currency with the rate of the day. Rates are not "
        "facts of the capsule, so amounts of different currencies are never added; refunds are negative, "
        "an unreadable amount is a conversion without a value.",
    ),
    "custom_event_count": Note("events with event_type = custom"),
}
