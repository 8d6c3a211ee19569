"""Content: what people open, what they search for and do not find."""

import streamlit as st

from app.answers import ask
from app.breakdowns import content_items, search_queries
from app.charts import curve
from app.content_figures import idle_content, video_items, video_retention
from app.format import duration_text, escape_markdown, name_text, rate_text, score_text
from app.guards import explain_missing, explain_no_events, unfiltered_note
from app.key_figures import card, draw_chart, key_figures, picking_table, ranking_chart
from app.relevance_chart import LESS_OPENED, relevance_against_use, relevance_points
from app.selection import OPENED_CONTENT
from app.tabs import FIGURES
from app.view import current_view

# As many points as a chart can show apart.
ITEMS_DRAWN = 300
ITEMS_NAMED = 5
RIGHT = st.column_config.TextColumn(alignment="right")

view = current_view()
explain_no_events(view)

key_figures(view, FIGURES["Content"])

with card(
    "Content items",
    "Opened by people; citations by the assistant are counted apart. Tick one to filter by it.",
    ["content_items"],
):
    if not explain_missing(view, "Content items", "content_engagement_daily", "dim_content"):
        unfiltered_note(view)
        items = ask(content_items, view.publication, view.selection)
        if items:
            picking_table(
                items,
                [
                    {
                        "Content item": item["content_title"],
                        "Accesses": item["access_count"],
                        "Sessions": item["session_count"],
                        "Visitors": item["visitor_count"],
                        "Citations": item["citation_count"],
                        "Relevance": score_text(item["relevance_score"]),
                        "Kind": name_text(item["content_type"] or "unknown"),
                        "Capsule": view.capsule_names.get(item["capsule_id"], item["capsule_id"]),
                    }
                    for item in items
                ],
                OPENED_CONTENT,
                "content_id",
                column_config={
                    "Content item": st.column_config.TextColumn(width=150),
                    "Accesses": st.column_config.ProgressColumn(
                        format="localized",
                        min_value=0,
                        max_value=max(item["access_count"] for item in items) or 1,
                    ),
                    **{
                        name: st.column_config.NumberColumn(format="localized")
                        for name in ("Sessions", "Visitors", "Citations")
                    },
                    "Relevance": st.column_config.TextColumn(
                        help="Mean relevance score from 0 to 1, where one was sent.", alignment="right"
                    ),
                },
                alt="Content items with accesses, sessions, visitors, citations and relevance",
            )
        else:
            st.markdown("Nobody opened a content item in this period.")

with card(
    "Relevance against use",
    "Each point is an item that was scored; dashed lines are the middle of all. Click one to filter by it.",
    ["content_items"],
):
    points = relevance_points(ask(content_items, view.publication, view.selection, ITEMS_DRAWN))
    if points:
        ranking_chart(
            relevance_against_use(points),
            OPENED_CONTENT,
            "Content items by how often they were opened and how relevant they were scored",
            "point",
        )
        hidden = sorted(
            (point for point in points if point["corner"] == LESS_OPENED),
            key=lambda point: -point["relevance_score"],
        )
        if hidden:
            names = ", ".join(escape_markdown(point["title"]) for point in hidden[:ITEMS_NAMED])
            st.markdown(
                f"Relevant, but opened less often than most: {names}. Show them earlier or name them better."
            )
    else:
        st.markdown("Too few items were sent with a relevance in this period to compare them.")

with card(
    "Searches", "E-mail addresses and long numbers are masked before anything is stored.", ["searches"]
):
    if not explain_missing(view, "Searches", "fct_searches"):
        searches = ask(search_queries, view.publication, view.selection)
        if searches:
            st.dataframe(
                [
                    {
                        "Search": row["query"],
                        "Searches": row["search_count"],
                        "Found nothing": row["zero_result_count"],
                        "Share without a result": rate_text(row["zero_result_rate"]),
                        "Led to content": rate_text(row["followed_rate"]),
                    }
                    for row in searches
                ],
                hide_index=True,
                column_config={
                    "Search": st.column_config.TextColumn(width=150),
                    "Searches": st.column_config.ProgressColumn(
                        format="localized",
                        min_value=0,
                        max_value=max(row["search_count"] for row in searches),
                    ),
                    "Found nothing": st.column_config.NumberColumn(format="localized"),
                    "Share without a result": RIGHT,
                    "Led to content": RIGHT,
                },
                alt="Search queries with how often they were made and found nothing",
            )
        else:
            st.markdown("Nobody searched in this period.")

with card("Videos", "A part that was skipped was not watched.", ["videos", "video_retention"]):
    if not explain_missing(view, "Video plays", "fct_video_plays", "dim_content"):
        videos = ask(video_items, view.publication, view.selection)
        if videos:
            curve_column, table_column = st.columns([1, 1])
            with curve_column:
                draw_chart(
                    curve(ask(video_retention, view.publication, view.selection)),
                    alt="Share of plays that watched at least a part of the video, from the start to the end",
                )
            with table_column:
                st.dataframe(
                    [
                        {
                            "Video": row["content_title"],
                            "Plays": row["play_count"],
                            "To the end": rate_text(row["completion_rate"]),
                            "Watched per play": duration_text(row["watched_seconds_avg"]),
                        }
                        for row in videos
                    ],
                    hide_index=True,
                    column_config={
                        "Plays": st.column_config.NumberColumn(format="localized"),
                        "To the end": RIGHT,
                        "Watched per play": RIGHT,
                    },
                    alt="Videos with plays, completion rate and watched time",
                )
        else:
            st.markdown("Nobody played a video in this period.")

IDLE_TEXT = {"unused": "Not opened in this period", "cold": "Gone cold: not opened in the last 30 days"}
with card(
    "Content that lies unused",
    "Published at least 14 days ago and not opened, or no longer opened.",
    ["idle_content"],
):
    if not explain_missing(view, "Items nobody opens", "content_status", "fct_content_accesses"):
        idle = ask(idle_content, view.publication, view.selection)
        if idle:
            st.dataframe(
                [
                    {
                        "Content item": row["content_title"] or row["content_id"],
                        "State": IDLE_TEXT[row["state"]],
                        "Last opened": str(row["last_accessed_at"] or "never")[:10],
                        "Kind": name_text(row["content_type"] or "unknown"),
                        "Capsule": view.capsule_names.get(row["capsule_id"], row["capsule_id"]),
                    }
                    for row in idle
                ],
                hide_index=True,
                alt="Content items that nobody opens",
            )
        else:
            st.markdown("Every item of the catalogue was opened.")
