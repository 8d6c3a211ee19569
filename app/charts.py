"""Charts as Altair specifications: pure functions of rows, so that a report draws the same picture.

Colours come from the theme (its category and sequence ranges); the one constant, the grey of an
earlier period, is readable on both backgrounds. Difference is never carried by colour alone: an
earlier period is dashed, an unfinished part is dotted and ends in a hollow point, bars carry their
value as text. Days are written without a zone, so that a browser in another zone does not move them.
Not here: Streamlit, queries, words about what a chart shows (the pages' `alt`).
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import altair as alt

from app.format import bucket_text, value_text
from app.metrics import Metric, Unit

EARLIER_COLOUR: Final = "#8593a0"
EARLIER_PERIOD: Final = "Earlier period"
# Of the whole picture: axes and legends are inside.
TREND_HEIGHT: Final = 280
STACK_HEIGHT: Final = 330
HEATMAP_HEIGHT: Final = 340
BAR_STEP: Final = 28
BAR_SIZE: Final = 19
BARS_MARGIN: Final = 28
# A bar takes at most this many times its step: one lonely bar stays near its heading.
MOST_SPREAD: Final = 3

# The theme colours no text marks (they stay black on dark), so values take its first category colour.
VALUE_COLOUR: Final = alt.Color("tone:N", legend=None, scale=alt.Scale(domain=["value"]))

Row = Mapping[str, Any]
Chart = alt.Chart | alt.LayerChart | alt.FacetChart


def _values(rows: Sequence[Row]) -> alt.Data:
    return alt.Data(values=[{name: _plain(value) for name, value in row.items()} for row in rows])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return f"{value.isoformat()}T00:00:00" if isinstance(value, date) else value


def _axis_format(unit: Unit) -> dict[str, Any]:
    """How the numbers of an axis are written: short, in the unit of the metric."""
    if unit == "rate":
        return {"format": ".0%"}
    if unit == "seconds":
        return {
            "labelExpr": "datum.value >= 3600 ? format(datum.value / 3600, '.3~r') + ' h' : "
            "datum.value >= 60 ? format(datum.value / 60, '.3~r') + ' min' : "
            "format(datum.value, '.3~r') + ' s'"
        }
    return {"labelExpr": "datum.value >= 1000 ? format(datum.value, '.3~s') : datum.label"}


def _time_axis(grain: str, count: int) -> alt.X:
    wanted = {"month": "%b %Y", "week": "%-d %b", "day": "%-d %b", "hour": "%H:%M"}[grain]
    return alt.X(
        "start:T",
        axis=alt.Axis(
            title=None, format=wanted, grid=False, labelFlush=True, labelOverlap="greedy",
            tickCount=min(count, 12), labelPadding=6, labelSeparation=10,
            labelBound=True, ticks=False,
        ),
    )  # fmt: skip


def _value_axis(field: str, unit: Unit) -> alt.Y:
    return alt.Y(
        f"{field}:Q",
        axis=alt.Axis(
            title=None, tickCount=4, domain=False, ticks=False, labelPadding=8,
            **_axis_format(unit),
        ),
        scale=alt.Scale(zero=True, nice=True),
    )  # fmt: skip


def trend_points(
    rows: Sequence[Row],
    earlier_rows: Sequence[Row],
    metric: Metric,
    grain: str,
    is_so_far: bool,
) -> list[dict[str, Any]]:
    """One point per bucket with the earlier period's beside it, matched by position."""
    points = []
    for index, row in enumerate(rows):
        earlier = earlier_rows[index] if index < len(earlier_rows) else None
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
                # Joins the last complete point with the unfinished one.
                "is_tail": is_so_far and index >= len(rows) - 2,
            }
        )
    return points


