"""Draws figures of the registry: cards with change, previous value and sparkline, and tables.

Why it exists: every tab shows a metric the same way, with its definition one click away.
Not here: which metrics a tab shows (the pages), what they mean (`metrics.py`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import streamlit as st

from app.answers import ask
from app.breakdowns import drawn_buckets, grain_of
from app.chart_parts import Chart, readable
from app.comparison import NOT_COMPARABLE, Change
from app.downloads import download_menu
from app.figure_rows import figure_texts
from app.format import (
    change_text,
    count_text,
    escape_markdown,
    money_text,
    name_text,
    range_text,
    told_apart,
    value_text,
)
from app.guards import trend_rows
from app.metrics import METRICS_BY_ID, Metric
from app.queries import Comparison, compare, metric_rows
from app.trend_charts import by_weekday, trend, trend_points
from app.view import View, current_view, filter_by

# Two cards fit beside each other on a phone of 390 pixels.
CARD_WIDTH: Final = 150
# What is long (money) or stands in a card of its own (which takes room) has a row of a phone to itself.
WIDE_CARD: Final = 200
# Below it two pairs of cards stand under each other: never three in a row and one alone below.
PAIR_WIDTH: Final = 420
# A smaller change, in percent of the earlier value, is no verdict: it keeps the grey of the text around it.
TRIVIAL_CHANGE: Final = 2.0
CURRENCIES_SHOWN: Final = 4
# Letters of a change and of the value before it on a card of a phone, before the last ones are cut.
MOST_BESIDE: Final = 21


def key_figures(view: View, metric_ids: Sequence[str], card_width: int = CARD_WIDTH) -> None:
    """A wall of cards, one per metric; revenue becomes one per currency."""
    found = ask(compare, view.publication, view.selection, view.comparing, tuple(metric_ids))
    grain = grain_of(view.selection)
    rows = ask(metric_rows, view.publication, view.selection, (grain,), tuple(metric_ids))
    whole = drawn_buckets(view.publication, rows, grain, view.selection, view.earlier.is_so_far)
    # The bucket that is not over yet would always end the sparkline with a fall.
    whole = whole[:-1] if view.earlier.is_so_far and len(whole) > 3 else whole
    single = [METRICS_BY_ID[name] for name in metric_ids if METRICS_BY_ID[name].unit != "money"]
    for metric, cell in zip(single, card_wall(len(single), card_width), strict=True):
        change = found.figures[metric.id]
        history = [row[metric.id] for row in whole]
        before = value_text(change.previous, metric.unit)
        with cell:
            _card(view, metric, value_text(change.value, metric.unit), before, change, history)
    if "revenue" in metric_ids and found.revenue:
        _revenue_cards(view, found, whole)


def card_wall(count: int, card_width: int = CARD_WIDTH) -> Iterator[Any]:
    """A place for each of `count` cards: four in a row on a desk, two where four do not fit."""
    pairs = st.grid(2, min_column_width=PAIR_WIDTH)
    for number in range(count):
        if number % 2 == 0:
            pair = pairs.grid(2, min_column_width=card_width, height="stretch")
        yield pair


def _revenue_cards(view: View, found: Comparison, rows: Sequence[Mapping[str, Any]]) -> None:
    """A row of its own: one card per currency, the largest first, never added up."""
    largest = sorted(found.revenue, key=lambda name: -abs(found.revenue[name].value or 0))
    with st.grid(min(len(largest), CURRENCIES_SHOWN), min_column_width=WIDE_CARD):
        for currency in largest[:CURRENCIES_SHOWN]:
            change = found.revenue[currency]
            history = [row["revenue"].get(currency, 0.0) for row in rows]
            before = money_text(change.previous, currency)
            text = money_text(change.value, currency)
            _card(view, METRICS_BY_ID["revenue"], text, before, change, history)


def _card(
    view: View, metric: Metric, text: str, before: str, change: Change, history: Sequence[float | None]
) -> None:
    known = [value for value in history if value is not None]
    is_compared = view.comparing != "none" and change.previous is not None
    delta, beside = compared_texts(change, metric, before)
    st.metric(
        escape_markdown(metric.on_card or metric.label),
        escape_markdown(text),
        delta if is_compared else _no_change_text(view, change),
        # The sparkline takes this colour: it shows a course, not a verdict.
        delta_color="off",
        delta_arrow="off",
        delta_description=beside if is_compared else None,
        chart_data=known if len(known) > 2 else None,
        chart_type="area" if metric.unit in ("count", "money") else "line",
        help=escape_markdown(metric.definition),
        border=True,
        height="stretch",
    )


def compared_texts(change: Change, metric: Metric, before: str) -> tuple[str, str]:
    """The change and the value before it, which fit beside each other on a card of a phone."""
    delta, beside = delta_text(change, metric), f"from {before}"
    if len(change_text(change, metric)) + len(beside) > MOST_BESIDE:
        delta = delta.replace(" points", " pts")
    return delta, beside


def delta_text(change: Change, metric: Metric) -> str:
    """The change with its sign, in the colour of good or bad; grey when it is trivial or neither."""
    text = escape_markdown(change_text(change, metric))
    percent = 100.0 if change.is_new else change.change or 0
    if metric.good == "neutral" or abs(percent) < TRIVIAL_CHANGE:
        return text
    rises = percent > 0
    return f":{'green' if rises == (metric.good == 'up') else 'red'}[{text}]"


def _no_change_text(view: View, change: Change) -> str | None:
    """Nothing beside a dash: what has no value is not the comparison's fault."""
    return None if view.comparing == "none" or change.value is None else "not comparable"


