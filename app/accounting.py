"""What became of every line that was ever received: by day of loading, by reason, by file.

Each function answers with plain rows (dicts), and empty when the publication lacks the mart. The
period and the filters of a reader do not apply: lines are accounted for when they are loaded.
Not here: Streamlit, formatting, anything about events (`breakdowns.py`).
"""

from typing import Any, Final

from app.breakdowns import dict_rows, has_tables
from app.publications import Publication

FATES: Final = ("accepted", "duplicate", "rejected", "suppressed")
LOAD_DAYS_SHOWN: Final = 30
FILES_SHOWN: Final = 50
REJECTED_LINES_SHOWN: Final = 200


def load_days(publication: Publication, limit: int = LOAD_DAYS_SHOWN) -> list[dict[str, Any]]:
    """The accounting per day of loading, newest last, the newest 30 days that loaded something."""
    if not has_tables(publication, "ingestion_daily"):
        return []
    return dict_rows(
        publication,
        ("load_date", "received_count", "accepted_count", "duplicate_count", "rejected_count",
         "suppressed_count"),
        "select * from (select load_date, sum(received_count), sum(accepted_count), "
        "sum(duplicate_count), sum(rejected_count), sum(suppressed_count) "
        "from marts.ingestion_daily group by load_date order by load_date desc limit $days) "
        "order by load_date",
        {"days": limit},
    )  # fmt: skip


def load_totals(publication: Publication) -> dict[str, int]:
    """The accounting over everything ever loaded; empty without the mart."""
    if not has_tables(publication, "ingestion_daily"):
        return {}
    columns = ("received", "accepted", "duplicate", "rejected", "suppressed")
    sums = ", ".join(f"coalesce(sum({name}_count), 0)" for name in columns)
    return dict_rows(publication, columns, f"select {sums} from marts.ingestion_daily", {})[0]


def rejected_reasons(publication: Publication) -> list[dict[str, Any]]:
    """Rejected lines by reason and the field that offended, most frequent first."""
    if not has_tables(publication, "rejected_daily"):
        return []
    return dict_rows(
        publication,
        ("reason", "field", "rejected_count", "last_load_date"),
        "select reason, field, sum(rejected_count) as rejected_count, max(load_date) "
        "from marts.rejected_daily group by reason, field "
        "order by rejected_count desc, reason, field",
        {},
    )


def event_files(publication: Publication, limit: int = FILES_SHOWN) -> list[dict[str, Any]]:
    """The newest files with their accounting; `refused_reason` is null for what was not refused."""
    if not has_tables(publication, "event_files"):
        return []
    columns = (
        "file_name", "status", "refused_reason", "received_count", "accepted_count", "duplicate_count",
        "rejected_count", "suppressed_count", "loaded_at",
    )  # fmt: skip
    return dict_rows(
        publication,
        columns,
        f"select {', '.join(columns)} from marts.event_files "
        "order by loaded_at desc, file_id desc limit $files",
        {"files": limit},
    )


def rejected_lines(publication: Publication, limit: int = REJECTED_LINES_SHOWN) -> list[dict[str, Any]]:
    """The newest rejected lines with the shape of their text; for readers of the whole warehouse."""
    if not has_tables(publication, "rejected_lines"):
        return []
    columns = ("file_name", "line_number", "reason", "field", "excerpt", "load_date")
    return dict_rows(
        publication,
        columns,
        f"select {', '.join(columns)} from marts.rejected_lines "
        "order by load_date desc, file_id desc, line_number desc limit $lines",
        {"lines": limit},
    )


def accounting_by_day(publication: Publication) -> list[dict[str, Any]]:
    """Received lines per loading day, one row per fate."""
    return [
        {"load_date": row["load_date"], "fate": fate, "line_count": row[f"{fate}_count"], "rank": rank}
        for row in load_days(publication)
        for rank, fate in enumerate(FATES)
    ]
