"""The filters of the view and how they live in the address: what a link says, and what is written back.

Streamlit's session state is the place where the filters are between two runs.
Not here: how they are drawn (`view.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, cast

import streamlit as st

from app.comparison import a_year_before, local_day
from app.filter_options import FILTER_KEYS
from app.publications import Publication
from app.selection import FIRST_YEAR, LAST_YEAR, Bots, Comparing

PERIODS: Final = ("7 days", "30 days", "90 days", "1 year", "Custom")
DEFAULT_PERIOD: Final = "30 days"
PERIOD_DAYS: Final = {"7 days": 7, "30 days": 30, "90 days": 90}
CODE_OF_PERIOD: Final = {
    "7 days": "7d", "30 days": "30d", "90 days": "90d", "1 year": "12m", "Custom": "custom",
}  # fmt: skip
OWN_DAYS: Final = "own"
COMPARE_LABELS: Final[dict[str, str]] = {
    "previous": "Previous period",
    "year": "Same days last year",
    OWN_DAYS: "As many days from …",
    "none": "Nothing",
}
BOTS_LABELS: Final[dict[Bots, str]] = {
    "exclude": "Left out",
    "include": "Counted as well",
    "only": "Only bots",
}
FILTERS: Final = ("period", "days", "capsules", "compare", "compare_from", "bots", *FILTER_KEYS)
MOST_VALUES: Final = 50


def chosen_comparison() -> Comparing:
    chosen = st.session_state["compare"]
    return cast(Comparing, st.session_state["compare_from"] if chosen == OWN_DAYS else chosen)


def period_days(period: str, newest: date) -> tuple[date, date]:
    """First and last day of a preset that ends on the day of the newest event."""
    if period == "1 year":
        return a_year_before(newest) + timedelta(days=1), newest
    return newest - timedelta(days=PERIOD_DAYS[period] - 1), newest


def chosen_days(publication: Publication) -> tuple[date, date]:
    period = st.session_state["period"]
    if period != "Custom":
        return period_days(period, local_day(publication))
    days = st.session_state["days"]
    # While the second day of a range is being picked there is only one.
    return (days[0], days[-1]) if days else period_days(DEFAULT_PERIOD, local_day(publication))


def filters_of_url(publication: Publication) -> dict[str, Any]:
    """The filters of a link. What can't be read is what it usually is: `unread_parts` says so."""
    url = st.query_params
    period_of = {code: period for period, code in CODE_OF_PERIOD.items()}
    days = _days_of_url(url.get("from"), url.get("to"))
    own = _day_of_url(url.get("compare"))
    period = period_of.get(url.get("period", ""), "Custom" if days else DEFAULT_PERIOD)
    return {
        "period": period,
        "days": days or period_days(DEFAULT_PERIOD, local_day(publication)),
        "capsules": [value for value in url.get_all("capsule") if value],
        "compare": OWN_DAYS if own else _one_of(url.get("compare"), list(COMPARE_LABELS)),
        # As far as nobody chooses, half a year ago: far from what the others compare with.
        "compare_from": own or local_day(publication) - timedelta(days=182),
        "bots": _one_of(url.get("bots"), list(BOTS_LABELS)),
        **{key: [value for value in url.get_all(key) if value][:MOST_VALUES] for key in FILTER_KEYS},
    }


def unread_parts(url: Mapping[str, str]) -> list[str]:
    """What a link says of period, days, comparison and bots that can't be read, in words."""
    period, compare, bots = (url.get(name) for name in ("period", "compare", "bots"))
    is_preset = period in CODE_OF_PERIOD.values() and period != CODE_OF_PERIOD["Custom"]
    has_days = any(name in url for name in ("from", "to")) or period == CODE_OF_PERIOD["Custom"]
    return [
        words
        for words, is_unread in (
            ("period", period is not None and period not in CODE_OF_PERIOD.values()),
            ("days", has_days and not is_preset and _days_of_url(url.get("from"), url.get("to")) is None),
            (
                "comparison",
                compare is not None and compare not in COMPARE_LABELS and not _day_of_url(compare),
            ),
            ("choice of bots", bots is not None and bots not in BOTS_LABELS),
        )
        if is_unread
    ]


def _one_of(value: str | None, options: Sequence[str]) -> str:
    return value if value is not None and value in options else options[0]


def _days_of_url(first: str | None, last: str | None) -> tuple[date, date] | None:
    days = _day_of_url(first), _day_of_url(last)
    return (days[0], days[1]) if days[0] and days[1] and days[0] <= days[1] else None


def _day_of_url(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def write_url(date_from: date, date_to: date) -> None:
    """The filters that differ from the defaults, so that the usual address stays short."""
    state = st.session_state
    is_custom = state["period"] == "Custom"
    comparing = chosen_comparison()
    wanted: dict[str, Any] = {
        "period": None if state["period"] == DEFAULT_PERIOD else CODE_OF_PERIOD[state["period"]],
        "from": date_from.isoformat() if is_custom else None,
        "to": date_to.isoformat() if is_custom else None,
        "capsule": state["capsules"] or None,
        "compare": None if comparing == "previous" else str(comparing),
        "bots": None if state["bots"] == "exclude" else state["bots"],
        **{key: state[key] or None for key in FILTER_KEYS},
    }
    for name, value in wanted.items():
        if value is None:
            if name in st.query_params:
                del st.query_params[name]
        elif st.query_params.get_all(name) != (value if isinstance(value, list) else [value]):
            st.query_params[name] = value