def all_figures(view: View) -> None:
    """Every metric of the registry as a table: value, earlier value, change, definition."""
    found = ask(compare, view.publication, view.selection, view.comparing)
    rows = [
        {
            "Figure": row.label,
            "Value": row.value,
            "Before": row.before,
            "Change": row.change,
            "What it means": row.definition,
        }
        for row in figure_texts(found)
    ]
    # A table, not a data frame: its cells wrap, so that a definition can be read to its end.
    st.table(
        [{name: escape_markdown(text) for name, text in row.items()} for row in rows],
        border="horizontal",
        hide_index=True,
        height=480,
        alt="Every figure of the chosen period with its value before, change and definition",
    )


def comparison_note(view: View) -> None:
    """Which days are shown and what they are compared with, in one line."""
    if view.comparing == "none":
        text = "Not compared."
    elif view.earlier.selection is None:
        text = (
            "Not comparable: the earlier period begins before the first event."
            if view.earlier.reason == NOT_COMPARABLE
            else view.earlier.reason
        )
    else:
        earlier = view.earlier.selection
        days = range_text(earlier.date_from, earlier.date_to)
        part = ", up to the same hour" if view.earlier.is_so_far else ""
        text = f"Compared with {days}{part}."
    st.caption(f"{view.period_text}. {text}")


def card(title: str, note: str = "", downloads: Sequence[str] = ()) -> Any:
    """A bordered container with a heading: one chart or table and the words that go with it.

    `downloads` names the tables of `view_tables.py` that it shows, for the button in its corner.
    """
    container = st.container(border=True, height="stretch")
    head = container.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    )
    head.subheader(title, anchor=False, width="content")
    if downloads:
        with head:
            download_menu(current_view(), title, downloads)
    if note:
        container.caption(note)
    return container


def draw_chart(chart: Chart, alt: str, **looks: Any) -> None:
    """A chart with words for those who do not see it, and labels that everybody can read."""
    st.altair_chart(readable(chart), alt=alt, **looks)


