"""Charts of parts and distributions. Pure functions of rows, so that a report draws the same picture.

Difference is never carried by colour alone: bars carry their value as text.
Not here: Streamlit, queries, words about what a chart shows (the pages' `alt`).
"""

from collections.abc import Sequence
from typing import Final

import altair as alt

from app.chart_parts import (
    BAR_SIZE,
    BAR_STEP,
    BARS_MARGIN,
    EARLIER_COLOUR,
    MOST_SPREAD,
    STACK_HEIGHT,
    TREND_HEIGHT,
    VALUE_COLOUR,
    Chart,
    Row,
    value_axis,
    values,
)
from app.format import value_text
from app.metrics import Unit

# Of the length of the longest bar.
ROOM_A_SIGN: Final = 0.06


def bars(
    rows: Sequence[Row],
    label: str,
    value: str,
    title: str,
    unit: Unit = "count",
    *,
    with_share: bool = False,
    beside: int = 0,
    picks: str = "",
) -> Chart:
    """Horizontal bars in the order of the rows, each with its value (and share) written beside it.

    `picks` names the column whose value a click chooses, as the selection `picked`. `beside` is the number of
    bars of the chart next to it: the shorter one spreads out.
    """
    shown = [
        {
            **row,
            "text": value_text(row[value], unit) + (_share_suffix(row) if with_share else ""),
            "tone": "value",
        }
        for row in rows
    ]
    # Beside the longest bar its value must still fit, in the narrow charts of a report too.
    room = 1 + ROOM_A_SIGN * max((len(row["text"]) for row in shown), default=0)
    largest = max((row[value] or 0 for row in rows), default=0)
    base = alt.Chart(values(shown)).encode(
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
    drawn = base.mark_bar(cornerRadiusEnd=3, size=BAR_SIZE, cursor="pointer" if picks else "default")
    if picks:
        drawn = drawn.add_params(alt.selection_point(name="picked", fields=[picks], on="click"))
    return alt.layer(
        drawn,
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
    base = alt.Chart(values(shown)).encode(
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
    amount = value_axis(value, "count")
    return alt.layer(
        base.mark_bar(cornerRadiusEnd=3, width={"band": 0.72}).encode(y=amount),
        base.mark_text(dy=-8, baseline="bottom").encode(y=amount, text="share_text:N", color=VALUE_COLOUR),
    ).properties(height=TREND_HEIGHT)


def drop_offs(rows: Sequence[Row]) -> Chart:
    """How many sessions reach each turn; the part that ends there without converting is hatched off."""
    parts = [
        {"turn": row["turn_number"], "part": name, "session_count": row[column],
         "order": order, "rate_text": value_text(row["drop_off_rate"], "rate")}
        for row in rows
        for order, (name, column) in enumerate(DROP_OFF_PARTS)
    ]  # fmt: skip
    base = alt.Chart(values(parts)).encode(
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


def curve(rows: Sequence[Row]) -> Chart:
    """How many plays of a video get how far: a line that never rises."""
    shown = [
        {
            **row,
            "position_text": value_text(row["position_share"], "rate"),
            "share_text": value_text(row["share"], "rate"),
        }
        for row in rows
    ]
    return (
        alt.Chart(values(shown))
        .mark_area(line={"strokeWidth": 2.5}, opacity=0.15, interpolate="step-before")
        .encode(
            x=alt.X("position_share:Q", axis=alt.Axis(title="Part of the video", grid=False, format=".0%")),
            y=alt.Y("share:Q", axis=alt.Axis(title=None, tickCount=4, domain=False, format=".0%")),
            tooltip=[
                alt.Tooltip("position_text:N", title="Watched at least"),
                alt.Tooltip("share_text:N", title="Of the plays"),
                alt.Tooltip("play_count:Q", title="Plays", format=",d"),
            ],
        )
        .properties(height=TREND_HEIGHT)
    )


def intervals(rows: Sequence[Row], label: str, title: str) -> Chart:
    """Rates with the range they lie in with 95% certainty; hollow where there are too few visitors."""
    shown = [
        {
            **row,
            "text": value_text(row["conversion_rate"], "rate") + (", too few" if row["is_too_few"] else ""),
            "range_text": f"{value_text(row['low'], 'rate')} to {value_text(row['high'], 'rate')}",
            "tone": "value",
        }
        for row in rows
    ]
    largest = max((row["high"] or 0 for row in rows), default=0) or 1
    base = alt.Chart(values(shown)).encode(
        y=alt.Y(
            f"{label}:N",
            sort=None,
            axis=alt.Axis(
                title=None, ticks=False, domain=False, labelLimit=150, labelPadding=8, labelFlush=False
            ),
        ),
        tooltip=[
            alt.Tooltip(f"{label}:N", title=" "),
            alt.Tooltip("text:N", title=title),
            alt.Tooltip("range_text:N", title="With 95% certainty"),
            alt.Tooltip("converting_visitor_count:Q", title="Converting visitors", format=",d"),
            alt.Tooltip("visitor_count:Q", title="Visitors", format=",d"),
        ],
    )
    scale = alt.Scale(domain=[0, largest * 1.3])
    axis = alt.Axis(title=None, format=".1~%", tickCount=4, grid=True)
    return alt.layer(
        base.mark_rule(strokeWidth=3, color=EARLIER_COLOUR).encode(
            x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q"
        ),
        base.mark_point(size=90, opacity=1, strokeWidth=2).encode(
            x=alt.X("conversion_rate:Q", scale=scale),
            fill=alt.condition("datum.is_too_few", alt.value("transparent"), VALUE_COLOUR),
        ),
        base.mark_text(align="left", dx=8).encode(
            x=alt.X("high:Q", scale=scale), text="text:N", color=VALUE_COLOUR
        ),
    ).properties(height=len(rows) * BAR_STEP + BARS_MARGIN + 20)
