"""Engagement: how long people stay, how deep conversations go, when they come."""

import streamlit as st

from app.breakdowns import (
    WEEKDAYS,
    conversation_depths,
    session_durations,
    turn_drop_offs,
    weekday_hours,
)
from app.charts import bars, columns, drop_offs, weekday_heatmap
from app.guards import explain_missing, explain_no_events
from app.key_figures import card, key_figures
from app.tabs import FIGURES
from app.view import ask, current_view

view = current_view()
explain_no_events(view)

key_figures(view, FIGURES["Engagement"])

with st.grid(2, min_column_width=320):
    with card("How long sessions last"):
        durations = ask(session_durations, view.publication, view.selection)
        st.altair_chart(
            bars(durations, "bucket", "session_count", "Sessions", with_share=True),
            alt="Sessions by duration, from 0 seconds to over 30 minutes, with their share",
        )
    with card("How deep conversations go"):
        st.altair_chart(
            columns(
                ask(conversation_depths, view.publication, view.selection),
                "bucket", "session_count", "Messages written by the person", "Sessions",
            ),
            alt="Sessions by number of turns, from 0 to 21 and more, with their share",
        )  # fmt: skip

with card("Where conversations end", "Of the conversations that reach a turn, how many end there."):
    if not explain_missing(view, "Turns one by one", "conversation_depth_daily"):
        reached = ask(turn_drop_offs, view.publication, view.selection)
        if reached:
            st.altair_chart(
                drop_offs(reached),
                alt="Per turn, conversations that go on, end converted, and end without converting",
            )
        else:
            st.markdown("No conversation began in this period.")

with card("When people come", f"Sessions started per hour on average, hours in {view.publication.timezone}."):
    st.altair_chart(
        weekday_heatmap(ask(weekday_hours, view.publication, view.selection), WEEKDAYS),
        alt="Heatmap of sessions started, by weekday from Monday to Sunday and hour of the day",
    )
