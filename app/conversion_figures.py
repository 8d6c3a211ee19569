"""Conversion rates with their interval, funnels, attributed revenue: what the tab Conversions shows.

Each function answers with plain rows (dicts) for one chart or table, and an empty list when the
publication lacks the mart.
Not here: Streamlit, formatting, the registry's metrics (`queries.py`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from app.breakdowns import dict_rows, has_tables, range_conditions
from app.intervals import is_too_few, wilson_interval
from app.publications import Publication
from app.queries import metric_rows, metric_values, reference_rows
from app.relations import SESSION_DIMENSIONS, Source, conditions
from app.selection import OPENED_CONTENT, Selection, SelectionError

FunnelScope = Literal["session", "visitor"]
MODELS: Final[Mapping[str, str]] = {
    "last_non_direct": "Last touch that is not direct",
    "last": "Last touch",
    "first": "First touch",
    "linear": "All touches alike",
    "position_based": "First and last 40% each",
    "time_decay": "Halved every seven days",
}
# As a heading of a column that is not wide.
MODEL_NAMES: Final[Mapping[str, str]] = {
    "last_non_direct": "Last, not direct",
    "last": "Last touch",
    "first": "First touch",
    "linear": "Shared evenly",
    "position_based": "Both ends more",
    "time_decay": "Newer more",
}
_FUNNEL: Final = Source(
    "fct_funnel_steps", "entry_date", "date_trunc('hour', entered_at)", SESSION_DIMENSIONS
)
_TOUCH_KEYS: Final = ("channel", "source", "campaign")


def conversion_rates(
    publication: Publication, selection: Selection, by: str = "conversion_type"
) -> list[dict[str, Any]]:
    """Per value of `by`: converting visitors, visitors, rate, 95% interval, and whether these are too few.

    Along a kind of conversion or CTA the rate is over all visitors of the selection. Largest first.
    """
    session_filters = {
        name: values
        for name, values in selection.filters.items()
        if name in SESSION_DIMENSIONS or name == OPENED_CONTENT
    }
    everybody = metric_values(publication, replace(selection, filters=session_filters), ["visitor_count"])
    rows = metric_rows(publication, selection, [by], ["converting_visitor_count", "visitor_count"])
    found = []
    for row in rows:
        visitors = row["visitor_count"] if by in SESSION_DIMENSIONS else everybody["visitor_count"]
        converting = row["converting_visitor_count"] or 0
        interval = wilson_interval(converting, visitors)
        found.append(
            {
                by: row[by],
                "converting_visitor_count": converting,
                "visitor_count": visitors,
                "conversion_rate": converting / visitors if visitors else None,
                "low": interval[0] if interval else None,
                "high": interval[1] if interval else None,
                "is_too_few": is_too_few(visitors),
            }
        )
    return sorted(found, key=lambda row: (-row["converting_visitor_count"], row[by]))


def funnel_steps(
    publication: Publication, selection: Selection, scope: FunnelScope = "session"
) -> list[dict[str, Any]]:
    """The steps of the seed in order: who took them, of those that entered in the range.

    `count` are sessions, or distinct visitors within seven days of an entry; `share` is of those that
    entered, `drop_off_rate` of those that took this step and not the next (None for the last).
    """
    if not has_tables(publication, "fct_funnel_steps"):
        return []
    parameters: dict[str, Any] = {"scope": scope}
    where = conditions(_FUNNEL, selection, parameters)
    counted = "count(*)" if scope == "session" else "count(distinct visitor_key)"
    taken = {
        row["step_number"]: row
        for row in dict_rows(
            publication,
            ("step_number", "step", "count", "median_seconds_to_step"),
            f"select step_number, step, {counted}, "
            "percentile_cont(0.5) within group (order by seconds_to_step) "
            f"from marts.fct_funnel_steps where scope = $scope and {where} group by all order by step_number",
            parameters,
        )
    }
    named = reference_rows(publication, "funnel_steps", ("step_number", "step", "step_label"))
    steps = sorted(named) or [(number, row["step"], row["step"]) for number, row in taken.items()]
    if not steps:
        return []
    counts = [taken[number]["count"] if number in taken else 0 for number, _, _ in steps]
    following: list[int | None] = [*counts[1:], None]
    return [
        {
            "step_number": number,
            "step": step,
            "label": label,
            "count": count,
            "share": count / counts[0] if counts[0] else None,
            "drop_off_rate": (count - later) / count if count and later is not None else None,
            "median_seconds_to_step": taken[number]["median_seconds_to_step"] if number in taken else None,
        }
        for (number, step, label), count, later in zip(steps, counts, following, strict=True)
    ]


def attributed_revenue(
    publication: Publication, selection: Selection, model: str = "last_non_direct", by: str = "channel"
) -> list[dict[str, Any]]:
    """Per value of `by` (of the touch) and currency: credited money and conversions, in one model.

    Every row of a currency together is its revenue; conversions without a value have the currency
    None. Filters of dimensions do not apply: they are of the converting session, not of the touch.
    """
    if model not in MODELS:
        raise SelectionError(f"There is no model {model!r}. Models are {', '.join(MODELS)}.")
    if by not in _TOUCH_KEYS:
        raise SelectionError(f"A touch has no {by!r}. It has {', '.join(_TOUCH_KEYS)}.")
    if not has_tables(publication, "revenue_attribution"):
        return []
    parameters: dict[str, Any] = {"model": model}
    where = range_conditions("conversion_date", selection, parameters)
    return dict_rows(
        publication,
        (by, "currency", "credit", "conversion_credit"),
        f"select {by}, case when credit is not null then currency end as currency_key, "
        "sum(credit) as credit, sum(credit_share) "
        f"from marts.revenue_attribution where model = $model and {where} group by all "
        f"order by currency_key nulls last, credit desc nulls last, {by}",
        parameters,
    )


def revenue_days(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    """Revenue per day and currency with the refunds in it; days without any are left out."""
    if not has_tables(publication, "revenue_daily"):
        return []
    parameters: dict[str, Any] = {}
    where = range_conditions("conversion_date", selection, parameters)
    return dict_rows(
        publication,
        ("day", "currency", "amount", "refund_amount", "conversion_count"),
        "select conversion_date, currency, sum(amount), sum(refund_amount), sum(conversion_count) "
        f"from marts.revenue_daily where {where} group by all order by conversion_date, currency",
        parameters,
    )
