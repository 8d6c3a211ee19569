"""A full disk, too little memory: said in words, nothing lost, the next load completes."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.micro_batch import load_pending
from orchestration.publication import current_manifest, publish
from orchestration.raw_events import Accounting
from orchestration.settings import Settings, load_settings
from orchestration.shortage import DiskFull, MemoryShort, shortage_in
from orchestration.state_folder import create_state_folders
from orchestration.warehouse import open_warehouse, writer_lock
from tests.commands import engagement, environment, printed_json
from tests.event_lines import event, lines
from tests.test_raw_events import no_gaps, rows


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), DiskFull),
        (duckdb.IOException('Could not write file "w.wal": No space left on device'), DiskFull),
        (sqlite3.OperationalError("database or disk is full"), DiskFull),
        (MemoryError(), MemoryShort),
        (
            duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block"),
            MemoryShort,
        ),
        (PermissionError(errno.EACCES, "Permission denied"), None),
        (duckdb.IOException("Corrupt database file"), None),
        (sqlite3.OperationalError("disk I/O error"), None),
    ],
)
def test_a_shortage_is_told_from_other_errors(error: Exception, kind: type | None, tmp_path: Path) -> None:
    found = shortage_in(error, "the test", tmp_path)
    assert type(found) is (kind or type(None))


def test_a_shortage_is_seen_behind_the_failure_of_cleaning_up(tmp_path: Path) -> None:
    with pytest.raises(duckdb.TransactionException) as raised:
        fail_and_fail_to_clean_up()
    assert isinstance(shortage_in(raised.value, "the test", tmp_path), DiskFull)


def fail_and_fail_to_clean_up() -> None:
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    finally:
        raise duckdb.TransactionException("cannot rollback - no transaction is active")


def starved(home: Path, what: str, limit: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.starved_load", what, limit],
        cwd=Path(__file__).parent.parent,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if what == "address_bytes" and (done.returncode < 0 or "cannot allocate memory" in done.stderr):
        # A native library that gets no memory at all takes the process down, like `kill -9`; the C library
        # itself says so and ends with 127.
        return {"kind": "Died"}
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def land_events(settings: Settings, name: str, count: int) -> None:
    made = [
        event(eventId=f"{name}-{number}", metadata={"topic": os.urandom(30).hex()}) for number in range(count)
    ]
    (settings.landing / name).write_bytes(lines(*made))


@pytest.mark.parametrize(
    ("limit", "doing"), [("30000", "sealing a.ndjson"), ("500000", "writing to warehouse.duckdb")]
)
def test_a_load_without_room_says_so_and_the_next_one_completes(
    limit: str, doing: str, settings: Settings
) -> None:
    land_events(settings, "a.ndjson", 3000)
    failed = starved(settings.home, "file_bytes", limit)
    assert failed["kind"] == "DiskFull"
    assert f"no space for {doing}" in failed["text"]
    assert "Free some space, then: engagement load" in failed["text"]
    assert (settings.landing / "a.ndjson").exists()
    assert load_pending(settings).accounting == Accounting(received=3000, accepted=3000)
    assert no_gaps(settings)


@pytest.mark.parametrize(("what", "limit"), [("address_bytes", "200000000"), ("duckdb", "10MB")])
def test_too_little_memory_fails_clearly_and_never_loads_half(
    what: str, limit: str, settings: Settings
) -> None:
    made = [event(eventId=f"e{number}", metadata={"topic": os.urandom(30).hex()}) for number in range(20_000)]
    # An array is parsed whole, so it needs memory in proportion to its size.
    content = json.dumps(made).encode() if what == "address_bytes" else lines(*made)
    (settings.landing / "big.json").write_bytes(content)
    found = starved(settings.home, what, limit)
    if "kind" in found:
        if found["kind"] != "Died":
            assert found["kind"] == "MemoryShort"
            assert "There is too little memory for" in found["text"]
        assert rows(settings, "select count(*) from raw.events") == [(0,)]
        assert load_pending(settings).accounting.accepted == 20_000
    assert rows(settings, "select count(*) from raw.events") == [(20_000,)]


# ------------------------------------------------------------------------------------- a real, small disk
class SmallDisk:
    """A file system of its own in memory, of a size that can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def leave(self, free_bytes: int) -> None:
        """Fills it up to what is to be left; 0 frees everything."""
        ballast = self.folder / "ballast"
        ballast.unlink(missing_ok=True)
        if free_bytes:
            with ballast.open("wb") as file:
                for _ in range((shutil.disk_usage(self.folder).free - free_bytes) // 65_536):
                    file.write(b"x" * 65_536)

    def resize(self, megabytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("no right to mount a small file system: run as root to test a disk that is really full")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def home_on(disk: SmallDisk) -> Settings:
    made = load_settings(home=disk.folder / "home", quiet_seconds=0)
    create_state_folders(made)
    return made


@pytest.mark.parametrize(("left", "doing"), [(40_000, "sealing b.ndjson"), (1_000_000, "writing to")])
def test_a_disk_that_is_full_loses_nothing(left: int, doing: str, small_disk: SmallDisk) -> None:
    settings = home_on(small_disk)
    land_events(settings, "a.ndjson", 100)
    load_pending(settings)
    land_events(settings, "b.ndjson", 4000)
    small_disk.leave(left)
    with pytest.raises(DiskFull, match=doing):
        load_pending(settings)
    assert (settings.landing / "b.ndjson").exists()
    small_disk.leave(0)
    assert load_pending(settings).accounting == Accounting(received=4000, accepted=4000)
    assert rows(settings, "select count(*), count(distinct event_key) from raw.events") == [(4100, 4100)]
    assert no_gaps(settings)
    assert [path.name for path in settings.archive.rglob("*.tmp")] == []


def test_a_disk_that_fills_while_publishing_leaves_readers_on_the_last(small_disk: SmallDisk) -> None:
    settings = home_on(small_disk)
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("create schema marts")
        connection.execute(
            """create table marts.session_activity_hourly as
            select date '2026-11-20' as activity_date, uuid()::varchar as session_key from range(100_000)"""
        )
        connection.execute("checkpoint")
        first = publish(connection, settings, datetime.now(UTC))
        small_disk.leave(1_500_000)
        with pytest.raises(DiskFull, match="no space for the publication"):
            publish(connection, settings, datetime.now(UTC))
    assert current_manifest(settings.published) == first
    assert [path.name for path in settings.published.iterdir() if path.name.startswith(".")] == []
    small_disk.leave(0)
    with writer_lock(settings), open_warehouse(settings) as connection:
        second = publish(connection, settings, datetime.now(UTC))
    assert current_manifest(settings.published) == second


def test_the_command_says_that_the_disk_is_full_and_completes_when_it_is_not(small_disk: SmallDisk) -> None:
    settings = home_on(small_disk)
    land_events(settings, "a.ndjson", 1000)
    small_disk.resize(10)
    done = engagement(settings.home, "load")
    assert done.returncode == 1
    assert "The disk is full, or a quota: no space for" in done.stderr
    assert done.stderr.rstrip().endswith("Free some space, then: engagement load")
    assert "Traceback" not in done.stderr
    small_disk.resize(200)
    printed_json(settings.home, "load")
    (row,) = printed_json(settings.home, "sql", "select sum(event_count)::int as n from marts.fct_sessions")
    assert row == {"n": 1000}
