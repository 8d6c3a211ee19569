"""Heat maps: when people come, what they open then, where in the world they are. Pure functions of rows.

The darker (on dark: the brighter), the more. The shapes of countries are a file that the dashboard serves
itself (`static/world.json`): inline they would cost 400 ms a redraw.
Not here: Streamlit, queries, words about what a chart shows (the pages' `alt`).
"""

from collections.abc import Sequence
from typing import Final

import altair as alt

from app.chart_parts import BAR_STEP, EARLIER_COLOUR, HEATMAP_HEIGHT, Chart, Row, values
from app.format import count_text

MAP_HEIGHT: Final = 380
WORLD: Final = "/app/static/world.json"


def weekday_heatmap(rows: Sequence[Row], weekdays: Sequence[str]) -> Chart:
    """Weekday by hour: the darker (on dark: the brighter), the more sessions start then."""
    shown = [{**row, "hour_text": f"{row['hour']:02d}:00 to {row['hour'] + 1:02d}:00"} for row in rows]
    return (
        alt.Chart(values(shown))
        .mark_rect(cornerRadius=2)
        .encode(
            x=alt.X(
                "hour:O",
                axis=alt.Axis(
                    title="Hour of the day", labelAngle=0, ticks=False, domain=False, grid=False,
                    values=[0, 3, 6, 9, 12, 15, 18, 21],
                ),
                scale=alt.Scale(paddingInner=0.08),
            ),
            y=alt.Y(
                "weekday:O",
                sort=list(weekdays),
                axis=alt.Axis(title=None, ticks=False, domain=False, grid=False, labelOverlap=False),
                scale=alt.Scale(paddingInner=0.08),
            ),
            color=alt.Color(
                "sessions_per_hour:Q",
                scale=alt.Scale(domainMin=0),
                legend=alt.Legend(
                    title="Sessions per hour", orient="top", gradientLength=160, format=".3~r"
                ),
            ),
            tooltip=[
                alt.Tooltip("weekday:N", title="Weekday"),
                alt.Tooltip("hour_text:N", title="Hour"),
                alt.Tooltip("sessions_per_hour:Q", title="Sessions per hour", format=".3~r"),
                alt.Tooltip("session_count:Q", title="Sessions in all", format=",d"),
            ],
        )
        .properties(height=HEATMAP_HEIGHT)
    )  # fmt: skip


def content_heatmap(rows: Sequence[Row], order: Sequence[str]) -> Chart:
    """Content item by bucket of time: accesses."""
    return (
        alt.Chart(values(rows))
        .mark_rect(cornerRadius=2)
        .encode(
            x=alt.X(
                "short:O",
                sort=None,
                # A label that juts out on the right would push the last column off a phone.
                axis=alt.Axis(
                    title=None,
                    labelAngle=0,
                    ticks=False,
                    domain=False,
                    labelOverlap="greedy",
                    labelBound=True,
                    labelSeparation=10,
                ),
            ),
            y=alt.Y(
                "item:N",
                sort=list(order),
                axis=alt.Axis(title=None, ticks=False, domain=False, labelLimit=140, labelFlush=False),
            ),
            color=alt.Color(
                "access_count:Q",
                scale=alt.Scale(domainMin=0),
                legend=alt.Legend(title="Accesses", orient="top", gradientLength=100, format=".3~r"),
            ),
            tooltip=[
                alt.Tooltip("item:N", title="Content item"),
                alt.Tooltip("when:N", title="When"),
                alt.Tooltip("access_count:Q", title="Accesses", format=",d"),
            ],
        )
        .properties(height=len(order) * BAR_STEP + 70)
    )


def world_map(rows: Sequence[Row]) -> Chart:
    """Sessions by country; a country without any is grey. What has no place on a map is in its table.

    A click on a country chooses it, as the selection `picked`.
    """
    shown = [{**row, "text": count_text(row["session_count"])} for row in rows]
    shapes = alt.Data(url=WORLD, format=alt.TopoDataFormat(type="topojson", feature="countries"))
    counted = alt.LookupData(data=values(shown), key="country", fields=["name", "session_count", "text"])
    land = alt.Chart(shapes).mark_geoshape(fill=EARLIER_COLOUR, fillOpacity=0.25, stroke=None)
    visited = (
        alt.Chart(shapes)
        .transform_lookup(lookup="id", from_=counted)
        .transform_filter("isValid(datum.session_count)")
        .transform_calculate(country="datum.id")
        .mark_geoshape(stroke=EARLIER_COLOUR, strokeWidth=0.4, cursor="pointer")
        .encode(
            color=alt.Color(
                "session_count:Q",
                scale=alt.Scale(domainMin=0),
                legend=alt.Legend(
                    title="Sessions", orient="top", gradientLength=160, format=",d", tickMinStep=1
                ),
            ),
            tooltip=[alt.Tooltip("name:N", title="Country"), alt.Tooltip("text:N", title="Sessions")],
        )
    )
    visited = visited.add_params(alt.selection_point(name="picked", fields=["country"], on="click"))
    return alt.layer(land, visited).project("equalEarth").properties(height=MAP_HEIGHT)
