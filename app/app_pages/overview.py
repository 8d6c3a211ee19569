"""Overview: how the chosen capsules are doing, and what changed."""

import streamlit as st

from app.breakdowns import grain_of
from app.charts import bars, trend, trend_points
from app.guards import explain_no_events, trend_rows
from app.key_figures import all_figures, card, comparison_note, key_figures, ranking_note, ranking_rows
from app.metrics import METRICS_BY_ID
from app.view import current_view

FIGURES = (
    "view_count", "visitor_count", "session_count", "engagement_rate",
    "conversation_count", "turns_per_conversation_avg", "engaged_seconds_avg", "conversion_rate",
)  # fmt: skip
TRENDS = (
    "view_count", "visitor_count", "session_count", "conversation_count", "conversion_count",
    "engagement_rate",
)  # fmt: skip

view = current_view()
comparison_note(view)
explain_no_events(view)

key_figures(view, FIGURES)

with card("Trend"):
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
    metric = METRICS_BY_ID[metric_id]
    rows, earlier_rows = trend_rows(view, metric_id)
    points = trend_points(rows, earlier_rows, metric, grain_of(view.selection), view.earlier.is_so_far)
    st.altair_chart(
        trend(points, metric, grain_of(view.selection)),
        alt=f"{metric.label} over time, {view.period_text}, with the earlier period dashed",
    )
    if earlier_rows:
        st.caption(
            "Solid: this period. Dashed: the earlier one. A dotted end with a hollow point is not over yet."
        )

channels, capsules = st.columns(2)
with channels:
    ranked, total = ranking_rows(view, "channel", ("session_count",))
    with card("Where sessions come from", ranking_note(len(ranked), total, "channels")):
        st.altair_chart(
            bars(ranked, "name", "session_count", "Sessions"),
            alt="Sessions by channel, the largest first",
        )
with capsules:
    ranked, total = ranking_rows(view, "capsule", ("view_count",), view.capsule_names)
    with card("Most viewed capsules", ranking_note(len(ranked), total, "capsules")):
        st.altair_chart(
            bars(ranked, "name", "view_count", "Views"),
            alt="Views by capsule, the largest first",
        )

with st.expander("All figures and what they mean"):
    all_figures(view)
