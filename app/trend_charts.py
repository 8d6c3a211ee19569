"""Charts over time. Pure functions of rows, so that a report draws the same picture.

An earlier period is dashed; a part that is not over is a hollow point named "so far", which no line joins
with the others: it would look like a fall. Difference is never carried by colour alone.
Not here: Streamlit, queries, words about what a chart shows (the pages' `alt`).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import altair as alt

from app.chart_parts import (
    EARLIER_COLOUR,
    EARLIER_PERIOD,
    MINUTES_HEIGHT,
    STACK_HEIGHT,
    TREND_HEIGHT,
    VALUE_COLOUR,
    Chart,
    Row,
    time_axis,
    value_axis,
    values,
)
from app.format import bucket_text, value_text
from app.metrics import Metric

LOW_SHARE: Final = 0.15


def trend_points(
    rows: Sequence[Row],
    earlier_rows: Sequence[Row],
    metric: Metric,
    grain: str,
    is_so_far: bool,
) -> list[dict[str, Any]]:
    """One point per bucket with the earlier period's beside it: days by weekday, the others by position."""
    points = []
    beside = _matched(rows, earlier_rows, grain)
    for index, row in enumerate(rows):
        earlier = beside[index]
        is_last = index == len(rows) - 1
        points.append(
            {
                "start": row[grain],
                "label": bucket_text(row[grain], grain) + (", so far" if is_last and is_so_far else ""),
                "value": row[metric.id],
                "text": value_text(row[metric.id], metric.unit),
                "earlier": earlier[metric.id] if earlier else None,
                "earlier_text": value_text(earlier[metric.id], metric.unit) if earlier else "–",
                "earlier_label": bucket_text(earlier[grain], grain) if earlier else "–",
                "is_complete": not (is_last and is_so_far),
                "note": "so far",
                "tone": "value",
            }
        )
    return points


def by_weekday(grain: str, bucket_count: int) -> bool:
    """Whether an earlier period lies beside this one by weekday: of days, from a week on."""
    return grain == "day" and bucket_count >= 7


def _matched(rows: Sequence[Row], earlier_rows: Sequence[Row], grain: str) -> list[Row | None]:
    """The earlier bucket beside each one; None where there is no such one.

    30 days back a Monday lies under a Wednesday, and every weekend would look like news: days are moved to
    the nearest distance of whole weeks. At the ends up to three days then have nothing beside them.
    """
    by_position = [earlier_rows[index] if index < len(earlier_rows) else None for index in range(len(rows))]
    if not earlier_rows or not by_weekday(grain, len(rows)):
        return by_position
    weeks = round((rows[0]["day"] - earlier_rows[0]["day"]).days / 7)
    if weeks == 0:
        return by_position
    by_day = {row["day"]: row for row in earlier_rows}
    return [by_day.get(row["day"] - timedelta(weeks=weeks)) for row in rows]


def trend(points: Sequence[Row], metric: Metric, grain: str) -> Chart:
    """The metric over time, the earlier period dashed behind it; an unfinished end is a point by itself."""
    has_earlier = any(point["earlier"] is not None for point in points)
    base = alt.Chart(values(points)).encode(x=time_axis(grain, [point["start"] for point in points]))
    value = value_axis("value", metric.unit)
    hover = alt.selection_point(
        name="hover", on="pointerover", clear="pointerout", nearest=True, encodings=["x"], empty=False
    )
    tooltip = [alt.Tooltip("label:N", title="When"), alt.Tooltip("text:N", title=metric.label)]
    if has_earlier:
        tooltip += [
            alt.Tooltip("earlier_text:N", title=EARLIER_PERIOD),
            alt.Tooltip("earlier_label:N", title="Compared with"),
        ]
    layers: list[alt.Chart] = [
        base.transform_filter("datum.is_complete").mark_area(opacity=0.12).encode(y=value),
    ]
    if has_earlier:
        layers.append(
            base.mark_line(color=EARLIER_COLOUR, strokeDash=[5, 4], strokeWidth=1.5).encode(
                y=alt.Y("earlier:Q")
            )
        )
    layers.append(
        base.transform_filter("datum.is_complete").mark_line(strokeWidth=2.5).encode(y=value),
    )
    # A layer without points would have no extent: Vega warns about it in the console.
    if any(not point["is_complete"] for point in points):
        unfinished = base.transform_filter("!datum.is_complete")
        layers += [
            unfinished.mark_point(size=60, filled=False, strokeWidth=2, opacity=1).encode(y=value),
            # Below the point, where the line before it does not come: it fell, as it is not over.
            unfinished.mark_text(align="right", dx=6, dy=-14 if _is_low(points) else 14, fontSize=12).encode(
                y=value, text="note:N", color=VALUE_COLOUR
            ),
        ]
    shown_on_hover = alt.condition(hover, alt.value(1), alt.value(0))
    layers += [
        base.mark_rule(color=EARLIER_COLOUR, strokeWidth=1).encode(opacity=shown_on_hover),
        base.mark_point(size=70, filled=True).encode(y=value, opacity=shown_on_hover),
        base.mark_bar(opacity=0.001, width={"band": 1})
        .encode(y=alt.value(0), y2=alt.value(TREND_HEIGHT), tooltip=tooltip)
        .add_params(hover),
    ]
    return alt.layer(*layers).properties(height=TREND_HEIGHT)


