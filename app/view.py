"""What is on the screen: the publication, the period and filters, and how they live in the URL.

Why it exists: the filter row is drawn once, by the entry point, and every page reads the same
`View`. Filters are read from the URL when a browser session begins and written back at every run,
so that a copied link shows a colleague the same figures, on every tab.
Not here: SQL and arithmetic (`queries.py`, `breakdowns.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, cast

import streamlit as st

from app.access import Refusal
from app.answers import ask
from app.breakdowns import capsule_names, country_names
from app.comparison import EarlierPeriod, a_year_before, local_day
from app.content_over_time import content_titles
from app.filter_options import FILTER_KEYS, SESSION_KEYS, filter_options
from app.format import escape_markdown, name_text, range_text
from app.publications import Publication
from app.queries import period_before
from app.scope import Scope
from app.selection import FIRST_YEAR, LAST_YEAR, OPENED_CONTENT, Bots, Comparing, Selection

PERIODS: Final = ("7 days", "30 days", "90 days", "1 year", "Custom")
DEFAULT_PERIOD: Final = "30 days"
PERIOD_DAYS: Final = {"7 days": 7, "30 days": 30, "90 days": 90}
CODE_OF_PERIOD: Final = {
    "7 days": "7d", "30 days": "30d", "90 days": "90d", "1 year": "12m", "Custom": "custom",
}  # fmt: skip
COMPARE_LABELS: Final[dict[Comparing, str]] = {
    "previous": "Previous period",
    "year": "Same days last year",
    "none": "Nothing",
}
BOTS_LABELS: Final[dict[Bots, str]] = {
    "exclude": "Left out",
    "include": "Counted as well",
    "only": "Only bots",
}
FILTERS: Final = ("period", "days", "capsules", "compare", "bots", *FILTER_KEYS)
LONGEST_NAME: Final = 60
NAMES_SHOWN: Final = 3
MOST_VALUES: Final = 50

MayRead = Callable[[], Scope | Refusal]


@dataclass(frozen=True)
class View:
    """Everything a page needs to ask its questions. `may_read` says what its reader may see by now."""

    publication: Publication
    selection: Selection
    comparing: Comparing
    earlier: EarlierPeriod
    capsule_names: dict[str, str]
    may_read: MayRead

    @property
    def period_text(self) -> str:
        text = range_text(self.selection.date_from, self.selection.date_to)
        return f"{text}, so far" if self.earlier.is_so_far else text


def show_view(view: View) -> None:
    st.session_state["view"] = view


def current_view() -> View:
    """The view that the entry point put together in this run."""
    return cast(View, st.session_state["view"])


def choose_view(publication: Publication, may_read: MayRead) -> View:
    """Draws the filter row and returns what it says, as a checked selection."""
    names = ask(capsule_names, publication)
    _begin_with_url(publication)
    _explain_unknown_capsules(publication, names)
    with st.container(horizontal=True, vertical_alignment="center", key="filters"):
        st.segmented_control(
            "Period",
            PERIODS,
            key="period",
            required=True,
            width="content",
            wrap=True,
            label_visibility="collapsed",
        )
        if st.session_state["period"] == "Custom":
            st.date_input(
                "Days",
                key="days",
                min_value=date(FIRST_YEAR, 1, 1),
                max_value=date(LAST_YEAR, 12, 31),
                format="YYYY-MM-DD",
                width=250,
                label_visibility="collapsed",
            )
        st.multiselect(
            "Capsules",
            list(names),
            key="capsules",
            format_func=lambda capsule_id: names.get(capsule_id, capsule_id),
            placeholder="All capsules",
            width=240,
            label_visibility="collapsed",
        )
        _more_filters(publication)
        with st.popover("Compare and bots", width="content"):
            st.selectbox(
                "Compare with",
                tuple(COMPARE_LABELS),
                key="compare",
                format_func=COMPARE_LABELS.__getitem__,
            )
            st.selectbox(
                "Sessions of bots", tuple(BOTS_LABELS), key="bots", format_func=BOTS_LABELS.__getitem__
            )
    date_from, date_to = _remember(publication)
    selection = Selection(
        date_from,
        date_to,
        tuple(sorted(st.session_state["capsules"])),
        filters={key: tuple(sorted(st.session_state[key])) for key in FILTER_KEYS if st.session_state[key]},
        bots=st.session_state["bots"],
    )
    comparing: Comparing = st.session_state["compare"]
    earlier = ask(period_before, publication, selection, comparing)
    return View(publication, selection, comparing, earlier, names, may_read)


def _more_filters(publication: Publication) -> None:
    """Channel, country and device behind one button that says how many of them are set."""
    options = ask(filter_options, publication)
    names = filter_names(publication)
    chosen = sum(bool(st.session_state[key]) for key in FILTER_KEYS)
    with st.popover(f"Filters ({chosen})" if chosen else "Filters", width="content"):
        for key in FILTER_KEYS:
            st.multiselect(
                name_text(key),
                # A value of a link that is not here stays chosen: it then shows that nothing matches.
                [*options[key], *(value for value in st.session_state[key] if value not in options[key])],
                key=key,
                format_func=lambda value, known=names[key]: known.get(value, name_text(value)),
                placeholder="All",
            )


def filter_names(publication: Publication) -> dict[str, dict[str, str]]:
    """Per filter, the names of values that are not read as they are stored."""
    return {
        "country": ask(country_names, publication),
        OPENED_CONTENT: ask(content_titles, publication),
    } | {key: {} for key in SESSION_KEYS if key != "country"}


def active_filters(view: View) -> None:
    """One button for each value that narrows the view; pressing it takes the value out again."""
    names = filter_names(view.publication)
    with st.container(horizontal=True, gap="small", key="active_filters"):
        for key, values in view.selection.filters.items():
            for value in values:
                label = escape_markdown(names[key].get(value, name_text(value))[:LONGEST_NAME])
                st.button(
                    f"{name_text(key)}: {label}  ✕",
                    key=f"remove_{key}_{value}",
                    help=f"No longer filter by {name_text(key).lower()} {label}",
                    on_click=_stop_filtering,
                    args=(key, value),
                )


def _stop_filtering(key: str, value: str) -> None:
    known = st.session_state["filters"]
    kept = [one for one in known[key] if one != value]
    st.session_state["filters"] = {**known, key: kept}
    st.session_state[key] = kept


def filter_by(key: str, value: str) -> None:
    """Adds one value to a filter, for the next run: what a click on a chart or a row does."""
    known = st.session_state["filters"]
    chosen = [*known[key], value] if value not in known[key] else known[key]
    st.session_state["filters"] = {**known, key: chosen}
    st.session_state[key] = chosen


def period_days(period: str, newest: date) -> tuple[date, date]:
    """First and last day of a preset that ends on the day of the newest event."""
    if period == "1 year":
        return a_year_before(newest) + timedelta(days=1), newest
    return newest - timedelta(days=PERIOD_DAYS[period] - 1), newest


def _chosen_days(publication: Publication) -> tuple[date, date]:
    period = st.session_state["period"]
    if period != "Custom":
        return period_days(period, local_day(publication))
    days = st.session_state["days"]
    # While the second day of a range is being picked there is only one.
    return (days[0], days[-1]) if days else period_days(DEFAULT_PERIOD, local_day(publication))


def _remember(publication: Publication) -> tuple[date, date]:
    """Keeps the filters for the next run and in the address; returns the chosen days."""
    st.session_state["filters"] = {name: st.session_state[name] for name in FILTERS}
    date_from, date_to = _chosen_days(publication)
    _write_url(date_from, date_to)
    return date_from, date_to


def _begin_with_url(publication: Publication) -> None:
    """Sets the filters: from a shared link at first, then to what they were before this run.

    Streamlit forgets a widget that the browser has not drawn (the closed popover's, the days of a
    period that is not custom) when the tab changes; `filters` is not a widget's and stays.
    """
    remembered: dict[str, Any] = st.session_state.get("filters") or _filters_of_url(publication)
    for name, value in remembered.items():
        st.session_state[name] = st.session_state.get(name, value)


def _filters_of_url(publication: Publication) -> dict[str, Any]:
    """The filters of a link; a period, comparison or choice of bots that does not exist is ignored."""
    url = st.query_params
    period_of = {code: period for period, code in CODE_OF_PERIOD.items()}
    days = _days_of_url(url.get("from"), url.get("to"))
    period = period_of.get(url.get("period", ""), "Custom" if days else DEFAULT_PERIOD)
    return {
        "period": period,
        "days": days or period_days(DEFAULT_PERIOD, local_day(publication)),
        "capsules": url.get_all("capsule"),
        "compare": _one_of(url.get("compare"), list(COMPARE_LABELS)),
        "bots": _one_of(url.get("bots"), list(BOTS_LABELS)),
        **{key: url.get_all(key)[:MOST_VALUES] for key in FILTER_KEYS},
    }


def _explain_unknown_capsules(publication: Publication, names: dict[str, str]) -> None:
    """Stops the page when the link names only capsules that are not here: others would mislead.

    A capsule can also vanish with a publication (erasure, retention). Its filter stays in the
    address, because the capsule may come with the next publication.
    """
    chosen = st.session_state["capsules"]
    unknown = [capsule_id for capsule_id in chosen if capsule_id not in names]
    if not unknown:
        return
    with st.container(border=True):
        st.subheader(
            "The capsule of this link is not here"
            if len(chosen) == 1
            else "Some capsules of this link are not here",
            anchor=False,
        )
        listed = ", ".join(escape_markdown(capsule_id[:LONGEST_NAME]) for capsule_id in unknown[:NAMES_SHOWN])
        st.markdown(
            f"No event of {listed} is part of these figures. The name may be misspelt, its first "
            "event may not have arrived, or it was removed. No other capsule is shown instead."
        )
        known = [capsule_id for capsule_id in chosen if capsule_id in names]
        st.button(
            "Show the other capsules of the link" if known else "Show all capsules",
            on_click=_choose_capsules,
            args=(known,),
        )
    _remember(publication)
    st.stop()


def _choose_capsules(capsule_ids: list[str]) -> None:
    st.session_state["capsules"] = capsule_ids
    st.query_params.pop("capsule", None)


def _one_of(value: str | None, options: Sequence[str]) -> str:
    return value if value is not None and value in options else options[0]


def _days_of_url(first: str | None, last: str | None) -> tuple[date, date] | None:
    try:
        days = date.fromisoformat(first or ""), date.fromisoformat(last or "")
    except ValueError:
        return None
    return days if days[0].year >= FIRST_YEAR and days[0] <= days[1] and days[1].year <= LAST_YEAR else None


def _write_url(date_from: date, date_to: date) -> None:
    """The filters that differ from the defaults, so that the usual address stays short."""
    state = st.session_state
    is_custom = state["period"] == "Custom"
    wanted: dict[str, Any] = {
        "period": None if state["period"] == DEFAULT_PERIOD else CODE_OF_PERIOD[state["period"]],
        "from": date_from.isoformat() if is_custom else None,
        "to": date_to.isoformat() if is_custom else None,
        "capsule": state["capsules"] or None,
        "compare": None if state["compare"] == "previous" else state["compare"],
        "bots": None if state["bots"] == "exclude" else state["bots"],
        **{key: state[key] or None for key in FILTER_KEYS},
    }
    for name, value in wanted.items():
        if value is None:
            if name in st.query_params:
                del st.query_params[name]
        elif st.query_params.get_all(name) != (value if isinstance(value, list) else [value]):
            st.query_params[name] = value
