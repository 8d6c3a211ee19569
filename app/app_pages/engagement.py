"""Engagement: how long people stay, how deep conversations go, when they come."""

import streamlit as st

from app.answers import ask
from app.breakdowns import (
    WEEKDAYS,
    conversation_depths,
    session_durations,
    turn_drop_offs,
    weekday_hours,
)
from app.charts import bars, columns, drop_offs
from app.content_over_time import content_buckets, content_titles
from app.conversation_figures import conversation_endings
from app.custom_event_figures import custom_events, event_properties
from app.format import name_text, number_text, rate_text
from app.guards import explain_missing, explain_no_events, unfiltered_note
from app.heatmaps import content_heatmap, weekday_heatmap
from app.key_figures import WIDE_CARD, card, draw_chart, key_figures
from app.tabs import FIGURES, RETURNING
from app.view import current_view

ENDINGS = {
    "last_topic": "Last topic",
    "last_content": "Last content shown",
    "last_speaker": "Last speaker",
    "last_turn": "Last message of the person",
}

view = current_view()
explain_no_events(view)

key_figures(view, FIGURES["Engagement"])

with st.grid(2, min_column_width=320):
    with card("How long sessions last", downloads=["session_durations"]):
        durations = ask(session_durations, view.publication, view.selection)
        draw_chart(
            bars(durations, "bucket", "session_count", "Sessions", with_share=True),
            alt="Sessions by duration, from 0 seconds to over 30 minutes, with their share",
        )
    with card("How deep conversations go", downloads=["conversation_depths"]):
        draw_chart(
            columns(
                ask(conversation_depths, view.publication, view.selection),
                "bucket", "session_count", "Messages written by the person", "Sessions",
            ),
            alt="Sessions by number of turns, from 0 to 21 and more, with their share",
        )  # fmt: skip

with card(
    "Where conversations end", "Of the conversations that reach a turn, how many end there.", ["drop_off"]
):
    if not explain_missing(view, "Turns one by one", "conversation_depth_daily"):
        unfiltered_note(view)
        reached = ask(turn_drop_offs, view.publication, view.selection)
        if reached:
            draw_chart(
                drop_offs(reached),
                alt="Per turn, conversations that go on, end converted, and end without converting",
            )
        else:
            st.markdown("No conversation began in this period.")

with card(
    "Why conversations end",
    "What came last in conversations, those without a conversion first.",
    [f"endings_by_{by}" for by in ENDINGS],
):
    if not explain_missing(view, "Conversations one by one", "fct_conversations"):
        by = st.segmented_control(
            "By",
            tuple(ENDINGS),
            default="last_topic",
            required=True,
            format_func=ENDINGS.__getitem__,
            label_visibility="collapsed",
            key="ending",
            persist_state="session",
        )
        endings = ask(conversation_endings, view.publication, view.selection, by)
        st.dataframe(
            [
                {
                    ENDINGS[by]: name_text(row["value"]) if by != "last_content" else row["value"],
                    "Conversations": row["conversation_count"],
                    "Without a conversion": row["dropped_count"],
                    "Drop-off rate": rate_text(row["drop_off_rate"]),
                }
                for row in endings
            ],
            hide_index=True,
            column_config={
                "Drop-off rate": st.column_config.TextColumn(alignment="right"),
                **{
                    name: st.column_config.NumberColumn(format="localized")
                    for name in ("Conversations", "Without a conversion")
                },
            },
            alt=f"Conversations by {ENDINGS[by].lower()}, with how many ended without a conversion",
        )

with card(
    "When content is opened",
    "The items opened most; the darker, the more (on dark: the brighter).",
    ["content_over_time"],
):
    cells = ask(content_buckets, view.publication, view.selection)
    if cells:
        titles = ask(content_titles, view.publication)
        named = [{**row, "item": titles.get(row["content"], row["content"])} for row in cells]
        draw_chart(
            content_heatmap(named, list(dict.fromkeys(row["item"] for row in named))),
            alt="Heat map of accesses by content item and time",
        )
    else:
        st.markdown("Nobody opened a content item in this period.")

with card(
    "Custom events",
    "What the capsules measure themselves, with what was sent along.",
    ["custom_events", "custom_event_properties"],
):
    if not explain_missing(view, "Custom events", "fct_custom_events", "fct_custom_event_properties"):
        events = ask(custom_events, view.publication, view.selection)
        if events:
            st.dataframe(
                [
                    {
                        "Event": row["event_name"],
                        "Events": row["event_count"],
                        "Visitors": row["visitor_count"],
                        "Sessions": row["session_count"],
                    }
                    for row in events
                ],
                hide_index=True,
                alt="Custom events by name, with events, visitors and sessions",
            )
            event = st.selectbox("Properties of", [row["event_name"] for row in events], key="custom_event")
            st.dataframe(
                [
                    {
                        "Property": row["property_name"],
                        "Sent": row["event_count"],
                        "Different values": row["value_count"],
                        "Numbers": row["number_count"],
                        "Sum": number_text(row["sum"]),
                        "Mean": number_text(row["mean"]),
                        "Median": number_text(row["median"]),
                        "90th percentile": number_text(row["p90"]),
                    }
                    for row in ask(event_properties, view.publication, view.selection, event)
                ],
                hide_index=True,
                alt="Properties of the chosen custom event: counts, sum, mean, median and 90th percentile",
            )
        else:
            st.markdown("No custom event in this period.")

with card(
    "When people come",
    f"Sessions started per hour on average, hours in {view.publication.timezone}.",
    ["weekday_hours"],
):
    draw_chart(
        weekday_heatmap(ask(weekday_hours, view.publication, view.selection), WEEKDAYS),
        alt="Heatmap of sessions started, by weekday from Monday to Sunday and hour of the day",
    )

with card("Who comes back", downloads=["over_time"]):
    key_figures(view, RETURNING, WIDE_CARD)
