"""Aggregates over the marts: what the metrics of the registry are computed with.

Why it exists: a metric may be answered from another mart when it is cut along something only that mart
knows (a call to action, a content item, a query); the swap is written down here, once.
Not here: what a metric means (`metrics.py`), how a query is put together (`statements.py`).

An expression is SQL over one *relation* of `statements.RELATIONS`; over the relation `combined` it is
SQL over other measures, named by their id.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Relation = Literal[
    "activity", "sessions", "conversions", "first_conversions", "leads", "ctas", "cta_hours", "content",
    "turns", "topic_turns", "searches", "videos", "custom_events", "combined",
]  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """One aggregate over one relation; `is_additive` ones are 0, the others null, over no rows."""

    relation: Relation
    expression: str
    is_additive: bool = True


def ratio(numerator: str, denominator: str) -> str:
    """SQL of a fraction that is NULL, not infinite, over nothing."""
    return f"cast({numerator} as double) / nullif({denominator}, 0)"


def percentile(share: float, column: str, condition: str = "") -> str:
    """SQL of a percentile that interpolates between its two neighbours."""
    only = f" filter (where {condition})" if condition else ""
    return f"percentile_cont({share}) within group (order by {column}){only}"


def activity(expression: str) -> Measure:
    return Measure("activity", expression)


def sessions(expression: str) -> Measure:
    return Measure("sessions", expression)


def session_figure(expression: str) -> Measure:
    return Measure("sessions", expression, is_additive=False)


def conversions(expression: str) -> Measure:
    return Measure("conversions", expression)


def first_conversions(expression: str) -> Measure:
    """Over each visitor's first conversion of the selection."""
    return Measure("first_conversions", expression, is_additive=False)


def combined(expression: str) -> Measure:
    return Measure("combined", expression, is_additive=False)


IS_IDENTIFIED: Final = "visitor_tier in ('user', 'visitor')"

# What a click-through rate is of; `mixed` where one capsule sends impressions and another does not.
CTR_BASIS: Final = (
    "case when bool_and(sends_impressions) filter (where offered_count > 0) then 'impressions' "
    "when not bool_or(sends_impressions) filter (where offered_count > 0) then 'sessions' "
    "when count(*) filter (where offered_count > 0) > 0 then 'mixed' end"
)

# Parts of published figures; never published themselves.
SUPPORTING_MEASURES: Final[dict[str, Measure]] = {
    "identified_visitor_count": activity(f"count(distinct visitor_key) filter (where {IS_IDENTIFIED})"),
    "conversing_visitor_count": activity("count(distinct visitor_key) filter (where turn_count > 0)"),
    "lead_visitor_count": Measure("leads", "count(distinct visitor_key) filter (where is_lead)"),
    # What a conversion rate is of: along a kind of conversion or CTA, all visitors of the selection.
    "rated_visitor_count": combined("case when converting_visitor_count is not null then visitor_count end"),
    "ctr_basis": Measure("ctas", CTR_BASIS, is_additive=False),
}

# Sessions do not know which CTA was shown: along a CTA these figures come from its own mart.
CTA_MEASURES: Final[dict[str, Measure]] = {
    "cta_impression_count": Measure("cta_hours", "sum(impression_count)"),
    "cta_click_count": Measure("cta_hours", "sum(click_count)"),
    "ctr_basis": Measure("cta_hours", CTR_BASIS, is_additive=False),
    "cta_click_through_rate": Measure(
        "cta_hours", ratio("sum(reacted_count)", "sum(offered_count)"), is_additive=False
    ),
}
CONTENT_MEASURES: Final[dict[str, Measure]] = {
    "content_access_count": Measure("content", "count(*) filter (where not is_citation)"),
    "citation_count": Measure("content", "count(*) filter (where is_citation)"),
}
SEARCH_MEASURES: Final[dict[str, Measure]] = {
    "search_count": Measure("searches", "count(*)"),
    "zero_result_rate": Measure(
        "searches", ratio("count(*) filter (where is_zero_result)", "count(*)"), is_additive=False
    ),
}
TURN_MEASURES: Final[dict[str, Measure]] = {"turn_count": Measure("topic_turns", "count(*)")}
CUSTOM_EVENT_MEASURES: Final[dict[str, Measure]] = {
    "custom_event_count": Measure("custom_events", "count(*)")
}
# Dimension (of a key or a filter) → the measures that take the place of the registry's along it.
MEASURES_ALONG: Final[Mapping[str, Mapping[str, Measure]]] = {
    "cta_type": CTA_MEASURES,
    "cta_id": CTA_MEASURES,
    "content": CONTENT_MEASURES,
    "content_type": CONTENT_MEASURES,
    "search_query": SEARCH_MEASURES,
    "topic": TURN_MEASURES,
    "event_name": CUSTOM_EVENT_MEASURES,
}


def measure_along(measure_id: str, along: Collection[str]) -> Measure | None:
    """What takes the place of a measure along these dimensions; None where nothing does."""
    for dimension in along:
        if measure_id in MEASURES_ALONG.get(dimension, {}):
            return MEASURES_ALONG[dimension][measure_id]
    return None
