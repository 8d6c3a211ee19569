"""Traffic: who came, from where, with what."""

import streamlit as st

from app.breakdowns import country_names, grain_of, part_order, parts_over_time
from app.charts import bars
from app.charts import parts_over_time as parts_chart
from app.format import name_text, source_text
from app.guards import explain_no_events
from app.key_figures import card, key_figures, ranking_note, ranking_rows
from app.tabs import FIGURES
from app.view import ask, current_view

view = current_view()
explain_no_events(view)

key_figures(view, FIGURES["Traffic"])

parts = ask(parts_over_time, view.publication, view.selection, "channel", "view_count")
grain = grain_of(view.selection)
with card("Views over time by channel", f"Each point is a whole {grain}."):
    if parts:
        order = [name_text(name) for name in part_order(parts)]
        named = [{**row, "part": name_text(row["part"])} for row in parts]
        st.altair_chart(
            parts_chart(named, "part", "count", order, grain),
            alt=f"Views over time, stacked by channel: {', '.join(order)}",
        )
    else:
        st.markdown("No capsule was viewed in this period.")

names = ask(country_names, view.publication)
BREAKDOWNS = (
    ("source", "Sources", "sources", None, source_text),
    ("country", "Countries", "countries", names, name_text),
    ("device", "Devices", "devices", None, name_text),
    ("browser", "Browsers", "browsers", None, name_text),
)
ranked = [
    ranking_rows(view, key, ("session_count",), labels, word=word) for key, _, _, labels, word in BREAKDOWNS
]
with st.grid(2, min_column_width=320):
    for index, (key, title, plural, *_) in enumerate(BREAKDOWNS):
        rows, total = ranked[index]
        # The card on the other side of the same row.
        beside = len(ranked[index ^ 1][0])
        with card(title, f"Sessions by {key}. {ranking_note(len(rows), total, plural)}".strip()):
            st.altair_chart(
                bars(rows, "name", "session_count", "Sessions", beside=beside),
                alt=f"Sessions by {key}, the largest first",
            )