def _is_low(points: Sequence[Row]) -> bool:
    """Whether the last point lies so near the axis that nothing can be written below it."""
    highest = max((point[name] or 0 for point in points for name in ("value", "earlier")), default=0)
    return (points[-1]["value"] or 0) < LOW_SHARE * highest


def parts_over_time(rows: Sequence[Row], group: str, value: str, order: Sequence[str], grain: str) -> Chart:
    """Parts of a total over time, stacked in a fixed order with a legend above."""
    shown = [{**row, "label": bucket_text(row["start"], grain)} for row in rows]
    return (
        alt.Chart(values(shown))
        .mark_area(opacity=0.85, line=False)
        .encode(
            x=time_axis(grain, sorted({row["start"] for row in rows})),
            y=value_axis(value, "count"),
            color=_parts_colour(group, order),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("label:N", title="When"),
                alt.Tooltip(f"{group}:N", title=" "),
                alt.Tooltip(f"{value}:Q", title="Count", format=",d"),
            ],
        )
        .properties(height=STACK_HEIGHT)
    )


def _parts_colour(group: str, order: Sequence[str]) -> alt.Color:
    return alt.Color(
        f"{group}:N",
        sort=list(order),
        scale=alt.Scale(domain=list(order)),
        legend=alt.Legend(orient="top", title=None, columns=3, symbolType="square", labelLimit=140),
    )


def parts_by_day(rows: Sequence[Row], day: str, group: str, value: str, order: Sequence[str]) -> Chart:
    """Parts of a total per day that has any, stacked in a fixed order with a legend above."""
    shown = [{**row, "label": f"{row[day].day} {row[day]:%b}"} for row in rows]
    days = len({row[day] for row in rows})
    width: Any = {"band": 0.8} if days > 8 else 44
    return (
        alt.Chart(values(shown))
        .mark_bar(width=width)
        .encode(
            x=alt.X(
                "label:O",
                sort=None,
                axis=alt.Axis(title=None, labelAngle=0, ticks=False, labelOverlap="greedy"),
            ),
            y=value_axis(value, "count"),
            color=_parts_colour(group, order),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("label:N", title="Day"),
                alt.Tooltip(f"{group}:N", title="Lines"),
                alt.Tooltip(f"{value}:Q", title="Count", format=",d"),
            ],
        )
        .properties(height=STACK_HEIGHT)
    )


def views_by_minute(rows: Sequence[Row]) -> Chart:
    """A bar per minute; the last one may not be over."""
    shown = [{**row, "label": f"{row['start']:%H:%M}"} for row in rows]
    return (
        alt.Chart(values(shown))
        .mark_bar(width={"band": 0.8})
        .encode(
            x=alt.X(
                "label:O",
                sort=None,
                axis=alt.Axis(
                    title=None,
                    labelAngle=0,
                    ticks=False,
                    domain=True,
                    values=[row["label"] for row in shown[4::5]],
                ),
            ),
            y=alt.Y("view_count:Q", axis=None, scale=alt.Scale(domainMin=0)),
            tooltip=[
                alt.Tooltip("label:N", title="Minute"),
                alt.Tooltip("view_count:Q", title="Views", format=",d"),
            ],
        )
        .properties(height=MINUTES_HEIGHT)
    )
