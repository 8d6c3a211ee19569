"""What erasing one person costs with a long history, and whether readers notice.

python -m tests.benchmarks.erasure [--events 5000000] [--home FOLDER] [--prepare]

History as in `micro_batch.py`, sealed as a file a day; the person has twelve sessions over the year, landed
the real way. Meanwhile a reader opens the current publication again and again. `--prepare` only builds it.
"""

import argparse
import os
import platform
import resource
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import orjson

from app.publications import current_publication
from app.scope import EVERYTHING
from orchestration.dbt_runner import build
from orchestration.erasure import erase_open_requests
from orchestration.erasure_requests import open_request
from orchestration.micro_batch import load_pending
from orchestration.publication import publish
from orchestration.raw_schema import EVENT_COLUMNS
from orchestration.settings import Settings, load_settings
from orchestration.state_folder import create_state_folders
from orchestration.warehouse import open_warehouse, writer_lock
from tests.benchmarks.micro_batch import DAYS, write_history

PERSON = "bench-person-0001"
SESSIONS = 12


def seal_history(settings: Settings) -> int:
    """The archive that such a history would have: a sealed file a day; returns the number of files."""
    columns = ", ".join(EVENT_COLUMNS)
    with writer_lock(settings), open_warehouse(settings) as connection:
        days = connection.execute("select distinct event_date from raw.events order by 1").fetchall()
        for (day,) in days:
            connection.execute(
                f"""copy (
                    select line_number, 'accepted' as outcome, null::varchar as reason,
                        null::varchar as field, null::varchar as excerpt, false as is_opt_in, {columns}
                    from raw.events where event_date = date '{day}'
                ) to '{settings.archive}/day-{day}.parquet' (format parquet, compression zstd)"""
            )
    return len(days)


def land_person(settings: Settings, now: datetime) -> None:
    """One person in twelve sessions of the year, four events each, every other one without a user."""
    rows = [
        orjson.dumps(
            {
                "eventId": f"p-{session}-{place}",
                "eventType": "view" if place == 0 else "interaction",
                "capsuleId": f"capsule-{session:03d}",
                "sessionId": f"p-{session}",
                "timestamp": (
                    now - timedelta(days=1 + session * (DAYS - 5) / SESSIONS, seconds=-30 * place)
                ).isoformat(),
                "metadata": {"action": "message", "role": "user"} if place else {},
                **({"userId": PERSON} if place % 2 else {}),
            }
        )
        for session in range(SESSIONS)
        for place in range(4)
    ]
    (settings.landing / "person.ndjson").write_bytes(b"\n".join(rows) + b"\n")


class Reader(threading.Thread):
    """Opens the current publication and counts sessions until told to stop; keeps the slowest time."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.settings, self.stopping = settings, threading.Event()
        self.slowest, self.count, self.failures = 0.0, 0, 0

    def run(self) -> None:
        while not self.stopping.is_set():
            started = time.perf_counter()
            try:
                database = current_publication(self.settings.published, EVERYTHING).database
                with duckdb.connect(str(database), read_only=True) as connection:
                    connection.execute("select count(*) from marts.fct_sessions").fetchone()
            except Exception:  # noqa: BLE001 (any failure of a reader is what is counted)
                self.failures += 1
            self.slowest = max(self.slowest, time.perf_counter() - started)
            self.count += 1
            self.stopping.wait(0.2)


def prepare(settings: Settings, event_count: int, now: datetime) -> None:
    started = time.perf_counter()
    count = write_history(settings, event_count, now - timedelta(hours=3))
    files = seal_history(settings)
    land_person(settings, now)
    load_pending(settings)
    outcome = build(settings, full_refresh=True)
    with writer_lock(settings), open_warehouse(settings) as connection:
        publish(connection, settings, datetime.now(UTC))
    print(
        f"history: {count:,} events in {files} sealed files, built and published in "
        f"{time.perf_counter() - started:.0f} s, {len(outcome.failures)} nodes failed",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--prepare", action="store_true")
    arguments = parser.parse_args()
    settings = load_settings(
        home=arguments.home or Path(tempfile.mkdtemp()), quiet_seconds=0, accept_any_age=True
    )
    create_state_folders(settings)
    now = datetime.now(UTC)
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    if not settings.warehouse_file.exists():
        prepare(settings, arguments.events, now)
    if arguments.prepare:
        return
    reader = Reader(settings)
    reader.start()
    started, busy = time.perf_counter(), time.process_time()

    def say(text: str) -> None:
        print(f"  {time.perf_counter() - started:6.1f} s  {text}", flush=True)

    open_request(settings, [PERSON], [], now)
    (receipt,) = erase_open_requests(settings, say)
    seconds, computed = time.perf_counter() - started, time.process_time() - busy
    reader.stopping.set()
    reader.join()
    print(
        f"erased {receipt['found'].get('raw.events', 0)} events: {seconds:.1f} s, computed {computed:.1f} s"
    )
    print(
        f"reader: {reader.count} times, slowest {reader.slowest:.2f} s, {reader.failures} failed; warehouse "
        f"{settings.warehouse_file.stat().st_size / 2**20:,.0f} MB; peak memory "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB"
    )


if __name__ == "__main__":
    main()