def trend_chart(view: View, metric: Metric) -> None:
    """The metric over time beside the earlier period, with the words that explain its lines."""
    grain = grain_of(view.selection)
    rows, earlier_rows = trend_rows(view, metric.id)
    points = trend_points(rows, earlier_rows, metric, grain, view.earlier.is_so_far)
    if all(point["value"] is None and point["earlier"] is None for point in points):
        st.markdown("There is nothing to draw for this figure in this period.")
        return
    is_compared = any(point["earlier"] is not None for point in points)
    behind = ", with the earlier period dashed" if is_compared else ""
    draw_chart(trend(points, metric, grain), alt=f"{metric.label} over time, {view.period_text}{behind}")
    st.caption(trend_note(grain, len(points), is_compared, view.earlier.is_so_far))


def trend_note(grain: str, days: int, is_compared: bool, is_so_far: bool) -> str:
    """What a point and each kind of line of a trend stand for."""
    words = [f"Each point is {'an' if grain == 'hour' else 'a'} {grain}."]
    dashed = "the earlier one, weekday by weekday" if by_weekday(grain, days) else "the earlier one"
    words.append(f"Solid: this period. Dashed: {dashed}." if is_compared else "Solid: this period.")
    if is_so_far:
        words.append("The hollow point is not over yet.")
    return " ".join(words)


def ranking_rows(
    view: View,
    key: str,
    metric_ids: Sequence[str],
    names: Mapping[str, str] | None = None,
    limit: int = 10,
    word: Callable[[str], str] = name_text,
) -> tuple[list[dict[str, Any]], int]:
    """The largest values of a dimension by the first metric, with a readable name; and how many."""
    rows = ask(metric_rows, view.publication, view.selection, (key,), tuple(metric_ids))
    first = metric_ids[0]
    counted = [row for row in rows if row[first]]
    ranked = sorted(counted, key=lambda row: (-row[first], row[key]))[:limit]
    # Two bars of one name would be drawn as one.
    name_of = told_apart({row[key]: (names or {}).get(row[key], word(row[key])) for row in ranked})
    return [{**row, "name": name_of[row[key]]} for row in ranked], len(counted)


def ranking_note(shown: int, total: int, what: str) -> str:
    """Says what a ranking leaves out; nothing when it is complete."""
    return f"The largest {shown} of {count_text(total)} {what}." if shown < total else ""


def ranking_chart(chart: Chart, key: str, alt: str, what: str = "bar") -> None:
    """A chart whose bars (or countries) filter the view by `key` when they are clicked."""
    # Its name holds what is chosen, so that a click is not repeated by the next run.
    chosen = "-".join(st.session_state["filters"][key])

    def pick() -> None:
        picked = st.session_state[name]["selection"].get("picked", [])
        # What lies under the bars, such as land that nobody came from, has no value.
        if picked and key in picked[0]:
            filter_by(key, picked[0][key])

    name = f"{what}_{key}_{chosen}"
    draw_chart(chart, f"{alt}. A click on a {what} filters by it.", key=name, on_select=pick)


def picking_table(
    rows: Sequence[Mapping[str, Any]], shown: Sequence[Mapping[str, Any]], key: str, column: str, **looks: Any
) -> None:
    """A table of `shown` whose first column ticks a row to filter the view by `column` of `rows`."""
    chosen = "-".join(st.session_state["filters"][key])

    def pick() -> None:
        for index in st.session_state[name]["selection"]["rows"]:
            filter_by(key, rows[index][column])

    name = f"table_{key}_{chosen}"
    st.dataframe(list(shown), hide_index=True, key=name, on_select=pick, selection_mode="single-row", **looks)


def tell_insight(view: View, row: Mapping[str, Any]) -> None:
    """One insight: what changed, what to do, a link to the view that shows it, and its evidence on demand."""
    capsule = view.capsule_names.get(row["capsule_id"], row["capsule_id"])
    st.markdown(f"**{escape_markdown(capsule)}: {escape_markdown(row['sentence'])}**")
    st.markdown(escape_markdown(row["recommendation"] or ""))
    page = str(row["link"]).split("?")[0].strip("/")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button(f"See it on {name_text(page)}", row["link"], type="tertiary")
        with st.popover("How sure is this?", type="tertiary"):
            st.caption(escape_markdown(row["evidence"] or ""))
