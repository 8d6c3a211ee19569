"""The warehouse comes back from the archive, row for row."""

import json
import re
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import recovery
from orchestration.archive import sealed_path
from orchestration.journal import BatchRecord, JournalDamaged, read_records, write_record
from orchestration.micro_batch import load_pending
from orchestration.publication import MARTS_FILE, current_manifest
from orchestration.raw_schema import RAW_TABLES
from orchestration.recovery import RecoveryRefused, recover
from orchestration.sample_events.stream import write_sample
from orchestration.settings import Settings, load_settings
from orchestration.state_folder import IdentityKeyMissing, create_state_folders
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
    # One next step, not two.
    assert (".." in damaged.stderr, "Mend the cause" in damaged.stderr) == (False, False)
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
        # The cut line, LATE, and the line of a catalogue without an id.
        "rejected_events": 3,
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


def load_batches(settings: Settings, *numbers: int) -> None:
    """Ten events a batch, of a file each."""
    for number in numbers:
        content = lines(*(event(eventId=f"{number}-{n}", sessionId=f"s{number}") for n in range(10)))
        (settings.landing / f"{number}.ndjson").write_bytes(content)
        load_pending(settings)


def stored(settings: Settings) -> int:
    return len(everything(settings)["events"])


def test_a_load_without_its_warehouse_first_brings_back_what_the_journal_holds(settings: Settings) -> None:
    load_batches(settings, 1, 2, 3)
    before = [record.files for record in read_records(settings.archive)]
    delete(settings.warehouse_file)
    load_batches(settings, 4)
    assert stored(settings) == 40
    assert [record.files for record in read_records(settings.archive)][:3] == before
    recover(settings)
    assert stored(settings) == 40


def test_a_load_without_files_does_not_build_on_a_warehouse_that_is_gone(settings: Settings) -> None:
    load_batches(settings, 1, 2)
    delete(settings.warehouse_file)
    load_pending(settings)
    assert stored(settings) == 20


def test_an_older_copy_of_the_warehouse_gets_the_batches_it_lacks(settings: Settings) -> None:
    load_batches(settings, 1, 2)
    copy = settings.warehouse_file.read_bytes()
    load_batches(settings, 3)
    settings.warehouse_file.write_bytes(copy)
    load_batches(settings, 4)
    assert stored(settings) == 40


def test_a_warehouse_of_another_history_is_not_written_to(settings: Settings) -> None:
    load_batches(settings, 1)
    other = settings.warehouse_file.read_bytes()
    delete(settings.warehouse_file)
    (settings.archive / "batches" / "00000001.json").unlink()
    load_batches(settings, 2)
    settings.warehouse_file.write_bytes(other)
    with pytest.raises(WarehouseDamaged, match=r"not of one history\. `engagement recover`"):
        load_batches(settings, 3)


def test_a_record_is_never_written_over(settings: Settings) -> None:
    first = BatchRecord(1, datetime(2026, 11, 20, tzinfo=UTC), ())
    write_record(settings.archive, first)
    write_record(settings.archive, first)
    with pytest.raises(JournalDamaged, match="exists with another content"):
        write_record(settings.archive, BatchRecord(1, datetime(2026, 11, 21, tzinfo=UTC), ()))
    assert list(read_records(settings.archive)) == [first]


def test_a_recovery_that_breaks_off_leaves_the_warehouse_as_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_batches(settings, 1, 2, 3)
    replayed = recovery.load_batch

    def break_off(connection: Any, archive: Path, record: BatchRecord) -> Any:
        if record.batch_id == 3:
            raise KeyboardInterrupt
        return replayed(connection, archive, record)

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "load_batch", break_off)
        with pytest.raises(KeyboardInterrupt):
            recover(settings)
    assert stored(settings) == 30
    load_batches(settings, 4)
    recover(settings)
    assert stored(settings) == 40
    assert not settings.warehouse_file.with_name("rebuilding.duckdb").exists()


def test_an_archive_that_is_damaged_is_named_before_anything_is_touched(settings: Settings) -> None:
    load_batches(settings, 1, 2, 3)
    batches = settings.archive / "batches"
    second = list(read_records(settings.archive))[1].files[0]
    sealed, record = sealed_path(settings.archive, str(second.content_hash)), batches / "00000002.json"
    for path, content, error, named in [
        (sealed, sealed.read_bytes()[:-100], RecoveryRefused, f"first 2.ndjson: {sealed.name} is damaged"),
        (record, b'{"batch_id": 2, "loa', JournalDamaged, f"The record {record} is damaged"),
        (record, None, RecoveryRefused, f"lacks the records of 1 batches, first {record}"),
    ]:
        whole = path.read_bytes()
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(error, match=re.escape(named)) as raised:
            recover(settings)
        assert "from a backup" in str(raised.value)
        assert stored(settings) == 30
        path.write_bytes(whole)
    recover(settings)
    assert stored(settings) == 30


@pytest.mark.parametrize("content", [None, b""])
def test_a_lost_key_is_an_error_not_a_new_key(content: bytes | None, settings: Settings) -> None:
    load_batches(settings, 1)
    key = settings.secrets / "identity.key"
    kept = key.read_bytes()
    key.unlink() if content is None else key.write_bytes(content)
    with pytest.raises(IdentityKeyMissing, match=re.escape(f"Restore {settings.secrets} from a backup")):
        create_state_folders(settings)
    with pytest.raises(IdentityKeyMissing):
        load_batches(settings, 2)
    key.write_bytes(kept)
    load_pending(settings)
    assert stored(settings) == 20
