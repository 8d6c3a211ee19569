"""Rows of figures as a table of text that fits a terminal. Pure.

Not here: the figures (`metric_reports.py`), printing (`orchestration/printing.py`).
"""

import textwrap
from collections.abc import Sequence
from typing import Any, Final

from app.comparison import Change
from app.format import NOTHING, change_text, money_text, signed_text, value_text
from app.metrics import METRIC_IDS, METRICS_BY_ID, Metric

# What is shown while there is room, the most telling first; a breakdown without one shows the next.
FIRST_COLUMNS: Final = (
    "view_count", "unique_viewer_count", "session_count", "engagement_rate", "turn_count",
    "content_access_count", "conversion_count", "conversion_rate", "revenue", "search_count",
    "zero_result_rate", "video_play_count", "video_completion_rate", "accessing_visitor_count",
    "citation_count", "cta_impression_count", "cta_click_count", "cta_click_through_rate",
    "custom_event_count", "reply_seconds_median",
)  # fmt: skip
LABEL_WIDTH: Final = 12
LONGEST_KEY: Final = 32
GAP: Final = "  "


def both_changes(change: Change, metric: Metric) -> str:
    """+5 points, +25%: a rate changes in points and in percent; new from zero; nothing for nothing."""
    if change.previous is None or change.value is None:
        return ""
    text = change_text(change, metric)
    if change.change_points is None or change.change_points == 0:
        return text
    return f"{text}, {'new' if change.is_new else signed_text(change.change or 0, '%')}"


def row_change(row: dict[str, Any], metric_id: str) -> Change | None:
    """The change of a figure of a compared row; None where rows are not compared."""
    if not row.get("previous"):
        return None
    previous = row["previous"][metric_id]
    return Change(
        row[metric_id], previous, row["change"][metric_id], row["change_points"].get(metric_id),
        is_new=previous == 0 and bool(row[metric_id]),
    )  # fmt: skip


def rows_text(
    rows: Sequence[dict[str, Any]], keys: Sequence[str], width: int, chosen: Sequence[str] = ()
) -> str:
    """Lines of a table: the keys, then the chosen figures, or those that have values and fit into `width`.

    Numbers are right aligned under their label; a compared row has the change behind its value.
    """
    wanted = list(chosen) or [*FIRST_COLUMNS, *(name for name in METRIC_IDS if name not in FIRST_COLUMNS)]
    columns = [_key_column(rows, key) for key in keys]
    left = width - sum(len(column[-1]) + len(GAP) for column in columns)
    shown = 0
    with_values = [name for name in wanted if chosen or any(row[name] not in (None, {}) for row in rows)]
    for name in with_values:
        column = _figure_column(rows, name)
        if not chosen and left < len(column[-1]):
            break
        left -= len(column[-1]) + len(GAP)
        columns.append(column)
        shown += 1
    height = max(len(column) for column in columns)
    # Labels stand at the foot of the head, whatever their number of lines.
    padded = [[" " * len(column[-1])] * (height - len(column)) + column for column in columns]
    lines = [GAP.join(cells).rstrip() for cells in zip(*padded, strict=True)]
    if shown < len(with_values):
        lines.append(f"{shown} of {len(with_values)} figures; others with --metric ID, all with --json.")
    return "\n".join(lines)


def _key_column(rows: Sequence[dict[str, Any]], key: str) -> list[str]:
    texts = [textwrap.shorten(str(row[key]), LONGEST_KEY, placeholder="…") or "…" for row in rows]
    width = max(len(text) for text in (key, *texts))
    return [text.ljust(width) for text in (key, *texts)]


def _figure_column(rows: Sequence[dict[str, Any]], name: str) -> list[str]:
    head = textwrap.wrap(METRICS_BY_ID[name].label, LABEL_WIDTH)
    texts = [_cell(row, name) for row in rows]
    width = max(len(text) for text in (*head, *texts))
    return [text.rjust(width) for text in (*head, *texts)]


def _cell(row: dict[str, Any], name: str) -> str:
    metric = METRICS_BY_ID[name]
    if metric.unit == "money":
        return ", ".join(money_text(amount, currency) for currency, amount in row[name].items()) or NOTHING
    text = value_text(row[name], metric.unit)
    change = row_change(row, name)
    written = both_changes(change, metric) if change else ""
    return f"{text} ({written})" if written else text
