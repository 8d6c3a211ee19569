"""Traffic: who came, from where, with what."""

import streamlit as st

from app.breakdowns import country_names, grain_of, part_order, parts_over_time
from app.charts import bars
from app.charts import parts_over_time as parts_chart
from app.format import name_text
from app.guards import explain_no_events
from app.key_figures import card, comparison_note, key_figures, ranking_note, ranking_rows
from app.view import ask, current_view

FIGURES = (
    "view_count", "unique_viewer_count", "new_visitor_count", "returning_visitor_count",
)  # fmt: skip

view = current_view()
comparison_note(view)
explain_no_events(view)

key_figures(view, FIGURES)

parts = ask(parts_over_time, view.publication, view.selection, "channel", "view_count")
with card("Views over time by channel"):
    order = part_order(parts)
    named = [{**row, "part": name_text(row["part"])} for row in parts]
    st.altair_chart(
        parts_chart(named, "part", "count", [name_text(name) for name in order], grain_of(view.selection)),
        alt=f"Views over time, stacked by channel: {', '.join(order)}",
    )

names = ask(country_names, view.publication)
BREAKDOWNS = (
    ("source", "Sources", "sources", None, str),
    ("country", "Countries", "countries", names, name_text),
    ("device", "Devices", "devices", None, name_text),
    ("browser", "Browsers", "browsers", None, name_text),
)
with st.grid(2, min_column_width=320):
    for key, title, plural, labels, word in BREAKDOWNS:
        ranked, total = ranking_rows(view, key, ("session_count",), labels, word=word)
        with card(title, ranking_note(len(ranked), total, plural)):
            st.altair_chart(
                bars(ranked, "name", "session_count", "Sessions"),
                alt=f"Sessions by {key}, the largest first",
            )
