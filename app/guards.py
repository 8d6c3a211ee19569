"""What a page says when there is nothing to draw, and the rows of its trend.

Why it exists: empty states are designed once, in a business user's words.
"""

from dataclasses import replace
from typing import Any

import streamlit as st

from app.answers import ask
from app.breakdowns import drawn_buckets, grain_of, has_tables
from app.queries import has_events, metric_rows
from app.view import View


def explain_no_events(view: View) -> None:
    """Stops the page, in plain words, when the chosen days and filters hold no event."""
    if ask(has_events, view.publication, view.selection):
        return
    first = view.publication.first_event_date
    last = view.publication.last_event_date
    with st.container(border=True):
        st.subheader("No events in this period", anchor=False)
        st.markdown(
            f"Nothing happened between the chosen days for this selection. Events are there from "
            f"{first} to {last}: choose a longer period, other capsules, or count bots as well."
        )
    st.stop()


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
