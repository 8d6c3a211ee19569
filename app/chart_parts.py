"""What charts are made of: rows as data, axes, colours, sizes. Pure.

Colours come from the theme (its category and sequence ranges); the one constant, the grey of an
earlier period, is readable on both backgrounds. Days are written without a zone, so that a browser in
another zone does not move them.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from math import ceil
from typing import Any, Final

import altair as alt

from app.metrics import Unit

EARLIER_COLOUR: Final = "#8593a0"
EARLIER_PERIOD: Final = "Earlier period"
# Of the whole picture: axes and legends are inside.
TREND_HEIGHT: Final = 280
STACK_HEIGHT: Final = 330
HEATMAP_HEIGHT: Final = 340
MINUTES_HEIGHT: Final = 84
BAR_STEP: Final = 28
BAR_SIZE: Final = 19
BARS_MARGIN: Final = 28
# A bar takes at most this many times its step: one lonely bar stays near its heading.
MOST_SPREAD: Final = 3
# Of an axis over time; a narrow one leaves out every other one.
MOST_LABELS: Final = 12

# The theme colours no text marks (they stay black on dark), so values take its first category colour.
VALUE_COLOUR: Final = alt.Color("tone:N", legend=None, scale=alt.Scale(domain=["value"]))

# Of axes and legends; Streamlit's own grey has 3.7:1 on white. Vega knows the background that it draws on.
LABELS_ON_LIGHT: Final = "#566470"
LABELS_ON_DARK: Final = "#a3b1bc"

Row = Mapping[str, Any]
Chart = alt.Chart | alt.LayerChart | alt.FacetChart


def readable(chart: Chart) -> Chart:
    """The chart with labels that keep at least 4.5:1 on both backgrounds of the dashboard."""
    tone = alt.ExprRef(f"luminance(background) > 0.5 ? '{LABELS_ON_LIGHT}' : '{LABELS_ON_DARK}'")
    return chart.configure_axis(labelColor=tone, titleColor=tone).configure_legend(
        labelColor=tone, titleColor=tone
    )


def values(rows: Sequence[Row]) -> alt.Data:
    return alt.Data(values=[{name: plain(value) for name, value in row.items()} for row in rows])


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return f"{value.isoformat()}T00:00:00" if isinstance(value, date) else value


def axis_format(unit: Unit) -> dict[str, Any]:
    """How the numbers of an axis are written: short, in the unit of the metric."""
    if unit == "rate":
        return {"format": ".0%"}
    if unit == "seconds":
        return {
            "labelExpr": "datum.value >= 3600 ? format(datum.value / 3600, '.3~r') + ' h' : "
            "datum.value >= 60 ? format(datum.value / 60, '.3~r') + ' min' : "
            "format(datum.value, '.3~r') + ' s'"
        }
    # Of things that are counted there is no half.
    whole = {"tickMinStep": 1} if unit == "count" else {}
    return whole | {"labelExpr": "datum.value >= 1000 ? format(datum.value, '.3~s') : datum.label"}


def time_axis(grain: str, starts: Sequence[date]) -> alt.X:
    """Labels at even distances from the first bucket on; Vega's own begin anew at every month."""
    wanted = {"month": "%b %Y", "week": "%-d %b", "day": "%-d %b", "hour": "%H:%M"}[grain]
    return alt.X(
        "start:T",
        axis=alt.Axis(
            title=None, format=wanted, grid=False, labelFlush=True, labelOverlap="greedy",
            values=[_instant(start) for start in starts[:: ceil(len(starts) / MOST_LABELS)]],
            labelPadding=6, labelSeparation=10, ticks=False,
        ),
    )  # fmt: skip


def _instant(start: date) -> alt.DateTime:
    hour = start.hour if isinstance(start, datetime) else 0
    return alt.DateTime(year=start.year, month=start.month, date=start.day, hours=hour)


def value_axis(field: str, unit: Unit) -> alt.Y:
    return alt.Y(
        f"{field}:Q",
        axis=alt.Axis(
            title=None, tickCount=4, domain=False, ticks=False, labelPadding=8,
            **axis_format(unit),
        ),
        scale=alt.Scale(zero=True, nice=True),
    )  # fmt: skip