def trend(points: Sequence[Row], metric: Metric, grain: str) -> Chart:
    """The metric over time, the earlier period dashed behind it, an unfinished end dotted."""
    has_earlier = any(point["earlier"] is not None for point in points)
    base = alt.Chart(_values(points)).encode(x=_time_axis(grain, len(points)))
    value = _value_axis("value", metric.unit)
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
        layers += [
            base.transform_filter("datum.is_tail")
            .mark_line(strokeWidth=2, strokeDash=[1, 3])
            .encode(y=value),
            base.transform_filter("!datum.is_complete")
            .mark_point(size=60, filled=False, strokeWidth=2, opacity=1)
            .encode(y=value),
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


def bars(
    rows: Sequence[Row],
    label: str,
    value: str,
    title: str,
    unit: Unit = "count",
    *,
    with_share: bool = False,
    beside: int = 0,
) -> Chart:
    """Horizontal bars in the order of the rows, each with its value (and share) written beside it.

    `beside` is the number of bars of the chart next to it: the shorter one spreads out.
    """
    shown = [
        {
            **row,
            "text": value_text(row[value], unit) + (_share_suffix(row) if with_share else ""),
            "tone": "value",
        }
        for row in rows
    ]
    # Beside the longest bar its value must still fit.
    room = 1.35 if with_share else 1.22
    largest = max((row[value] or 0 for row in rows), default=0)
    base = alt.Chart(_values(shown)).encode(
        y=alt.Y(
            f"{label}:N",
            sort=None,
            axis=alt.Axis(title=None, ticks=False, domain=False, labelLimit=150, labelPadding=8),
        ),
        x=alt.X(
            f"{value}:Q",
            axis=None,
            scale=alt.Scale(domain=[0, (largest or 1) * room]),
        ),
        tooltip=[alt.Tooltip(f"{label}:N", title=" "), alt.Tooltip("text:N", title=title)],
    )
    return alt.layer(
        base.mark_bar(cornerRadiusEnd=3, size=BAR_SIZE),
        base.mark_text(align="left", dx=6).encode(text="text:N", color=VALUE_COLOUR),
    ).properties(height=min(max(len(rows), beside), len(rows) * MOST_SPREAD) * BAR_STEP + BARS_MARGIN)


def _share_suffix(row: Row) -> str:
    return "" if row["share"] is None else f" ({row['share']:.0%})"


def columns(rows: Sequence[Row], label: str, value: str, label_title: str, value_title: str) -> Chart:
    """A distribution: upright bars in the order of the rows, each with its share written above."""
    shown = [
        {
            **row,
            "text": value_text(row[value], "count"),
            "share_text": f"{(row['share'] or 0):.0%}",
            "tone": "value",
        }
        for row in rows
    ]
    base = alt.Chart(_values(shown)).encode(
        x=alt.X(
            f"{label}:N",
            sort=None,
            axis=alt.Axis(title=label_title, labelAngle=0, ticks=False, labelOverlap=False, labelLimit=70),
        ),
        tooltip=[
            alt.Tooltip(f"{label}:N", title=label_title),
            alt.Tooltip("text:N", title=value_title),
            alt.Tooltip("share_text:N", title="Share"),
        ],
    )
    amount = _value_axis(value, "count")
    return alt.layer(
        base.mark_bar(cornerRadiusEnd=3, width={"band": 0.72}).encode(y=amount),
        base.mark_text(dy=-8, baseline="bottom").encode(y=amount, text="share_text:N", color=VALUE_COLOUR),
    ).properties(height=TREND_HEIGHT)


def parts_over_time(rows: Sequence[Row], group: str, value: str, order: Sequence[str], grain: str) -> Chart:
    """Parts of a total over time, stacked in a fixed order with a legend above."""
    shown = [{**row, "label": bucket_text(row["start"], grain)} for row in rows]
    return (
        alt.Chart(_values(shown))
        .mark_area(opacity=0.85, line=False)
        .encode(
            x=_time_axis(grain, len({row["start"] for row in rows})),
            y=_value_axis(value, "count"),
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
        alt.Chart(_values(shown))
        .mark_bar(width=width)
        .encode(
            x=alt.X(
                "label:O",
                sort=None,
                axis=alt.Axis(title=None, labelAngle=0, ticks=False, labelOverlap="greedy"),
            ),
            y=_value_axis(value, "count"),
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


def weekday_heatmap(rows: Sequence[Row], weekdays: Sequence[str]) -> Chart:
    """Weekday by hour: the darker (on dark: the brighter), the more sessions start then."""
    shown = [{**row, "hour_text": f"{row['hour']:02d}:00 to {row['hour'] + 1:02d}:00"} for row in rows]
    return (
        alt.Chart(_values(shown))
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


def drop_offs(rows: Sequence[Row]) -> Chart:
    """How many sessions reach each turn; the part that ends there without converting is hatched off."""
    parts = [
        {"turn": row["turn_number"], "part": name, "session_count": row[column],
         "order": order, "rate_text": value_text(row["drop_off_rate"], "rate")}
        for row in rows
        for order, (name, column) in enumerate(DROP_OFF_PARTS)
    ]  # fmt: skip
    base = alt.Chart(_values(parts)).encode(
        x=alt.X("turn:O", axis=alt.Axis(title="Turn", labelAngle=0, ticks=False)),
    )
    return alt.layer(
        base.mark_bar(width={"band": 0.8}).encode(
            y=alt.Y(
                "session_count:Q",
                axis=alt.Axis(title=None, tickCount=4, domain=False, ticks=False, labelPadding=8),
            ),
            color=alt.Color(
                "part:N",
                sort=[name for name, _ in DROP_OFF_PARTS],
                scale=alt.Scale(domain=[name for name, _ in DROP_OFF_PARTS]),
                legend=alt.Legend(orient="top", title=None, columns=2, labelLimit=160),
            ),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("turn:O", title="Turn"),
                alt.Tooltip("part:N", title="Conversations that"),
                alt.Tooltip("session_count:Q", title="Sessions", format=",d"),
                alt.Tooltip("rate_text:N", title="Drop-off rate"),
            ],
        )
    ).properties(height=STACK_HEIGHT)


DROP_OFF_PARTS: Final = (
    ("Go on", "continued_count"),
    ("End here, converted", "finished_count"),
    ("End here, not converted", "dropped_count"),
)
