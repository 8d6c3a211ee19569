"""The registry of metrics: the one place that says what every number is and how it is computed.

Why it exists: the dashboard, `engagement metrics`, the exports and every "how is this computed" text
read the same entry, so that a figure cannot mean two things. Definitions repeat `METRICS.md`.
Not here: how a query is put together (`queries.py`), periods (`comparison.py`), how a number is
written for people (`format.py`).

An expression is SQL over one *relation* of `queries.RELATIONS`; over the relation `combined` it is
SQL over other measures of this registry, named by their id.
"""

from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal["count", "seconds", "rate", "number", "money"]
Direction = Literal["up", "down", "neutral"]
Relation = Literal["activity", "sessions", "conversions", "ctas", "cta_days", "content", "combined"]


@dataclass(frozen=True)
class Measure:
    """One aggregate over one relation; `is_additive` ones are 0, the others null, over no rows."""

    relation: Relation
    expression: str
    is_additive: bool = True


@dataclass(frozen=True)
class Metric:
    """A published figure. Without a `measure` its model does not exist yet: the value is null."""

    id: str
    label: str
    unit: Unit
    good: Direction
    definition: str
    measure: Measure | None

    @property
    def is_available(self) -> bool:
        """Whether the marts of this version can answer it. `revenue` has its own query."""
        return self.measure is not None or self.unit == "money"


def _ratio(numerator: str, denominator: str) -> str:
    """SQL of a fraction that is NULL, not infinite, over nothing."""
    return f"cast({numerator} as double) / nullif({denominator}, 0)"


def _percentile(share: float, column: str, condition: str) -> str:
    return f"percentile_cont({share}) within group (order by {column}) filter (where {condition})"


def _activity(expression: str) -> Measure:
    return Measure("activity", expression)


def _sessions(expression: str) -> Measure:
    return Measure("sessions", expression)


def _session_figure(expression: str) -> Measure:
    return Measure("sessions", expression, is_additive=False)


def _conversions(expression: str) -> Measure:
    return Measure("conversions", expression)


def _combined(expression: str) -> Measure:
    return Measure("combined", expression, is_additive=False)


_IS_IDENTIFIED = "visitor_tier in ('user', 'visitor')"

SUPPORTING_MEASURES: Final[dict[str, Measure]] = {
    # Parts of published figures; never published themselves.
    "identified_visitor_count": _activity(f"count(distinct visitor_key) filter (where {_IS_IDENTIFIED})"),
    "conversing_visitor_count": _activity("count(distinct visitor_key) filter (where turn_count > 0)"),
    "lead_visitor_count": _conversions("count(distinct visitor_key) filter (where is_lead)"),
}

# Sessions do not know which CTA was shown: along a CTA these figures come from its own mart. There is
# no session rate of one CTA: one that is never sent as shown has no click-through rate.
CTA_MEASURES: Final[dict[str, Measure]] = {
    "cta_impression_count": Measure("cta_days", "sum(offered_count)"),
    "cta_click_count": Measure("cta_days", "sum(clicked_count)"),
    "cta_click_through_rate": Measure(
        "cta_days", _ratio("sum(reacted_count)", "sum(offered_count)"), is_additive=False
    ),
}

METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "view_count", "Views", "count", "up",
        "Events of type view, counted on the day they happened.",
        _activity("sum(view_count)"),
    ),
    Metric(
        "unique_viewer_count", "Unique viewers", "count", "up",
        "Distinct visitors with at least one view, counted exactly for the chosen range and "
        "filters; never a sum of days.",
        _activity("count(distinct visitor_key) filter (where view_count > 0)"),
    ),
    Metric(
        "session_count", "Sessions", "count", "up",
        "The events of one session id on one capsule, cut where more than 30 minutes pass between two of "
        "them. A session belongs to the day it started.",
        _sessions("count(*)"),
    ),
    Metric(
        "visitor_count", "Visitors", "count", "up",
        "Distinct visitors with any event, counted exactly for the chosen range and filters; "
        "never a sum of days.",
        _activity("count(distinct visitor_key)"),
    ),
    Metric(
        "new_visitor_count", "New visitors", "count", "up",
        "Visitors we can recognise who have no earlier session on the same capsule anywhere in "
        "the kept history.",
        _combined("identified_visitor_count - returning_visitor_count"),
    ),
    Metric(
        "returning_visitor_count", "Returning visitors", "count", "up",
        "Visitors who have an earlier session on the same capsule anywhere in the kept history, "
        "not only inside the chosen range.",
        _activity(
            f"count(distinct visitor_key) filter (where is_returning and {_IS_IDENTIFIED})"
        ),
    ),
    Metric(
        "unknown_visitor_count", "Unknown visitors", "count", "neutral",
        "Visitors without a lasting identity: nobody can say whether they came before. New, "
        "returning and unknown visitors add up to all visitors.",
        _combined("visitor_count - identified_visitor_count"),
    ),
    Metric(
        "return_visit_rate", "Return visit rate", "rate", "up",
        "Returning visitors divided by new and returning visitors; unknown visitors are left out.",
        _combined(_ratio("returning_visitor_count", "identified_visitor_count")),
    ),
    Metric(
        "session_seconds_avg", "Average session duration", "seconds", "up",
        "Last minus first event of a session, on average. Sessions of one event count with 0.",
        _session_figure("avg(session_seconds)"),
    ),
    Metric(
        "session_seconds_median", "Median session duration", "seconds", "up",
        "Half of the sessions are at least this long, from first to last event.",
        _session_figure(_percentile(0.5, "session_seconds", "true")),
    ),
    Metric(
        "session_seconds_p90", "Session duration, 90th percentile", "seconds", "up",
        "Nine sessions in ten are at most this long, from first to last event.",
        _session_figure(_percentile(0.9, "session_seconds", "true")),
    ),
    Metric(
        "engaged_seconds_total", "Time on capsule, total", "seconds", "up",
        "Sum of the gaps between the events of a session, each gap counted up to 60 seconds.",
        _sessions("sum(engaged_seconds)"),
    ),
    Metric(
        "engaged_seconds_avg", "Time on capsule", "seconds", "up",
        "Engaged time per session: the gaps between its events, each counted up to 60 seconds.",
        _session_figure("avg(engaged_seconds)"),
    ),
    Metric(
        "bounce_count", "Bounces", "count", "down",
        "Sessions with exactly one view and no other action by the person: no message, content "
        "access, click, conversion, search, feedback or custom event.",
        _sessions("count(*) filter (where is_bounce)"),
    ),
    Metric(
        "bounce_rate", "Bounce rate", "rate", "down",
        "Bounces divided by the sessions with at least one view.",
        _session_figure(
            _ratio("count(*) filter (where is_bounce)", "count(*) filter (where view_count > 0)")
        ),
    ),
    Metric(
        "engaged_session_count", "Engaged sessions", "count", "up",
        "Sessions with at least one turn, content access or conversion, or two views, or 10 "
        "seconds of engaged time.",
        _sessions("count(*) filter (where is_engaged)"),
    ),
    Metric(
        "engagement_rate", "Engagement rate", "rate", "up",
        "Engaged sessions divided by all sessions.",
        _session_figure(_ratio("count(*) filter (where is_engaged)", "count(*)")),
    ),
    Metric(
        "turn_count", "Turns", "count", "up",
        "Messages written by the person, counted on the day they happened.",
        _activity("sum(turn_count)"),
    ),
    Metric(
        "message_count", "Messages", "count", "up",
        "Messages of the person and of the assistant; system and tool messages are left out.",
        _activity("sum(message_count)"),
    ),
    Metric(
        "turns_per_session_avg", "Turns per session", "number", "up",
        "Messages written by the person, on average over all sessions.",
        _session_figure("avg(turn_count)"),
    ),
    Metric(
        "turns_per_session_median", "Median turns per session", "number", "up",
        "Half of all sessions have at least this many turns.",
        _session_figure(_percentile(0.5, "turn_count", "true")),
    ),
    Metric(
        "conversation_count", "Conversations", "count", "up",
        "Sessions with at least one turn.",
        _sessions("count(*) filter (where turn_count > 0)"),
    ),
    Metric(
        "turns_per_conversation_avg", "Turns per conversation", "number", "up",
        "Messages written by the person, on average over the sessions with at least one turn.",
        _session_figure("avg(turn_count) filter (where turn_count > 0)"),
    ),
    Metric(
        "turns_per_conversation_median", "Median turns per conversation", "number", "up",
        "Half of the conversations have at least this many turns.",
        _session_figure(_percentile(0.5, "turn_count", "turn_count > 0")),
    ),
    Metric(
        "messages_per_conversation_avg", "Messages per conversation", "number", "up",
        "Messages of the person and of the assistant, on average over conversations.",
        _session_figure("avg(message_count) filter (where turn_count > 0)"),
    ),
    Metric(
        "reply_seconds_median", "Median reply time", "seconds", "down",
        "From a message of the person to the first assistant message after it in the session.",
        None,
    ),
    Metric(
        "content_access_count", "Content accesses", "count", "up",
        "Documents, videos, links and other content items opened by a person; citations by the "
        "assistant are counted apart.",
        _activity("sum(content_access_count)"),
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
        "search_count", "Searches", "count", "up",
        "Searches made inside capsules, counted on the day they happened.",
        _activity("sum(search_count)"),
    ),
    Metric(
        "zero_result_rate", "Searches without a result", "rate", "down",
        "Searches that found nothing divided by all searches.",
        Measure(
            "activity",
            _ratio("sum(zero_result_search_count)", "sum(search_count)"),
            is_additive=False,
        ),
    ),
    Metric(
        "video_play_count", "Video plays", "count", "up",
        "Distinct plays of a video.",
        None,
    ),
    Metric(
        "video_completion_rate", "Video completion rate", "rate", "up",
        "Plays of which 95 % was watched divided by all plays; skipping to the end is not "
        "watching.",
        None,
    ),
    Metric(
        "cta_impression_count", "CTA impressions", "count", "neutral",
        "Times a call to action was shown.",
        _activity("sum(cta_impression_count)"),
    ),
    Metric(
        "cta_click_count", "CTA clicks", "count", "up",
        "Clicks on calls to action, counted on the day they happened.",
        _activity("sum(cta_click_count)"),
    ),
    Metric(
        "cta_click_through_rate", "CTA click-through rate", "rate", "up",
        "Clicks divided by impressions where a capsule sends impressions, else sessions with a "
        "click divided by sessions with a view. Never above 1.",
        Measure(
            "ctas",
            _ratio("sum(reacted_count)", "sum(offered_count)"),
            is_additive=False,
        ),
    ),
    Metric(
        "conversion_count", "Conversions", "count", "up",
        "Conversion events and CTA clicks; the same order of the same type counts once.",
        _conversions("count(*)"),
    ),
    Metric(
        "converting_visitor_count", "Converting visitors", "count", "up",
        "Distinct visitors with at least one conversion.",
        _conversions("count(distinct visitor_key)"),
    ),
    Metric(
        "conversion_rate", "Conversion rate", "rate", "up",
        "Distinct converting visitors divided by distinct visitors.",
        _combined(_ratio("converting_visitor_count", "visitor_count")),
    ),
    Metric(
        "lead_count", "Leads", "count", "up",
        "Conversions whose type is a lead, as listed in the seed conversion_types.",
        _conversions("count(*) filter (where is_lead)"),
    ),
    Metric(
        "lead_capture_rate", "Lead capture rate", "rate", "up",
        "Visitors with a lead divided by visitors with at least one turn.",
        _combined(_ratio("lead_visitor_count", "conversing_visitor_count")),
    ),
    Metric(
        "seconds_to_conversion_median", "Median time to conversion", "seconds", "down",
        "From the start of the converting session to the visitor's first conversion of the "
        "chosen range.",
        Measure(
            "conversions",
            _percentile(0.5, "seconds_from_session_start", "visitor_conversion_number = 1"),
            is_additive=False,
        ),
    ),
    Metric(
        "revenue", "Revenue", "money", "up",
        "Sum of conversion values per currency, never mixed; refunds are negative.",
        None,
    ),
)  # fmt: skip

METRICS_BY_ID: Final[dict[str, Metric]] = {metric.id: metric for metric in METRICS}
METRIC_IDS: Final[tuple[str, ...]] = tuple(METRICS_BY_ID)


def measure_of(measure_id: str, *, is_by_cta: bool = False) -> Measure | None:
    """The measure of a metric or of a supporting measure; None while its model is missing."""
    if is_by_cta and measure_id in CTA_MEASURES:
        return CTA_MEASURES[measure_id]
    if measure_id in SUPPORTING_MEASURES:
        return SUPPORTING_MEASURES[measure_id]
    return METRICS_BY_ID[measure_id].measure
