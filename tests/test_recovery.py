"""The warehouse comes back from the archive, row for row."""

import json
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.archive import sealed_path
from orchestration.journal import read_records
from orchestration.micro_batch import load_pending
from orchestration.publication import MARTS_FILE, current_manifest
from orchestration.raw_schema import RAW_TABLES
from orchestration.recovery import RecoveryRefused, recover
from orchestration.sample_events.stream import write_sample
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import WarehouseDamaged, open_warehouse, writer_lock
from tests.commands import engagement
from tests.event_lines import event, lines
from tests.test_crashes import start

JANE = {"userId": "jane", "sessionId": "janes-session"}
EARLY = event(eventId="e", timestamp="2026-11-20T12:00:00Z")
LATE = event(eventId="e", timestamp="2026-11-20T12:00:07Z")


def everything(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    with writer_lock(settings), open_warehouse(settings) as connection:
        return {
            table: connection.execute(f"select * from raw.{table} order by all").fetchall()
            for table in RAW_TABLES
        }


def fill(settings: Settings) -> None:
    """Several batches with everything that can happen to a line or a file."""
    landings = [
        {"1.ndjson": lines(event(), event(eventId="e2", **JANE), LATE) + b'{"cut": \n'},
        {"2.ndjson": lines(EARLY, event()), "prose.json": b"no json\n"},
        {"3.ndjson": lines(event(), event(eventId="e2", **JANE), LATE) + b'{"cut": \n'},
        {"4.ndjson": lines(event(eventId="out", metadata={"optOut": True}, **JANE))},
        {"catalog/capsules.ndjson": b'{"capsuleId": "capsule-a", "name": "A"}\n{"name": "no id"}\n'},
        {"catalog/capsules.ndjson": b'{"capsuleId": "capsule-a", "name": "B"}\n'},
    ]
    for landing in landings:
        for name, content in landing.items():
            (settings.landing / name).write_bytes(content)
        load_pending(settings)


def delete(warehouse: Path) -> None:
    warehouse.unlink()


def cut_short(warehouse: Path) -> None:
    content = warehouse.read_bytes()
    warehouse.write_bytes(content[: len(content) // 3])


def fill_with_noise(warehouse: Path) -> None:
    content = bytearray(warehouse.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    warehouse.write_bytes(content)


def log_of(warehouse: Path) -> Path:
    log = warehouse.with_name("warehouse.duckdb.wal")
    assert log.stat().st_size > 0
    return log


def delete_the_log(warehouse: Path) -> None:
    log_of(warehouse).unlink()


def cut_the_log(warehouse: Path) -> None:
    content = log_of(warehouse).read_bytes()
    log_of(warehouse).write_bytes(content[: len(content) // 2])


def flip_a_byte_of_the_log(warehouse: Path) -> None:
    content = bytearray(log_of(warehouse).read_bytes())
    content[len(content) // 2] ^= 0xFF
    log_of(warehouse).write_bytes(content)


def flip_a_byte(warehouse: Path) -> None:
    content = bytearray(warehouse.read_bytes())
    # In a block of data, behind the three headers of 4 KiB.
    content[3 * 4096 + 700] ^= 0xFF
    warehouse.write_bytes(content)


def commit_and_die(settings: Settings) -> Settings:
    """One more batch by a process that is killed before its log is merged; returns a copy of the home."""
    (settings.landing / "last.ndjson").write_bytes(lines(*(event(eventId=f"w{n}") for n in range(300))))
    died = start(settings, "orchestration.micro_batch:load_batch:after:1", quiet_seconds="0")
    assert died.wait(60) == -signal.SIGKILL
    copy = settings.home.with_name("copy")
    shutil.copytree(settings.home, copy)
    # A copy is another file, which would be recorded as repeated.
    (copy / "landing" / "last.ndjson").unlink()
    return load_settings(home=copy, quiet_seconds=0)


@pytest.mark.parametrize(
    "damage",
    [delete, cut_short, fill_with_noise, flip_a_byte, delete_the_log, cut_the_log, flip_a_byte_of_the_log],
)
def test_a_damaged_log_or_file_costs_no_committed_batch(
    damage: Callable[[Path], None], settings: Settings
) -> None:
    fill(settings)
    before = everything(commit_and_die(settings))
    assert len(before["events"]) == 302
    damage(settings.warehouse_file)
    (settings.tmp / "seal-left-over.parquet").write_bytes(b"plain text of a run that was killed")
    (settings.archive / "batches" / ".00000009.tmp").write_bytes(b"half a record")
    recover(settings)
    assert everything(settings) == before
    assert list(settings.tmp.rglob("*.parquet")) == []
    assert list(settings.archive.rglob("*.tmp")) == []
    # The file of the killed load still lies in the landing folder: loaded already.
    assert load_pending(settings).accounting.accepted == 0
    assert not (settings.landing / "last.ndjson").exists()


def marts(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    manifest = current_manifest(settings.published)
    assert manifest is not None
    file = settings.published / manifest.id / MARTS_FILE
    with duckdb.connect(str(file), read_only=True) as reader:
        return {
            table: reader.execute(f'select * from marts."{table}" order by all').fetchall()
            for table in manifest.tables
        }


def test_the_marts_of_a_recovered_warehouse_are_the_same_row_for_row(settings: Settings) -> None:
    fill(settings)
    write_sample(
        settings.landing, settings.home / "truth.json", now=datetime.now(UTC), capsule_count=2, day_count=3,
        events_per_day=40, seed=3,
    )  # fmt: skip
    load_pending(settings)
    copy = commit_and_die(settings)
    rebuilt = engagement(copy.home, "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    flip_a_byte_of_the_log(settings.warehouse_file)
    damaged = engagement(settings.home, "load")
    assert damaged.returncode == 1
    assert "`engagement recover` rebuilds it from the archive" in damaged.stderr
    recovered = engagement(settings.home, "recover")
    assert recovered.returncode == 0, recovered.stderr
    expected, found = marts(copy), marts(settings)
    assert {table: len(table_rows) for table, table_rows in found.items()} == {
        table: len(table_rows) for table, table_rows in expected.items()
    }
    assert found == expected
    assert len(found["fct_sessions"]) > 10


@pytest.mark.parametrize("damage", [delete, cut_short, fill_with_noise])
def test_a_lost_warehouse_comes_back_row_for_row(damage: Callable[[Path], None], settings: Settings) -> None:
    fill(settings)
    before = everything(settings)
    assert {table: len(rows) for table, rows in before.items() if rows} == {
        # e1 and EARLY; the one of Jane left with her opt-out, LATE lost against EARLY.
        "events": 2,
        "rejected_events": 2,
        # Four event files, the refused one and two catalogues.
        "event_files": 7,
        "event_file_counts": 4,
        "load_batches": 6,
        "privacy_signals": 2,
        # Those two.
        "removed_events": 2,
        "capsules": 1,
    }
    damage(settings.warehouse_file)
    recovery = recover(settings)
    assert everything(settings) == before
    assert (recovery.batch_count, recovery.file_count) == (6, 7)


def test_what_cannot_be_opened_says_how_to_get_it_back(settings: Settings) -> None:
    fill(settings)
    cut_short(settings.warehouse_file)
    with pytest.raises(WarehouseDamaged, match="`engagement recover` rebuilds it from the archive"):
        everything(settings)


def test_a_missing_sealed_file_is_named_and_nothing_is_touched(settings: Settings) -> None:
    fill(settings)
    before = everything(settings)
    first = next(read_records(settings.archive)).files[0]
    sealed_path(settings.archive, str(first.content_hash)).unlink()
    with pytest.raises(RecoveryRefused, match=r"lacks the sealed content of 1 files, first 1\.ndjson"):
        recover(settings)
    assert everything(settings) == before


def test_a_record_whose_transaction_never_committed_is_replayed_and_its_file_is_no_news(
    settings: Settings,
) -> None:
    fill(settings)
    (settings.landing / "5.ndjson").write_bytes(lines(event(eventId="e5")))
    load_pending(settings)
    # As if a crash had come between commit and move: the file is still there.
    (settings.landing / "loaded" / "5.ndjson").rename(settings.landing / "5.ndjson")
    delete(settings.warehouse_file)
    recover(settings)
    before = everything(settings)
    assert load_pending(settings).accounting.accepted == 0
    assert everything(settings)["events"] == before["events"]


def test_the_journal_holds_no_raw_id(settings: Settings) -> None:
    (settings.landing / "jane@example.com.ndjson").write_bytes(lines(event(userId="secret-user")))
    load_pending(settings)
    written = "".join(path.read_text() for path in (settings.archive / "batches").iterdir())
    assert json.loads(written)["files"][0]["name"] == "[masked]"
    assert "secret" not in written
