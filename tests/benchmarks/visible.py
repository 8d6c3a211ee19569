"""How long after a file landed its events are on an open page, with the orchestrator running.

Files of 2,000 events land one by one, each some seconds after the one before was seen, and with each one view
of a capsule of its own; a page of that capsule is open in Chromium, and its views are waited for.
"""

import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from orchestration.publication import current_manifest
from orchestration.settings import Settings
from tests.benchmarks.figures import Figure
from tests.benchmarks.homes import home_settings, say
from tests.benchmarks.micro_batch import write_batch
from tests.benchmarks.pages import VIEWS, percentile
from tests.benchmarks.sustained import ENGAGEMENT, wait_until_reachable

LONGEST_WAIT_SECONDS = 300
# The orchestrator looks every few seconds: landing in step with it would measure only one moment of that.
PAUSE_SECONDS = 6.0


def measure(home: Path, history: int, file_count: int, events_a_file: int = 2_000) -> Iterator[Figure]:
    """Lands files one by one; the first warms up and is not counted."""
    settings = home_settings(home)
    capsule, drawn = f"capsule-watched-{time.time_ns():x}", random.Random(7)
    waits = []
    where = "an open page" if shutil.which("chromium") else "the publication (no chromium here)"
    with running(settings) as address, seen_count(settings, address, capsule) as sees:
        for number in range(1, file_count + 2):
            time.sleep(drawn.uniform(0, PAUSE_SECONDS))
            write_batch(settings, events_a_file, datetime.now(UTC), time.time_ns() // 1_000_000, history)
            land_view(settings, capsule, number)
            landed = time.monotonic()
            sees(number)
            waits.append(time.monotonic() - landed)
            say(f"file {number} of {file_count + 1}: visible after {waits[-1]:.1f} s")
    counted = waits[1:]
    what = f"landed → on {where}, {file_count} files"
    yield Figure("visible", f"{what}, p50", statistics.median(counted), "s", history)
    yield Figure("visible", f"{what}, p95", percentile(counted, 0.95), "s", history, budget=30)


def land_view(settings: Settings, capsule: str, number: int) -> None:
    """One view more of the watched capsule."""
    line = {
        "eventId": f"{capsule}-{number}",
        "eventType": "view",
        "capsuleId": capsule,
        "sessionId": f"{capsule}-{number}",
        "timestamp": datetime.now(UTC).isoformat(),
        "metadata": {"device": "mobile"},
    }
    (settings.landing / f"view-{number}.ndjson").write_bytes(orjson.dumps(line) + b"\n")


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """The address of the dashboard while `engagement up` runs over the home."""
    log = settings.home / "up.log"
    environment = {
        **os.environ,
        "ENGAGEMENT_HOME": str(settings.home),
        "ENGAGEMENT_QUIET_SECONDS": "0.5",
        "ENGAGEMENT_ACCEPT_ANY_AGE": "true",
        "ENGAGEMENT_KEEP_LOADED_DAYS": "0",
        "ENGAGEMENT_DASHBOARD_PORT": str(_free_port()),
        "ENGAGEMENT_ORCHESTRATOR_PORT": str(_free_port()),
    }
    with log.open("wb") as output:
        up = subprocess.Popen([ENGAGEMENT, "up"], env=environment, stdout=output, stderr=output)
    try:
        yield wait_until_reachable(up, log)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def seen_count(settings: Settings, address: str, capsule: str) -> Iterator[Callable[[int], None]]:
    """A function that waits until so many views of the capsule are shown."""
    before = current_manifest(settings.published)
    first = before.batch_id if before else 0

    def published(number: int) -> None:
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while time.monotonic() < deadline:
            if (manifest := current_manifest(settings.published)) and manifest.batch_id >= first + number:
                return
            time.sleep(0.1)
        raise TimeoutError(
            f"File {number} was not published in {LONGEST_WAIT_SECONDS} s: see {settings.home}/up.log"
        )

    if (chromium := shutil.which("chromium")) is None:
        yield published
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-sync"]
        )
        page = browser.new_page()

        def shown(number: int) -> None:
            if number == 1:
                # A capsule can be chosen once it has an event.
                published(1)
                page.goto(f"{address}/?period=7d&capsule={capsule}")
            page.wait_for_function(
                f"number => ({VIEWS})() === number",
                arg=str(number),
                timeout=LONGEST_WAIT_SECONDS * 1000,
            )

        yield shown
        browser.close()
