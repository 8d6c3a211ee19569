"""Charts of one point a thing, with what lies above and below the middle. Pure functions of rows.

Not here: Streamlit, queries, words about what a chart shows (the pages' `alt`).
"""

from collections.abc import Sequence
from statistics import median
from typing import Any, Final

import altair as alt

from app.chart_parts import EARLIER_COLOUR, TREND_HEIGHT, Chart, Row, values
from app.format import count_text, score_text

LESS_OPENED: Final = "relevant, less often opened"
CORNERS: Final = (
    "relevant, often opened", "less relevant, often opened", LESS_OPENED, "less relevant, less often opened",
)  # fmt: skip
# Fewer have no middle to speak of.
FEWEST_SCORED: Final = 3


def corner_of(accesses: int, score: float, middle_accesses: float, middle_score: float) -> str:
    """Where an item lies: at the median itself it counts as often opened, or relevant."""
    often, relevant = accesses >= middle_accesses, score >= middle_score
    if often:
        return CORNERS[0] if relevant else CORNERS[1]
    return LESS_OPENED if relevant else CORNERS[3]


def relevance_points(items: Sequence[Row]) -> list[dict[str, Any]]:
    """The items that were scored, each with its corner; both middles are medians of these items.

    Empty when there are too few of them to have a middle.
    """
    scored = [item for item in items if item["relevance_score"] is not None]
    if len(scored) < FEWEST_SCORED:
        return []
    middle_accesses = median(item["access_count"] for item in scored)
    middle_score = median(item["relevance_score"] for item in scored)
    return [
        {
            "opened_content": item["content_id"],
            "title": item["content_title"],
            "access_count": item["access_count"],
            "relevance_score": item["relevance_score"],
            "corner": corner_of(item["access_count"], item["relevance_score"], middle_accesses, middle_score),
            "accesses_text": count_text(item["access_count"]),
            "score_text": f"{score_text(item['relevance_score'])} of "
            f"{count_text(item['relevance_score_count'])}",
            "middle_accesses": middle_accesses,
            "middle_score": middle_score,
        }
        for item in scored
    ]


def relevance_against_use(points: Sequence[Row]) -> Chart:
    """A point an item: how often it was opened, how relevant it was scored; the lines are the medians.

    A click chooses an item, as the selection `picked`. The shape says what the colour says.
    """
    base = alt.Chart(values(points))
    middles = alt.Chart(values(points[:1]))
    x = alt.X(
        "access_count:Q",
        axis=alt.Axis(title="Times opened", grid=False, tickMinStep=1, tickCount=6),
        scale=alt.Scale(zero=False, nice=True, padding=12),
    )
    y = alt.Y(
        "relevance_score:Q",
        axis=alt.Axis(title="Relevance", tickCount=5, format=".2f", domain=False),
        scale=alt.Scale(zero=False, nice=True, padding=12),
    )
    dots = base.mark_point(size=90, filled=True, opacity=0.85, cursor="pointer").encode(
        x=x,
        y=y,
        color=alt.Color(
            "corner:N",
            scale=alt.Scale(domain=list(CORNERS)),
            legend=alt.Legend(orient="top", title=None, columns=1, labelLimit=240),
        ),
        shape=alt.Shape("corner:N", scale=alt.Scale(domain=list(CORNERS)), legend=None),
        tooltip=[
            alt.Tooltip("title:N", title="Content item"),
            alt.Tooltip("accesses_text:N", title="Times opened"),
            alt.Tooltip("score_text:N", title="Relevance, of how many scores"),
            alt.Tooltip("corner:N", title=" "),
        ],
    )
    rules = middles.mark_rule(color=EARLIER_COLOUR, strokeDash=[4, 4])
    return alt.layer(
        rules.encode(x="middle_accesses:Q"),
        rules.encode(y="middle_score:Q"),
        dots.add_params(alt.selection_point(name="picked", fields=["opened_content"], on="click")),
    ).properties(height=TREND_HEIGHT + 90)
