"""Content: what people open, what they search for and do not find."""

import streamlit as st

from app.breakdowns import content_items, search_queries
from app.format import name_text, rate_text, score_text
from app.guards import explain_missing, explain_no_events
from app.key_figures import card, key_figures
from app.tabs import FIGURES
from app.view import ask, current_view

view = current_view()
explain_no_events(view)

key_figures(view, FIGURES["Content"])

with card("Content items", "Opened by people; citations by the assistant are counted apart."):
    if not explain_missing(view, "Content items", "content_engagement_daily", "dim_content"):
        items = ask(content_items, view.publication, view.selection)
        if items:
            st.dataframe(
                [
                    {
                        "Content item": item["content_title"],
                        "Accesses": item["access_count"],
                        "Citations": item["citation_count"],
                        "Relevance": score_text(item["relevance_score"]),
                        "Kind": name_text(item["content_type"] or "unknown"),
                        "Capsule": view.capsule_names.get(item["capsule_id"], item["capsule_id"]),
                    }
                    for item in items
                ],
                hide_index=True,
                column_config={
                    "Content item": st.column_config.TextColumn(width=150),
                    "Accesses": st.column_config.ProgressColumn(
                        format="localized",
                        min_value=0,
                        max_value=max(item["access_count"] for item in items) or 1,
                    ),
                    "Citations": st.column_config.NumberColumn(format="localized"),
                    "Relevance": st.column_config.TextColumn(
                        help="Mean relevance score from 0 to 1, where one was sent."
                    ),
                },
                alt="Content items with accesses, citations and relevance",
            )
        else:
            st.markdown("Nobody opened a content item in this period.")

with card("Searches", "E-mail addresses and long numbers are masked before anything is stored."):
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
                },
                alt="Search queries with how often they were made and found nothing",
            )
        else:
            st.markdown("Nobody searched in this period.")
