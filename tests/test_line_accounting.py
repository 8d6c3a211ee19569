"""Received = accepted + duplicate + rejected + suppressed, wherever somebody looks."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from orchestration.line_accounting import (
    line_totals,
    lines_by_day,
    newest_files,
    rejected_by_reason,
    unaccounted,
)
from orchestration.printing import print_status

# Two capsules and unreadable lines over two days: received, accepted, duplicate, rejected, suppressed.
DAYS = [
    ("2026-11-20", "a", (10, 6, 2, 1, 1)),
    ("2026-11-20", None, (2, 0, 0, 2, 0)),
    ("2026-11-21", "a", (5, 5, 0, 0, 0)),
    ("2026-11-21", "b", (4, 1, 0, 3, 0)),
]
REJECTED = [
    ("2026-11-20", "a", "id_conflict", 1),
    ("2026-11-20", None, "not_json", 2),
    ("2026-11-21", "b", "not_json", 1),
    ("2026-11-21", "b", "blank_field", 2),
]
FILES = [
    (1, "events", "a.ndjson", "loaded", None, (12, 6, 2, 3, 1)),
    (2, "events", "b.ndjson", "loaded", None, (9, 6, 0, 3, 0)),
    (3, "events", "again.ndjson", "repeated", None, (0, 0, 0, 0, 0)),
    (4, "events", "torn.ndjson.gz", "refused", "damaged_compression", (0, 0, 0, 0, 0)),
]


@pytest.fixture
def marts() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        counts = "received_count bigint, accepted_count bigint, duplicate_count bigint, " \
            "rejected_count bigint, suppressed_count bigint"  # fmt: skip
        connection.execute("create schema marts")
        connection.execute(
            f"create table marts.ingestion_daily (load_date date, capsule_id varchar, {counts})"
        )
        connection.execute(
            "create table marts.rejected_daily (load_date date, capsule_id varchar, reason varchar, "
            "rejected_count bigint)"
        )
        connection.execute(
            "create table marts.event_files (file_id bigint, file_kind varchar, file_name varchar, "
            f"status varchar, refused_reason varchar, loaded_at timestamp, {counts})"
        )
        for day, capsule, lines in DAYS:
            connection.execute("insert into marts.ingestion_daily values (?, ?, ?, ?, ?, ?, ?)",
                               [day, capsule, *lines])  # fmt: skip
        connection.executemany("insert into marts.rejected_daily values (?, ?, ?, ?)", REJECTED)
        for *file, lines in FILES:
            connection.execute(
                "insert into marts.event_files values (?, ?, ?, ?, ?, '2026-11-21 10:00:00', ?, ?, ?, ?, ?)",
                [*file, *lines],
            )
        yield connection


def counts_of(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(
        row[f"{name}_count"] for name in ("received", "accepted", "duplicate", "rejected", "suppressed")
    )


def test_lines_add_up_in_all_by_day_and_by_reason(marts: duckdb.DuckDBPyConnection) -> None:
    assert line_totals(marts) == {
        "received": 21, "accepted": 12, "duplicate": 2, "rejected": 6, "suppressed": 1,
    }  # fmt: skip
    newest, oldest = lines_by_day(marts)
    assert (newest["load_date"], counts_of(newest)) == ("2026-11-21", (9, 6, 0, 3, 0))
    assert newest["rejected_by_reason"] == {"blank_field": 2, "not_json": 1}
    assert (oldest["load_date"], counts_of(oldest)) == ("2026-11-20", (12, 6, 2, 3, 1))
    assert oldest["rejected_by_reason"] == {"not_json": 2, "id_conflict": 1}
    assert rejected_by_reason(marts) == {"not_json": 3, "blank_field": 2, "id_conflict": 1}
    assert unaccounted(marts) == {"days": [], "file_ids": []}


def test_files_are_listed_newest_first_with_what_was_not_loaded(marts: duckdb.DuckDBPyConnection) -> None:
    files = newest_files(marts, 3)
    assert [(file["file_name"], file["status"], counts_of(file)) for file in files] == [
        ("torn.ndjson.gz", "refused", (0, 0, 0, 0, 0)),
        ("again.ndjson", "repeated", (0, 0, 0, 0, 0)),
        ("b.ndjson", "loaded", (9, 6, 0, 3, 0)),
    ]


def test_gaps_that_hide_each_other_in_the_total_are_named(marts: duckdb.DuckDBPyConnection) -> None:
    marts.execute("update marts.ingestion_daily set accepted_count = 7 where accepted_count = 6")
    marts.execute("update marts.ingestion_daily set accepted_count = 4 where accepted_count = 5")
    marts.execute("update marts.event_files set suppressed_count = 1 where file_id = 2")
    assert unaccounted(marts) == {"days": ["2026-11-20", "2026-11-21"], "file_ids": [2]}


def state(marts: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {
        "publication": None,
        "landing": {"folder": "landing", "pending": 0, "growing": 0, "refused": 1},
        "accounting": line_totals(marts),
        "accounting_by_day": lines_by_day(marts),
        "unaccounted": unaccounted(marts),
        "rejected_by_reason": rejected_by_reason(marts),
        "last_batches": [],
        "last_files": newest_files(marts, 100),
        "erasures": {"open": 0, "landed": 0},
        "quality": None,
        "disk_bytes": {},
    }


def test_status_shows_each_day_and_each_file_as_an_equation(
    marts: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    print_status(state(marts))
    printed = [" ".join(text.split()) for text in capsys.readouterr().out.splitlines()]
    assert "Received 21 = accepted 12 + duplicate 2 + rejected 6 + suppressed 1" in printed
    assert "2026-11-21 9 = 6 + 0 + 3 + 0" in printed
    assert "2026-11-20 12 = 6 + 2 + 3 + 1" in printed
    assert "2026-11-21T10:00:00Z 12 = 6 + 2 + 3 + 1 loaded a.ndjson" in printed
    assert "2026-11-21T10:00:00Z 0 = 0 + 0 + 0 + 0 refused: damaged_compression torn.ndjson.gz" in printed
    assert not any("NOT accounted for" in text for text in printed)


def test_status_says_which_lines_are_not_accounted_for(
    marts: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    marts.execute("update marts.event_files set received_count = 13 where file_id = 1")
    print_status(state(marts))
    assert "Lines that are NOT accounted for: file 1\n" in capsys.readouterr().out


def test_status_shows_fourteen_days_and_says_how_many_there_are_more(
    marts: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    marts.execute(
        "insert into marts.ingestion_daily "
        "select date '2026-10-01' + n::int, 'a', 1, 1, 0, 0, 0 from range(15) as days(n)"
    )
    print_status(state(marts))
    printed = capsys.readouterr().out
    assert printed.count(" = ") - len(FILES) - 3 == 14
    # 2 days of November and the newest 12 of October; the third to the first are left.
    assert ("2026-10-04" in printed, "2026-10-03" in printed) == (True, False)
    assert "… and 3 earlier days: engagement status --json" in printed
