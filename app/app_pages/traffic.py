"""Traffic: who came, from where, with what."""

import streamlit as st

from app.answers import ask
from app.breakdowns import country_names, grain_of, part_order, parts_over_time
from app.charts import bars
from app.filter_options import FILTER_KEYS
from app.format import name_text, source_text
from app.guards import explain_no_events
from app.heatmaps import world_map
from app.key_figures import (
    card,
    draw_chart,
    key_figures,
    picking_table,
    ranking_chart,
    ranking_note,
    ranking_rows,
)
from app.tabs import FIGURES
from app.trend_charts import parts_over_time as parts_chart
from app.view import current_view

EVERY_COUNTRY = 300

view = current_view()
explain_no_events(view)

key_figures(view, FIGURES["Traffic"])

parts = ask(parts_over_time, view.publication, view.selection, "channel", "view_count")
grain = grain_of(view.selection)
with card("Views over time by channel", f"Each point is a whole {grain}.", ["channels_over_time"]):
    if parts:
        order = [name_text(name) for name in part_order(parts)]
        named = [{**row, "part": name_text(row["part"])} for row in parts]
        draw_chart(
            parts_chart(named, "part", "count", order, grain),
            alt=f"Views over time, stacked by channel: {', '.join(order)}",
        )
    else:
        st.markdown("No capsule was viewed in this period.")

names = ask(country_names, view.publication)
countries, _ = ranking_rows(view, "country", ("session_count", "visitor_count"), names, limit=EVERY_COUNTRY)
with card(
    "Where in the world",
    "Sessions by country; grey ones have none. Click or tick one to filter by it.",
    ["by_country"],
):
    map_column, table_column = st.columns([2, 1])
    with map_column:
        ranking_chart(
            world_map(countries),
            "country",
            "World map of sessions by country; the table beside it has the numbers",
            "country",
        )
    with table_column:
        picking_table(
            countries,
            [
                {"Country": row["name"], "Sessions": row["session_count"], "Visitors": row["visitor_count"]}
                for row in countries
            ],
            "country",
            "country",
            height=380,
            column_config={
                "Sessions": st.column_config.NumberColumn(format="localized"),
                "Visitors": st.column_config.NumberColumn(format="localized"),
            },
            alt="Sessions and visitors by country",
        )

BREAKDOWNS = (
    ("channel", "Channels", "channels", None, name_text),
    ("source", "Sources", "sources", None, source_text),
    ("device", "Devices", "devices", None, name_text),
    ("browser", "Browsers", "browsers", None, name_text),
    ("country", "Countries", "countries", names, name_text),
    ("campaign", "Campaigns", "campaigns", None, source_text),
)
ranked = [
    ranking_rows(view, key, ("session_count",), labels, word=word) for key, _, _, labels, word in BREAKDOWNS
]
with st.grid(2, min_column_width=320):
    for number, (key, title, plural, _labels, _word) in enumerate(BREAKDOWNS):
        rows, total = ranked[number]
        # The card on the other side of the same row.
        beside = len(ranked[number ^ 1][0])
        with card(
            title, f"Sessions by {key}. {ranking_note(len(rows), total, plural)}".strip(), [f"by_{key}"]
        ):
            picks = key if key in FILTER_KEYS else ""
            chart = bars(rows, "name", "session_count", "Sessions", beside=beside, picks=picks)
            words = f"Sessions by {key}, the largest first"
            if picks:
                ranking_chart(chart, key, words)
            else:
                draw_chart(chart, alt=words)
