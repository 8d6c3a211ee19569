"""Conversions: which calls to action work, who converts, what it is worth."""

import streamlit as st

from app.answers import ask
from app.breakdowns import cta_performance
from app.charts import bars, intervals
from app.conversion_figures import MODEL_NAMES, MODELS, conversion_rates, funnel_steps
from app.format import duration_text, name_text, rate_text
from app.guards import explain_missing, explain_no_events, unfiltered_note
from app.key_figures import (
    WIDE_CARD,
    card,
    draw_chart,
    key_figures,
    trend_chart,
)
from app.metrics import METRICS_BY_ID
from app.report import attribution_texts
from app.tabs import FIGURES, TIMES
from app.view import current_view

SCOPES = {"session": "Within a session", "visitor": "Within seven days"}

view = current_view()
explain_no_events(view)

key_figures(view, FIGURES["Conversions"])

with card("Conversions over time", downloads=["over_time"]):
    trend_chart(view, METRICS_BY_ID["conversion_count"])

with card(
    "The way to a conversion",
    "Sessions that took every step up to this one, in this order.",
    ["funnel", "funnel_seven_days"],
):
    if not explain_missing(view, "Funnels", "fct_funnel_steps"):
        scope = st.segmented_control(
            "Within",
            tuple(SCOPES),
            default="session",
            required=True,
            format_func=SCOPES.__getitem__,
            label_visibility="collapsed",
            key="funnel_scope",
            persist_state="session",
        )
        steps = ask(funnel_steps, view.publication, view.selection, scope)
        chart_column, table_column = st.columns([1, 1], gap="large")
        with chart_column:
            draw_chart(
                bars(steps, "label", "count", "Reached", with_share=True),
                alt="Steps from the first view to a conversion with how many took each, and their share",
            )
        table_column.dataframe(
            [
                {
                    "Step": row["label"],
                    "Lost after it": rate_text(row["drop_off_rate"]),
                    "Time to it": duration_text(
                        row["median_seconds_to_step"] if row["step_number"] > 1 else None
                    ),
                }
                for row in steps
            ],
            hide_index=True,
            column_config={
                "Lost after it": st.column_config.TextColumn(
                    help="Share that took this step and not the next one.", alignment="right"
                ),
                "Time to it": st.column_config.TextColumn(
                    help="Median time from the step before.", alignment="right"
                ),
            },
            alt="Steps with the share that is lost and the median time",
        )

with st.grid(2, min_column_width=320):
    with card(
        "Conversion rate by kind",
        "Of all visitors. The line: the rate lies there with 95% certainty.",
        ["conversion_rates"],
    ):
        rates = ask(conversion_rates, view.publication, view.selection)
        taken = [
            {**row, "name": name_text(row["conversion_type"])}
            for row in rates
            if row["converting_visitor_count"]
        ]
        if taken:
            draw_chart(
                intervals(taken, "name", "Conversion rate"),
                alt="Conversion rate by kind of conversion with its 95% interval",
            )
        else:
            st.markdown("Nobody converted in this period.")
    with card(
        "Conversion rate by channel",
        "Of its visitors; an empty circle stands for fewer than 30.",
        ["conversion_rates_by_channel"],
    ):
        by_channel = [
            {**row, "name": name_text(row["channel"])}
            for row in ask(conversion_rates, view.publication, view.selection, "channel")
            if row["visitor_count"]
        ]
        draw_chart(
            intervals(by_channel, "name", "Conversion rate"),
            alt="Conversion rate by channel with its 95% interval",
        )

with card(
    "Time to the first conversion", "From the start of the session, and from the first touch.", ["over_time"]
):
    key_figures(view, TIMES, WIDE_CARD)

with card(
    "Revenue by channel",
    "Six models side by side; the credits of a model add up to the revenue.",
    ["attribution"],
):
    if not explain_missing(view, "Attribution models", "revenue_attribution"):
        credits = attribution_texts(view.publication, view.selection)
        if credits:
            unfiltered_note(view)
            st.dataframe(
                credits,
                hide_index=True,
                column_config={
                    name: st.column_config.TextColumn(help=MODELS[model], alignment="right")
                    for model, name in MODEL_NAMES.items()
                },
                alt="Revenue by channel in six attribution models",
            )
        else:
            st.markdown("No conversion in this period has a value.")

with card("Calls to action", downloads=["calls_to_action"]):
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
                        "with a click divided by sessions with a view.",
                        alignment="right",
                    ),
                },
                alt="Calls to action with impressions, clicks and click-through rate",
            )
        else:
            st.markdown("No call to action was shown or clicked in this period.")
