"""What a page says when there is nothing to draw, and the rows of its trend.

Why it exists: empty states are designed once, in a business user's words.
"""

from dataclasses import replace
from typing import Any

import streamlit as st

from app.answers import ask
from app.breakdowns import drawn_buckets, grain_of, has_tables
from app.format import escape_markdown, range_text
from app.queries import first_days, has_events, metric_rows
from app.view import View


def explain_no_events(view: View) -> None:
    """Stops the page, in plain words, when the chosen days and filters hold no event."""
    if ask(has_events, view.publication, view.selection):
        return
    title, text = nothing_text(view)
    with st.container(border=True):
        st.subheader(title, anchor=False)
        st.markdown(text)
    st.stop()


def nothing_text(view: View) -> tuple[str, str]:
    """Why there is nothing to see, in a heading and a sentence with the next step."""
    first_of = ask(first_days, view.publication)
    chosen = view.selection.capsules
    if chosen and not any(capsule_id in first_of for capsule_id in chosen):
        names = " and ".join(escape_markdown(view.capsule_names.get(name, name)) for name in chosen)
        return (
            "No events yet",
            f"No event of {names} has arrived. The figures appear by themselves after the first one.",
        )
    first, last = view.publication.first_event_date, view.publication.last_event_date
    days = f" Events are there from {range_text(first, last)}." if first and last else ""
    if view.selection.filters:
        return (
            "Nothing matches the filters",
            f"In this period no session matches all of them. Take one out above, or choose a longer "
            f"period.{days}",
        )
    return (
        "No events in this period",
        f"Nothing happened on the chosen days. Choose a longer period, other capsules, or count bots as "
        f"well.{days}",
    )


def explain_missing(view: View, what: str, *tables: str) -> bool:
    """Whether a mart is missing; says so where its chart would be."""
    if has_tables(view.publication, *tables):
        return False
    st.info(f"{what} are not part of this publication yet. They appear after the next full build.")
    return True


def trend_rows(view: View, metric_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The metric per bucket of time, and that of the whole earlier period (none: an empty list)."""
    grain = grain_of(view.selection)
    rows = ask(metric_rows, view.publication, view.selection, (grain,), (metric_id,))
    shown = drawn_buckets(view.publication, rows, grain, view.selection, view.earlier.is_so_far)
    if view.earlier.selection is None:
        return shown, []
    whole = replace(view.earlier.selection, until=None)
    earlier = ask(metric_rows, view.publication, whole, (grain,), (metric_id,))
    return shown, drawn_buckets(view.publication, earlier, grain, whole, is_so_far=False)


def unfiltered_note(view: View) -> None:
    """Says so where a daily rollup knows days and capsules only, and more was asked for."""
    if view.selection.filters:
        st.caption(
            "Counted over all channels, countries, devices and items: these filters do not apply here."
        )
