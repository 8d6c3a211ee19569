"""The registry of metrics: the one place that says what every number is and how it is computed.

Why it exists: the dashboard, `engagement metrics`, the exports and every "how is this computed" text
read the same entry, so that a figure cannot mean two things. Definitions repeat `METRICS.md`.
Not here: how a query is put together (`queries.py`), periods (`comparison.py`), how a number is
written for people (`format.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from app.measures import (
    IS_IDENTIFIED,
    SUPPORTING_MEASURES,
    Measure,
    activity,
    combined,
    conversions,
    first_conversions,
    measure_along,
    percentile,
    ratio,
    session_figure,
    sessions,
)

Unit = Literal["count", "seconds", "rate", "number", "money"]
Direction = Literal["up", "down", "neutral"]


@dataclass(frozen=True)
class Metric:
    """A published figure; `revenue`, per currency, has a query of its own and no measure.

    `on_card` is its name where a label would not fit: a card on a phone shows about 20 letters of it.
    """

    id: str
    label: str
    unit: Unit
    good: Direction
    definition: str
    measure: Measure | None
    on_card: str = ""


METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "view_count", "Views", "count", "up",
        "Events of type view, counted on the day they happened.",
        activity("sum(view_count)"),
    ),
    Metric(
        "unique_viewer_count", "Unique viewers", "count", "up",
        "Distinct visitors with at least one view, counted exactly for the chosen range and "
        "filters; never a sum of days.",
        activity("count(distinct visitor_key) filter (where view_count > 0)"),
    ),
    Metric(
        "session_count", "Sessions", "count", "up",
        "The events of one session id on one capsule, cut where more than 30 minutes pass between two of "
        "them. A session belongs to the day it started.",
        sessions("count(*)"),
    ),
    Metric(
        "visitor_count", "Visitors", "count", "up",
        "Distinct visitors with any event, counted exactly for the chosen range and filters; "
        "never a sum of days.",
        activity("count(distinct visitor_key)"),
    ),
    Metric(
        "new_visitor_count", "New visitors", "count", "up",
        "Visitors we can recognise who have no earlier session on the same capsule anywhere in "
        "the kept history.",
        combined("identified_visitor_count - returning_visitor_count"),
    ),
    Metric(
        "returning_visitor_count", "Returning visitors", "count", "up",
        "Visitors who have an earlier session on the same capsule anywhere in the kept history, "
        "not only inside the chosen range.",
        activity(
            f"count(distinct visitor_key) filter (where is_returning and {IS_IDENTIFIED})"
        ),
    ),
    Metric(
        "unknown_visitor_count", "Unknown visitors", "count", "neutral",
        "Visitors without a lasting identity: nobody can say whether they came before. New, "
        "returning and unknown visitors add up to all visitors.",
        combined("visitor_count - identified_visitor_count"),
    ),
    Metric(
        "return_visit_rate", "Return visit rate", "rate", "up",
        "Returning visitors divided by new and returning visitors; unknown visitors are left out.",
        combined(ratio("returning_visitor_count", "identified_visitor_count")),
    ),
    Metric(
        "session_seconds_avg", "Average session duration", "seconds", "up",
        "Last minus first event of a session, on average. Sessions of one event count with 0.",
        session_figure("avg(session_seconds)"),
        on_card="Average session",
    ),
    Metric(
        "session_seconds_median", "Median session duration", "seconds", "up",
        "Half of the sessions are at least this long, from first to last event.",
        session_figure(percentile(0.5, "session_seconds")),
        on_card="Median session",
    ),
    Metric(
        "session_seconds_p90", "Session duration, 90th percentile", "seconds", "up",
        "Nine sessions in ten are at most this long, from first to last event.",
        session_figure(percentile(0.9, "session_seconds")),
    ),
    Metric(
        "engaged_seconds_total", "Time on capsule, total", "seconds", "up",
        "Sum of the gaps between the events of a session, each gap counted up to 60 seconds.",
        sessions("sum(engaged_seconds)"),
    ),
    Metric(
        "engaged_seconds_avg", "Time on capsule", "seconds", "up",
        "Engaged time per session: the gaps between its events, each counted up to 60 seconds.",
        session_figure("avg(engaged_seconds)"),
    ),
    Metric(
        "bounce_count", "Bounces", "count", "down",
        "Sessions with exactly one view and no other action by the person: no message, content "
        "access, click, conversion, search, feedback or custom event.",
        sessions("count(*) filter (where is_bounce)"),
    ),
    Metric(
        "bounce_rate", "Bounce rate", "rate", "down",
        "Bounces divided by the sessions with at least one view.",
        session_figure(
            ratio("count(*) filter (where is_bounce)", "count(*) filter (where view_count > 0)")
        ),
    ),
    Metric(
        "engaged_session_count", "Engaged sessions", "count", "up",
        "Sessions with at least one turn, content access or conversion, or two views, or 10 "
        "seconds of engaged time.",
        sessions("count(*) filter (where is_engaged)"),
    ),
    Metric(
        "engagement_rate", "Engagement rate", "rate", "up",
        "Engaged sessions divided by all sessions.",
        session_figure(ratio("count(*) filter (where is_engaged)", "count(*)")),
    ),
    Metric(
        "turn_count", "Turns", "count", "up",
        "Messages written by the person, counted on the day they happened.",
        activity("sum(turn_count)"),
    ),
    Metric(
        "message_count", "Messages", "count", "up",
        "Messages of the person and of the assistant; system and tool messages are left out.",
        activity("sum(message_count)"),
    ),
    Metric(
        "turns_per_session_avg", "Turns per session", "number", "up",
        "Messages written by the person, on average over all sessions.",
        session_figure("avg(turn_count)"),
    ),
    Metric(
        "turns_per_session_median", "Median turns per session", "number", "up",
        "Half of all sessions have at least this many turns.",
        session_figure(percentile(0.5, "turn_count")),
    ),
    Metric(
        "turns_per_session_p90", "Turns per session, 90th percentile", "number", "up",
        "Nine sessions in ten have at most this many turns.",
        session_figure(percentile(0.9, "turn_count")),
    ),
    Metric(
        "conversation_count", "Conversations", "count", "up",
        "Sessions with at least one turn.",
        sessions("count(*) filter (where turn_count > 0)"),
    ),
    Metric(
        "turns_per_conversation_avg", "Turns per conversation", "number", "up",
        "Messages written by the person, on average over the sessions with at least one turn.",
        session_figure("avg(turn_count) filter (where turn_count > 0)"),
        on_card="Conversation turns",
    ),
    Metric(
        "turns_per_conversation_median", "Median turns per conversation", "number", "up",
        "Half of the conversations have at least this many turns.",
        session_figure(percentile(0.5, "turn_count", "turn_count > 0")),
    ),
    Metric(
        "turns_per_conversation_p90", "Turns per conversation, 90th percentile", "number", "up",
        "Nine conversations in ten have at most this many turns.",
        session_figure(percentile(0.9, "turn_count", "turn_count > 0")),
    ),
    Metric(
        "messages_per_conversation_avg", "Messages per conversation", "number", "up",
        "Messages of the person and of the assistant, on average over conversations.",
        session_figure("avg(message_count) filter (where turn_count > 0)"),
    ),
    Metric(
        "reply_seconds_median", "Median reply time", "seconds", "down",
        "From a message of the person to the first assistant message after it in the session.",
        Measure("turns", percentile(0.5, "reply_seconds"), is_additive=False),
    ),
    Metric(
        "reply_seconds_p95", "Reply time, 95th percentile", "seconds", "down",
        "Nineteen replies in twenty came within this time after the message of the person.",
        Measure("turns", percentile(0.95, "reply_seconds"), is_additive=False),
    ),
    Metric(
        "content_access_count", "Content accesses", "count", "up",
        "Documents, videos, links and other content items opened by a person; citations by the "
        "assistant are counted apart.",
        activity("sum(content_access_count)"),
    ),
    Metric(
        "content_item_count", "Content items used", "count", "up",
        "Distinct content items that a person opened.",
        Measure(
            "content",
            "count(distinct (capsule_id, content_id)) filter (where not is_citation)",
        ),
    ),
    Metric(
        "accessing_session_count", "Sessions that opened content", "count", "up",
        "Distinct sessions in which a person opened a content item, counted exactly for the chosen range.",
        Measure("content", "count(distinct session_key) filter (where not is_citation)"),
    ),
    Metric(
        "accessing_visitor_count", "Visitors who opened content", "count", "up",
        "Distinct visitors who opened a content item, counted exactly for the chosen range; never a sum "
        "of days.",
        Measure("content", "count(distinct visitor_key) filter (where not is_citation)"),
    ),
    Metric(
        "citation_count", "Citations", "count", "neutral",
        "Content items cited by the assistant; a person opened none of them by that.",
        activity("sum(citation_count)"),
    ),
    Metric(
        "search_count", "Searches", "count", "up",
        "Searches made inside capsules, counted on the day they happened.",
        activity("sum(search_count)"),
    ),
    Metric(
        "zero_result_rate", "Searches without a result", "rate", "down",
        "Searches that found nothing divided by all searches.",
        Measure(
            "activity",
            ratio("sum(zero_result_search_count)", "sum(search_count)"),
            is_additive=False,
        ),
        on_card="Empty searches",
    ),
    Metric(
        "followed_search_rate", "Searches that led to content", "rate", "up",
        "Searches after which the person opened a content item in the same session, divided by all "
        "searches.",
        Measure(
            "searches",
            ratio("count(*) filter (where is_followed_by_access)", "count(*)"),
            is_additive=False,
        ),
    ),
    Metric(
        "video_play_count", "Video plays", "count", "up",
        "Distinct plays of a video.",
        Measure("videos", "count(*)"),
    ),
    Metric(
        "video_completion_rate", "Video completion rate", "rate", "up",
        "Plays of which 95% was watched divided by all plays; skipping to the end is not "
        "watching.",
        Measure(
            "videos", ratio("count(*) filter (where is_completed)", "count(*)"), is_additive=False
        ),
    ),
    Metric(
        "video_watched_seconds_avg", "Watched per play", "seconds", "up",
        "Length of the union of the watched parts of a video, on average over the plays of which it "
        "is known.",
        Measure("videos", "avg(watched_seconds)", is_additive=False),
    ),
    Metric(
        "cta_impression_count", "CTA impressions", "count", "neutral",
        "Times a call to action was shown.",
        activity("sum(cta_impression_count)"),
    ),
    Metric(
        "cta_click_count", "CTA clicks", "count", "up",
        "Clicks on calls to action, counted on the day they happened.",
        activity("sum(cta_click_count)"),
    ),
    Metric(
        "cta_click_through_rate", "CTA click-through rate", "rate", "up",
        "Clicks divided by impressions where a capsule sends impressions in the range, else sessions with a "
        "click divided by sessions with a view; the basis says which. Never above 1.",
        Measure(
            "ctas",
            ratio("sum(reacted_count)", "sum(offered_count)"),
            is_additive=False,
        ),
    ),
    Metric(
        "conversion_count", "Conversions", "count", "up",
        "Conversion events and CTA clicks; the same order of the same type counts once.",
        conversions("count(*)"),
    ),
    Metric(
        "converting_visitor_count", "Converting visitors", "count", "up",
        "Distinct visitors with at least one conversion.",
        conversions("count(distinct visitor_key)"),
    ),
    Metric(
        "conversion_rate", "Conversion rate", "rate", "up",
        "Distinct converting visitors divided by distinct visitors.",
        combined(ratio("converting_visitor_count", "visitor_count")),
    ),
    Metric(
        "lead_count", "Leads", "count", "up",
        "Conversions whose type is a lead, as listed in the seed conversion_types.",
        conversions("count(*) filter (where is_lead)"),
    ),
    Metric(
        "lead_capture_rate", "Lead capture rate", "rate", "up",
        "Visitors with at least one turn and a lead divided by the visitors with at least one turn, both in "
        "the chosen range. Never above 1.",
        combined(ratio("lead_visitor_count", "conversing_visitor_count")),
    ),
    Metric(
        "seconds_to_conversion_median", "Median time to conversion", "seconds", "down",
        "From the start of the converting session to the visitor's first conversion of the "
        "chosen range.",
        first_conversions(percentile(0.5, "seconds_from_session_start")),
        on_card="Time to conversion",
    ),
    Metric(
        "seconds_to_conversion_p75", "Time to conversion, 75th percentile", "seconds", "down",
        "From the start of the converting session to the visitor's first conversion of the chosen "
        "range, for three visitors in four at most.",
        first_conversions(percentile(0.75, "seconds_from_session_start")),
    ),
    Metric(
        "seconds_to_conversion_p90", "Time to conversion, 90th percentile", "seconds", "down",
        "From the start of the converting session to the visitor's first conversion of the chosen "
        "range, for nine visitors in ten at most.",
        first_conversions(percentile(0.9, "seconds_from_session_start")),
    ),
    Metric(
        "seconds_to_conversion_avg", "Time to conversion, average", "seconds", "down",
        "From the start of the converting session to the visitor's first conversion of the chosen "
        "range, on average.",
        first_conversions("avg(seconds_from_session_start)"),
    ),
    Metric(
        "seconds_from_first_touch_median", "First touch to conversion, median", "seconds", "down",
        "From the visitor's first event on the capsule within the 30 days before to the first "
        "conversion of the chosen range, for half of them at most; of visitors we can recognise.",
        first_conversions(percentile(0.5, "seconds_from_first_touch")),
    ),
    Metric(
        "seconds_from_first_touch_p75", "First touch to conversion, 75th percentile", "seconds", "down",
        "From the visitor's first event on the capsule within the 30 days before to the first "
        "conversion of the chosen range, for three in four at most; of visitors we can recognise.",
        first_conversions(percentile(0.75, "seconds_from_first_touch")),
    ),
    Metric(
        "seconds_from_first_touch_p90", "First touch to conversion, 90th percentile", "seconds", "down",
        "From the visitor's first event on the capsule within the 30 days before to the first "
        "conversion of the chosen range, for nine in ten at most; of visitors we can recognise.",
        first_conversions(percentile(0.9, "seconds_from_first_touch")),
    ),
    Metric(
        "seconds_from_first_touch_avg", "First touch to conversion, average", "seconds", "down",
        "From the visitor's first event on the capsule within the 30 days before to the first "
        "conversion of the chosen range, on average; of visitors we can recognise.",
        first_conversions("avg(seconds_from_first_touch)"),
    ),
    Metric(
        "revenue", "Revenue", "money", "up",
        "Sum of conversion values per currency, never mixed; refunds are negative.",
        None,
    ),
    Metric(
        "custom_event_count", "Custom events", "count", "neutral",
        "Events of type custom, counted on the day they happened.",
        activity("sum(custom_event_count)"),
    ),
)  # fmt: skip

METRICS_BY_ID: Final[dict[str, Metric]] = {metric.id: metric for metric in METRICS}
METRIC_IDS: Final[tuple[str, ...]] = tuple(METRICS_BY_ID)


def measure_of(measure_id: str, along: Collection[str] = ()) -> Measure | None:
    """The measure of a metric or of a supporting measure, along the dimensions of keys and filters.

    None for `revenue`, which has a query of its own.
    """
    swapped = measure_along(measure_id, along)
    if swapped is not None:
        return swapped
    if measure_id in SUPPORTING_MEASURES:
        return SUPPORTING_MEASURES[measure_id]
    return METRICS_BY_ID[measure_id].measure
