"""Conversions: which calls to action work, who converts, what it is worth."""

import streamlit as st

from app.breakdowns import cta_performance, grain_of
from app.charts import bars, trend, trend_points
from app.format import name_text, rate_text
from app.guards import explain_missing, explain_no_events, trend_rows
from app.key_figures import card, comparison_note, key_figures, ranking_note, ranking_rows
from app.metrics import METRICS_BY_ID
from app.view import ask, current_view

FIGURES = (
    "conversion_count", "converting_visitor_count", "conversion_rate", "lead_count",
    "lead_capture_rate", "cta_click_count", "cta_click_through_rate", "seconds_to_conversion_median",
    "revenue",
)  # fmt: skip

view = current_view()
comparison_note(view)
explain_no_events(view)

key_figures(view, FIGURES)

metric = METRICS_BY_ID["conversion_count"]
rows, earlier_rows = trend_rows(view, metric.id)
with card("Conversions over time"):
    grain = grain_of(view.selection)
    st.altair_chart(
        trend(trend_points(rows, earlier_rows, metric, grain, view.earlier.is_so_far), metric, grain),
        alt=f"Conversions over time, {view.period_text}, with the earlier period dashed",
    )

BREAKDOWNS = (
    ("conversion_type", "Kinds of conversion", "kinds", "conversion_count", "Conversions"),
    ("channel", "Conversion rate by channel", "channels", "conversion_rate", "Conversion rate"),
)
with st.grid(2, min_column_width=320):
    for key, title, plural, metric_id, label in BREAKDOWNS:
        ranked, total = ranking_rows(view, key, (metric_id,))
        with card(title, ranking_note(len(ranked), total, plural)):
            if ranked:
                st.altair_chart(
                    bars(ranked, "name", metric_id, label, METRICS_BY_ID[metric_id].unit),
                    alt=f"{label} by {key.replace('_', ' ')}, the largest first",
                )
            else:
                st.markdown("Nobody converted in this period.")

with card("Calls to action"):
    if not explain_missing(view, "Calls to action one by one", "cta_performance_daily"):
        performance = ask(cta_performance, view.publication, view.selection)
        if performance:
            st.dataframe(
                [
                    {
                        "Call to action": row["cta_id"] or "without an id",
                        "Type": name_text(row["cta_type"] or "unknown"),
                        "Capsule": view.capsule_names.get(row["capsule_id"], row["capsule_id"]),
                        "Impressions": row["impression_count"],
                        "Clicks": row["click_count"],
                        "Click-through rate": rate_text(row["click_through_rate"]),
                    }
                    for row in performance
                ],
                hide_index=True,
                column_config={
                    "Call to action": st.column_config.TextColumn(width="medium"),
                    "Impressions": st.column_config.NumberColumn(format="localized"),
                    "Clicks": st.column_config.NumberColumn(format="localized"),
                    "Click-through rate": st.column_config.TextColumn(
                        help="Clicks divided by impressions; a dash where no impressions are sent."
                    ),
                },
                alt="Calls to action with impressions, clicks and click-through rate",
            )
        else:
            st.markdown("No call to action was shown or clicked in this period.")
