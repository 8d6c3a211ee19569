"""What `engagement metrics` prints: the registry's figures as plain JSON values, compared.

Not here: the figures themselves (`queries.py`), the text for a terminal (`orchestration/printing.py`).
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from app.comparison import Change, EarlierPeriod, compare_values
from app.intervals import is_too_few, wilson_interval
from app.metrics import METRIC_IDS, METRICS_BY_ID
from app.publications import Publication
from app.queries import compare, first_days, metric_rows, metric_values, period_before
from app.selection import TIME_KEYS, Comparing, Selection, SelectionError, nearest


def checked_metrics(metric_ids: Sequence[str]) -> Sequence[str]:
    """`metric_ids` themselves; SelectionError for one that is none."""
    for metric_id in metric_ids:
        if metric_id not in METRICS_BY_ID:
            raise SelectionError(
                f"There is no metric {metric_id!r}{nearest(metric_id, METRIC_IDS)}. "
                f"Metrics are {', '.join(METRIC_IDS)}."
            )
    return metric_ids


def metrics_report(
    publication: Publication,
    selection: Selection,
    by: Sequence[str] = (),
    compare_with: Comparing | None = None,
) -> dict[str, Any]:
    """What `engagement metrics --json` prints: plain JSON values only.

    Totals are compared with the previous period unless another comparison, or none, is asked for; rows
    only when one is asked for.
    """
    report: dict[str, Any] = {
        "from": selection.date_from.isoformat(),
        "to": selection.date_to.isoformat(),
        "timezone": publication.timezone,
        "capsules": list(selection.capsules),
        "publication": {
            "id": publication.id,
            "published_at": instant_text(publication.published_at),
            "as_of": instant_text(publication.as_of),
        },
    }
    if selection.bots != "exclude":
        report["bots"] = selection.bots
    if selection.filters:
        report["filters"] = {name: list(values) for name, values in selection.filters.items()}
    if by:
        rows = metric_rows(publication, selection, by, (*METRIC_IDS, "ctr_basis", "rated_visitor_count"))
        report["rows"] = [_with_interval(row) for row in rows]
        if compare_with is not None:
            earlier = period_before(publication, selection, compare_with)
            report["compared_with"] = _earlier_text(earlier)
            _add_previous(report["rows"], publication, earlier, by)
        return report
    comparison = compare(publication, selection, compare_with or "previous")
    report["compared_with"] = _earlier_text(comparison.earlier)
    report["metrics"] = {
        metric_id: _printed(comparison.figures[metric_id])
        if metric_id in comparison.figures
        else {currency: _printed(change) for currency, change in comparison.revenue.items()}
        for metric_id in METRIC_IDS
    }
    parts = metric_values(
        publication, selection, ("converting_visitor_count", "rated_visitor_count", "ctr_basis")
    )
    report["metrics"]["conversion_rate"] |= {
        "interval": wilson_interval(parts["converting_visitor_count"], parts["rated_visitor_count"]),
        "is_too_few": is_too_few(parts["rated_visitor_count"]),
    }
    report["metrics"]["cta_click_through_rate"]["ctr_basis"] = parts["ctr_basis"]
    return report


def _with_interval(row: dict[str, Any]) -> dict[str, Any]:
    """A row as plain JSON values, with the interval of its conversion rate."""
    found = {key: json_value(value) for key, value in row.items()}
    visitors = found.pop("rated_visitor_count")
    found["conversion_rate_interval"] = wilson_interval(found["converting_visitor_count"], visitors)
    found["conversion_rate_is_too_few"] = is_too_few(visitors)
    return found


def _earlier_text(earlier: EarlierPeriod) -> dict[str, Any]:
    """What the period is compared with, or why with nothing; `is_so_far` while it is not over."""
    chosen = earlier.selection
    return {
        "from": chosen.date_from.isoformat() if chosen else None,
        "to": chosen.date_to.isoformat() if chosen else None,
        "is_so_far": earlier.is_so_far,
        "reason": earlier.reason or None,
    }


def _add_previous(
    rows: Sequence[dict[str, Any]], publication: Publication, earlier: EarlierPeriod, by: Sequence[str]
) -> None:
    """Gives every row its earlier self: `previous`, `change` and `change_points` by metric id.

    What did not occur before counted 0 then, and had no rates; a key of time has no earlier self, nor has
    a capsule whose first event came after the beginning of the earlier period.
    """
    if any(key in TIME_KEYS for key in by):
        raise SelectionError(
            f"Rows by {', '.join(TIME_KEYS)} have no earlier self: compare along other keys, or leave out "
            "--compare."
        )
    if earlier.selection is None:
        return
    single = [metric_id for metric_id in METRIC_IDS if metric_id != "revenue"]
    before = {
        tuple(row[key] for key in by): row for row in metric_rows(publication, earlier.selection, by, single)
    }
    days = first_days(publication) if "capsule" in by else {}
    for row in rows:
        if "capsule" in by and days.get(row["capsule"], date.max) > earlier.selection.date_from:
            row |= {"previous": None, "change": None, "change_points": None}
            continue
        found = before.get(tuple(row[key] for key in by), {})
        changes = {
            metric_id: compare_values(
                row[metric_id],
                found.get(metric_id, 0 if METRICS_BY_ID[metric_id].unit == "count" else None),
                is_rate=METRICS_BY_ID[metric_id].unit == "rate",
            )
            for metric_id in single
        }
        row["previous"] = {metric_id: change.previous for metric_id, change in changes.items()}
        row["change"] = {metric_id: change.change for metric_id, change in changes.items()}
        row["change_points"] = {
            metric_id: change.change_points
            for metric_id, change in changes.items()
            if METRICS_BY_ID[metric_id].unit == "rate"
        }


def _printed(change: Change) -> dict[str, Any]:
    return {name: value for name, value in asdict(change).items() if name != "is_new"}


def instant_text(instant: datetime | None) -> str | None:
    """ISO 8601, with milliseconds where there are any; UTC is written with a Z."""
    if instant is None:
        return None
    precision = "milliseconds" if instant.microsecond else "seconds"
    return instant.isoformat(timespec=precision).replace("+00:00", "Z")


def json_value(value: Any) -> Any:
    """Dates and instants as ISO text, everything else as it is."""
    if isinstance(value, datetime):
        return instant_text(value)
    return value.isoformat() if isinstance(value, date) else value
