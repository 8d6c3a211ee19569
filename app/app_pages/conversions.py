"""Conversions: which calls to action work, who converts, what it is worth."""

import streamlit as st

from app.breakdowns import cta_performance
from app.charts import bars
from app.format import name_text, rate_text
from app.guards import explain_missing, explain_no_events
from app.key_figures import (
    card,
    key_figures,
    ranking_note,
    ranking_rows,
    trend_chart,
)
from app.metrics import METRICS_BY_ID
from app.tabs import FIGURES
from app.view import ask, current_view

view = current_view()
explain_no_events(view)

key_figures(view, FIGURES["Conversions"])

with card("Conversions over time"):
    trend_chart(view, METRICS_BY_ID["conversion_count"])

BREAKDOWNS = (
    ("conversion_type", "Kinds of conversion", "kinds", "conversion_count", "Conversions"),
    ("channel", "Conversion rate by channel", "channels", "conversion_rate", "Conversion rate"),
)
ranked = [ranking_rows(view, key, (metric_id,)) for key, _, _, metric_id, _ in BREAKDOWNS]
longest = max(len(rows) for rows, _ in ranked)
with st.grid(2, min_column_width=320):
    for (key, title, plural, metric_id, label), (rows, total) in zip(BREAKDOWNS, ranked, strict=True):
        with card(title, ranking_note(len(rows), total, plural)):
            if rows:
                unit = METRICS_BY_ID[metric_id].unit
                st.altair_chart(
                    bars(rows, "name", metric_id, label, unit, beside=longest),
                    alt=f"{label} by {key.replace('_', ' ')}, the largest first",
                )
            else:
                st.markdown("Nobody converted in this period.")

with card("Calls to action"):
    if not explain_missing(view, "Calls to action one by one", "cta_activity_hourly"):
        performance = ask(cta_performance, view.publication, view.selection)
        if performance:
            st.dataframe(
                [
                    {
                        "Call to action": row["cta_id"] or "without an id",
                        "Clicks": row["click_count"],
                        "Click-through rate": rate_text(row["click_through_rate"]),
                        "Impressions": row["impression_count"],
                        "Type": name_text(row["cta_type"] or "unknown"),
                        "Capsule": view.capsule_names.get(row["capsule_id"], row["capsule_id"]),
                    }
                    for row in performance
                ],
                hide_index=True,
                column_config={
                    "Call to action": st.column_config.TextColumn(width=150),
                    "Impressions": st.column_config.NumberColumn(format="localized"),
                    "Clicks": st.column_config.NumberColumn(format="localized"),
                    "Click-through rate": st.column_config.TextColumn(
                        help="Clicks divided by impressions where the capsule sends any, else sessions "
                        "with a click divided by sessions with a view."
                    ),
                },
                alt="Calls to action with impressions, clicks and click-through rate",
            )
        else:
            st.markdown("No call to action was shown or clicked in this period.")
