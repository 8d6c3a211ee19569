"""Overview: how the chosen capsules are doing, and what changed."""

import streamlit as st

from app.answers import ask
from app.charts import bars
from app.downloads import download_menu
from app.guards import explain_no_events
from app.insights import insights
from app.key_figures import (
    all_figures,
    card,
    draw_chart,
    key_figures,
    ranking_chart,
    ranking_note,
    ranking_rows,
    tell_insight,
    trend_chart,
)
from app.live_strip import live_strip
from app.metrics import METRICS_BY_ID
from app.tabs import FIGURES, TRENDS
from app.view import current_view

# On a phone three fill the first screen.
TOLD_AT_ONCE = 3

view = current_view()
live_strip(view)
explain_no_events(view)

with card(
    "What changed",
    "The seven whole days before the newest event against the seven before, beyond chance.",
    ["insights"],
):
    found = ask(insights, view.publication, view.selection)
    for row in found[:TOLD_AT_ONCE]:
        tell_insight(view, row)
    if not found:
        st.markdown("Nothing changed by more than chance, or there were too few sessions to tell.")
    if more := found[TOLD_AT_ONCE:]:
        with st.expander(f"{len(more)} more"):
            for row in more:
                tell_insight(view, row)

key_figures(view, FIGURES["Overview"])

with card("Trend", downloads=["over_time"]):
    metric_id = st.segmented_control(
        "Figure",
        TRENDS,
        default=TRENDS[0],
        required=True,
        format_func=lambda name: METRICS_BY_ID[name].label,
        label_visibility="collapsed",
        key="trend_metric",
        persist_state="session",
    )
    trend_chart(view, METRICS_BY_ID[metric_id])

channels, channel_count = ranking_rows(view, "channel", ("session_count",))
capsules, capsule_count = ranking_rows(view, "capsule", ("view_count",), view.capsule_names)
longest = max(len(channels), len(capsules))
with st.grid(2, min_column_width=320):
    with card(
        "Where sessions come from", ranking_note(len(channels), channel_count, "channels"), ["by_channel"]
    ):
        ranking_chart(
            bars(channels, "name", "session_count", "Sessions", beside=longest, picks="channel"),
            "channel",
            "Sessions by channel, the largest first",
        )
    with card("Most viewed capsules", ranking_note(len(capsules), capsule_count, "capsules"), ["by_capsule"]):
        draw_chart(
            bars(capsules, "name", "view_count", "Views", beside=longest),
            alt="Views by capsule, the largest first",
        )


@st.fragment
def figures_on_demand() -> None:
    """All figures cost more than the rest of the page, so they are asked for when this is opened."""
    opened = st.expander("All figures and what they mean", key="all_figures", on_change="rerun")
    if opened.open:
        with opened:
            download_menu(view, "All figures", ["figures"])
            all_figures(view)


figures_on_demand()
