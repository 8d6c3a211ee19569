"""Every figure of the registry as rows: as text for people, as numbers for files. Pure.

Why it exists: the table on the screen, the report and the exports show one comparison.
Not here: the comparison (`queries.compare`), drawing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.comparison import Change
from app.format import change_text, money_text, value_text
from app.metrics import METRICS, METRICS_BY_ID, Metric
from app.queries import Comparison


@dataclass(frozen=True)
class FigureText:
    """One figure as a reader sees it; `change` is a dash where nothing can be compared."""

    label: str
    value: str
    before: str
    change: str
    definition: str


def figure_texts(found: Comparison, metric_ids: Iterable[str] | None = None) -> list[FigureText]:
    """The figures in the order asked for (all of them without), revenue as one row per currency."""
    wanted = [METRICS_BY_ID[name] for name in metric_ids] if metric_ids is not None else METRICS
    rows = []
    for metric in wanted:
        if metric.unit == "money":
            rows += [
                _text(metric, change, f"{metric.label}, {currency}", currency)
                for currency, change in found.revenue.items()
            ]
        else:
            rows.append(_text(metric, found.figures[metric.id], metric.label))
    return rows


def _text(metric: Metric, change: Change, label: str, currency: str = "") -> FigureText:
    def written(value: float | None) -> str:
        return money_text(value, currency) if metric.unit == "money" else value_text(value, metric.unit)

    return FigureText(
        label, written(change.value), written(change.previous), change_text(change, metric), metric.definition
    )


def figure_numbers(found: Comparison) -> list[dict[str, Any]]:
    """Every figure as numbers: rates are fractions, times are seconds, changes are percent."""
    named = [(metric, metric.id, "", found.figures.get(metric.id)) for metric in METRICS]
    named += [(METRICS_BY_ID["revenue"], "revenue", name, change) for name, change in found.revenue.items()]
    return [
        {
            "metric": metric_id,
            "label": metric.label,
            "currency": currency or None,
            "unit": metric.unit,
            "value": _number(change.value),
            "previous": _number(change.previous),
            "change_percent": change.change,
            "change_points": change.change_points,
            "definition": metric.definition,
        }
        for metric, metric_id, currency, change in named
        if change is not None
    ]


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
