"""The warehouse file: who may open it, and how.

Why it exists: DuckDB lets one process write and then refuses every other; a raw lock error must never
reach a person. So a writer first holds the file lock `warehouse/writer.lock` for all it does, loading,
building and publishing; readers use publications and never come here. This is the only module that opens
the warehouse (dbt opens it inside a run that holds the lock).
Not here: what is written (`raw_events.py`, dbt's models, `publication.py`).
"""

import contextlib
import fcntl
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import duckdb

from orchestration.raw_schema import create_statements
from orchestration.settings import Settings
from orchestration.shortage import shortage_in, shortages_named

MEMORY_LIMIT: Final = "4GB"
THREADS: Final = 2
LOCK_WAIT_SECONDS: Final = 1800.0


class WarehouseBusy(RuntimeError):
    """Another process held the writer lock for longer than the wait."""


class WarehouseDamaged(RuntimeError):
    """The warehouse file can't be opened; `engagement recover` rebuilds it from the archive."""


_DAMAGE: Final = (
    duckdb.IOException,
    duckdb.SerializationException,
    duckdb.InternalException,
    duckdb.FatalException,
)
_LOCKED: Final = re.compile(r"could not set lock.*?(?:\(PID (?P<process>\d+)\)|$)", re.IGNORECASE | re.DOTALL)
_held = threading.local()


@contextlib.contextmanager
def writer_lock(
    settings: Settings,
    say: Callable[[str], None] = lambda text: None,
    wait_seconds: float = LOCK_WAIT_SECONDS,
) -> Iterator[None]:
    """Holds the writer lock; a thread that holds it already may ask again.

    Waits with a message through `say`. Raises `WarehouseBusy` with the holder's process id.
    """
    if getattr(_held, "count", 0):
        _held.count += 1
        try:
            yield
        finally:
            _held.count -= 1
        return
    lock_file = settings.warehouse_file.parent / "writer.lock"
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a+", encoding="utf-8") as lock:
        _wait_for(lock.fileno(), lock_file, say, wait_seconds)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        _held.count = 1
        try:
            yield
        finally:
            _held.count = 0


def _wait_for(descriptor: int, lock_file: Path, say: Callable[[str], None], wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    said = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = lock_file.read_text(encoding="utf-8").strip() or "unknown"
            if time.monotonic() >= deadline:
                raise WarehouseBusy(
                    f"The warehouse is in use by process {holder} for more than {wait_seconds:.0f} s. "
                    "Wait for it to end, or end it; a lock of a dead process frees itself."
                ) from None
            if not said:
                say(f"Waiting for process {holder}, which is writing to the warehouse …")
                said = True
            time.sleep(0.1)


@contextlib.contextmanager
def open_warehouse(settings: Settings, file: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse with schema `raw` in place; the caller holds the writer lock.

    `file`: another file than the installation's, which `recovery.py` builds beside it.
    """
    if not getattr(_held, "count", 0):
        raise RuntimeError("open_warehouse needs writer_lock around it")
    settings.tmp.mkdir(parents=True, exist_ok=True)
    with shortages_named(f"writing to {settings.warehouse_file.name}", settings.warehouse_file.parent):
        try:
            connection = _connect(settings, file or settings.warehouse_file)
        except duckdb.ConnectionException:
            raise
        except duckdb.Error as error:
            # A damaged log is reported as a bare `Error`.
            raise _refusal(settings, error) from error
        try:
            with connection:
                yield connection
        except _DAMAGE as error:
            # A file that is cut short opens, and fails only where it is read.
            raise _refusal(settings, error) from error


def _connect(settings: Settings, file: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(file), config=connection_config(settings))
    try:
        for statement in create_statements():
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def _refusal(settings: Settings, error: duckdb.Error) -> Exception:
    """What DuckDB refused, in words: another program, too little of something, or damage."""
    name = settings.warehouse_file.name
    if holder := _LOCKED.search(str(error)):
        return WarehouseBusy(
            f"The warehouse {name} is open in another program (process {holder['process'] or 'unknown'}). "
            "Close it there, then try again; readers open a publication instead."
        )
    shortage = shortage_in(error, f"writing to {name}", settings.warehouse_file.parent)
    return shortage or WarehouseDamaged(
        f"The warehouse {name} can't be read or written ({type(error).__name__}). `engagement recover` "
        "rebuilds it from the archive. Nothing that was loaded is lost."
    )


def row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of every table, by `schema.table`, from DuckDB's own statistics."""
    rows = connection.execute(
        """select schema_name || '.' || table_name, estimated_size from duckdb_tables()
        where database_name = current_database()"""
    ).fetchall()
    return dict(rows)


def connection_config(settings: Settings) -> dict[str, str | bool | int | float | list[str]]:
    """DuckDB's settings for the writer; dbt's profile names the same, or a shared file is refused."""
    return {
        "memory_limit": MEMORY_LIMIT,
        "threads": THREADS,
        "temp_directory": str(settings.tmp / "duckdb"),
        # Rows are stored in the order they are inserted in, by day, which lets DuckDB skip row groups.
        "preserve_insertion_order": True,
    }


def compact(settings: Settings) -> None:
    """Copies the warehouse into a new file in its place: only so do deleted rows leave the disk.

    A checkpoint or VACUUM leaves their bytes in the file (measured). The caller holds the writer lock; a
    crash leaves the old file, and half a new one that the next call removes.
    """
    file = settings.warehouse_file
    fresh = file.with_name("compacting.duckdb")
    for path in (fresh, fresh.with_name(f"{fresh.name}.wal")):
        path.unlink(missing_ok=True)
    with open_warehouse(settings) as connection:
        connection.execute("checkpoint")
        name = connection.execute("select current_database()").fetchone()
        connection.execute(f"attach '{str(fresh).replace(chr(39), chr(39) * 2)}' as compacting")
        connection.execute(f'copy from database "{name[0] if name else "warehouse"}" to compacting')
        connection.execute("detach compacting")
    descriptor = os.open(fresh, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(file)
    file.with_name(f"{file.name}.wal").unlink(missing_ok=True)
