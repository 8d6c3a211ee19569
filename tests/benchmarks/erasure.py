"""What erasing one person costs with a long history, and whether readers notice.

The person has twelve sessions over the year, landed and published first; meanwhile a reader opens the current
publication again and again.
"""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from app.publications import current_publication
from app.scope import EVERYTHING
from orchestration.dbt_runner import build
from orchestration.erasure import erase_open_requests
from orchestration.erasure_requests import open_request
from orchestration.micro_batch import load_pending
from orchestration.settings import Settings
from tests.benchmarks.figures import Figure
from tests.benchmarks.homes import home_settings, land_person, say
from tests.benchmarks.micro_batch import publish_marts


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


def measure(home: Path, history: int) -> Iterator[Figure]:
    """Erases a person who was landed for it, the real way."""
    settings, now = home_settings(home), datetime.now(UTC)
    person = f"bench-person-{now:%Y%m%d%H%M%S}"
    land_person(settings, person, now)
    load_pending(settings)
    build(settings)
    publish_marts(settings)
    say("erasure: the person is loaded and published")
    reader = Reader(settings)
    reader.start()
    started, worked = time.perf_counter(), time.process_time()
    open_request(settings, [person], [], now)
    (receipt,) = erase_open_requests(settings, lambda text: say(f"  {text}"))
    seconds, computed = time.perf_counter() - started, time.process_time() - worked
    reader.stopping.set()
    reader.join()
    found = receipt["found"].get("raw.events", 0)
    yield Figure("erasure", f"one person, {found} events, proof included", seconds, "s", history, 120)
    yield Figure("erasure", "the same by processor time", computed, "s", history)
    yield Figure("erasure", f"slowest of {reader.count} readings meanwhile", reader.slowest, "s", history)
    yield Figure("erasure", "readings that failed", reader.failures, "readings", history, 0)
