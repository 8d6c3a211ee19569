"""What is on the screen: the publication, the period and filters, and how they live in the URL.

Why it exists: the filter row is drawn once, by the entry point, and every page reads the same
`View`. Filters are read from the URL when a browser session begins and written back at every run,
so that a copied link shows a colleague the same figures, on every tab.
Not here: SQL and arithmetic (`queries.py`, `breakdowns.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

import streamlit as st

from app.access import Refusal
from app.answers import ask
from app.breakdowns import capsule_names, country_names
from app.comparison import EarlierPeriod
from app.content_over_time import content_titles
from app.filter_options import FILTER_KEYS, SESSION_KEYS, filter_options
from app.format import escape_markdown, name_text, range_text
from app.publications import Publication
from app.queries import period_before
from app.scope import Scope
from app.selection import FIRST_YEAR, LAST_YEAR, OPENED_CONTENT, Comparing, Selection
from app.view_address import (
    BOTS_LABELS,
    COMPARE_LABELS,
    FILTERS,
    OWN_DAYS,
    PERIODS,
    chosen_comparison,
    chosen_days,
    filters_of_url,
    unread_parts,
    write_url,
)

LONGEST_NAME: Final = 60
NAMES_SHOWN: Final = 3

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
            if st.session_state["compare"] == OWN_DAYS:
                st.date_input(
                    "First day to compare with",
                    key="compare_from",
                    min_value=date(FIRST_YEAR, 1, 1),
                    max_value=date(LAST_YEAR, 12, 31),
                    format="YYYY-MM-DD",
                )
            st.selectbox(
                "Sessions of bots", tuple(BOTS_LABELS), key="bots", format_func=BOTS_LABELS.__getitem__
            )
    date_from, date_to = _remember(publication)
    _explain_unread_link()
    selection = Selection(
        date_from,
        date_to,
        tuple(sorted(st.session_state["capsules"])),
        filters={key: tuple(sorted(st.session_state[key])) for key in FILTER_KEYS if st.session_state[key]},
        bots=st.session_state["bots"],
    )
    comparing = chosen_comparison()
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
                format_func=lambda value, key=key: value_name(key, value, names),
                placeholder="All",
            )


def filter_names(publication: Publication) -> dict[str, dict[str, str]]:
    """Per filter, the names of values that are not read as they are stored."""
    return {
        "country": ask(country_names, publication),
        OPENED_CONTENT: ask(content_titles, publication),
    } | {key: {} for key in SESSION_KEYS if key != "country"}


def value_name(key: str, value: str, names: Mapping[str, Mapping[str, str]]) -> str:
    """A value of a filter as people read it; an unknown country or item stays as it is written."""
    return names[key].get(value, name_text(value) if key in ("channel", "device") else value)


def active_filters(view: View) -> None:
    """One button for each value that narrows the view; pressing it takes the value out again."""
    names = filter_names(view.publication)
    with st.container(horizontal=True, gap="small", key="active_filters"):
        for key, values in view.selection.filters.items():
            for value in values:
                label = escape_markdown(value_name(key, value, names)[:LONGEST_NAME])
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


def _remember(publication: Publication) -> tuple[date, date]:
    """Keeps the filters for the next run and in the address; returns the chosen days."""
    st.session_state["filters"] = {name: st.session_state[name] for name in FILTERS}
    date_from, date_to = chosen_days(publication)
    write_url(date_from, date_to)
    return date_from, date_to


def _begin_with_url(publication: Publication) -> None:
    """Sets the filters: from a shared link at first, then to what they were before this run.

    Streamlit forgets a widget that the browser has not drawn (the closed popover's, the days of a
    period that is not custom) when the tab changes; `filters` is not a widget's and stays.
    """
    if "filters" not in st.session_state:
        st.session_state["unread"] = unread_parts(st.query_params)
        st.session_state["unread_with"] = None
    remembered: dict[str, Any] = st.session_state.get("filters") or filters_of_url(publication)
    for name, value in remembered.items():
        st.session_state[name] = st.session_state.get(name, value)


def _explain_unread_link() -> None:
    """Says what of the link could not be read, until another filter is chosen: its sender saw others."""
    state = st.session_state
    chosen = state["filters"]
    if state.get("unread") and state["unread_with"] in (None, chosen):
        state["unread_with"] = chosen
        parts = " and the ".join(state["unread"])
        st.warning(f"The {parts} of this link could not be read, so the usual ones are shown.")


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
