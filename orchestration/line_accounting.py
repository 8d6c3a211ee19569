"""What became of every line that was ever received: by day of loading, by file, by reason.

Why it exists: `engagement status` and the assets' metadata show the same rows of the same queries. METRICS,
"Accounting": received = accepted + duplicate + rejected + suppressed, for every file and every day.
Not here: how lines are counted (`raw_events.py`), printing (`printing.py`), the dashboard
(`app/accounting.py`).
"""

from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    # The names below are printed by commands that need no database, which takes 0.13 s to import.
    import duckdb

FATES: Final = ("accepted", "duplicate", "rejected", "suppressed")
COUNTED: Final = ("received", *FATES)
# A file has the same accounting before the models are built and after.
FilesOf = Literal["raw", "marts"]

_SUMS: Final = ", ".join(f"coalesce(sum({name}_count), 0)::bigint as {name}_count" for name in COUNTED)
_COUNTS: Final = ", ".join(f"{name}_count" for name in COUNTED)
_GAP: Final = f"received_count <> {' + '.join(f'{name}_count' for name in FATES)}"


def line_totals(connection: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    """`received`, `accepted` …: lines of event files, over everything ever loaded."""
    (row,) = _rows(connection, f"select {_SUMS} from marts.ingestion_daily")
    return {name: row[f"{name}_count"] for name in COUNTED}


def lines_by_day(connection: "duckdb.DuckDBPyConnection") -> list[dict[str, Any]]:
    """One row per day of loading (reporting zone), newest first: the counts and `rejected_by_reason`."""
    days = _rows(
        connection,
        f"""select load_date::varchar as load_date, {_SUMS} from marts.ingestion_daily
        group by load_date order by load_date desc""",
    )
    reasons = _rows(
        connection,
        """select load_date::varchar as load_date, reason, sum(rejected_count)::bigint as rejected_count
        from marts.rejected_daily group by load_date, reason order by rejected_count desc, reason""",
    )
    of_day: dict[str, dict[str, int]] = {}
    for row in reasons:
        of_day.setdefault(row["load_date"], {})[row["reason"]] = row["rejected_count"]
    return [{**day, "rejected_by_reason": of_day.get(day["load_date"], {})} for day in days]


def rejected_by_reason(connection: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    """Rejected lines of event files by reason, most frequent first."""
    rows = _rows(
        connection,
        """select reason, sum(rejected_count)::bigint as rejected_count from marts.rejected_daily
        group by reason order by rejected_count desc, reason""",
    )
    return {row["reason"]: row["rejected_count"] for row in rows}


def newest_files(
    connection: "duckdb.DuckDBPyConnection", limit: int, files_of: FilesOf = "marts"
) -> list[dict[str, Any]]:
    """The newest files with their accounting: catalogues, repeated and refused ones too, these with zeros."""
    rows = _rows(
        connection,
        f"""select loaded_at, file_kind, file_name, status, refused_reason, {_COUNTS}
        from {files_of}.event_files order by file_id desc limit {limit:d}""",
    )
    return [{**row, "loaded_at": f"{row['loaded_at']:%Y-%m-%dT%H:%M:%SZ}"} for row in rows]


def unaccounted(connection: "duckdb.DuckDBPyConnection") -> dict[str, list[Any]]:
    """`days` and `file_ids` whose lines do not add up: empty, or a defect of ours."""
    days = _rows(
        connection,
        f"""select load_date::varchar as load_date from (
            select load_date, {_SUMS} from marts.ingestion_daily group by load_date
        ) where {_GAP} order by load_date""",
    )
    files = _rows(connection, f"select file_id from marts.event_files where {_GAP} order by file_id")
    return {
        "days": [row["load_date"] for row in days],
        "file_ids": [row["file_id"] for row in files],
    }


def _rows(connection: "duckdb.DuckDBPyConnection", query: str) -> list[dict[str, Any]]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
