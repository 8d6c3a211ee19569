"""How long people wait for a page, on a publication of a year.

Three measurements: the questions of each page without any remembered answer; a person in Chromium (first
visit, each next tab, a filter); ten people at once at the server, by its own protocol, because ten browsers
would wait for each other on a small machine.
"""

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.benchmarks.figures import Figure
from tests.benchmarks.homes import say

ROOT = Path(__file__).parent.parent.parent
PAGES = ("", "traffic", "engagement", "content", "conversions", "data_quality")
TITLES = ("Overview", "Traffic", "Engagement", "Content", "Conversions", "Data quality")
READING_SECONDS = 5
BUDGETS = {"first visit": 2.0, "next tab": 1.0, "filter": 0.5}
DRAWN = """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
    && document.querySelectorAll('[data-testid=stMetric], [data-testid=stDataFrame]').length > 0
    && !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')
    && [...document.querySelectorAll('[data-testid=stVegaLiteChart]')]
        .every(chart => chart.querySelector('canvas, svg'))"""


# The key figure of views: the live strip above it has figures that follow the clock.
VIEWS = """() => [...document.querySelectorAll('[data-testid=stMetric]')]
    .find(card => card.innerText.trim().startsWith('Views'))
    ?.querySelector('[data-testid=stMetricValue]')?.innerText"""


def percentile(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]


# ── the questions of a page ──


def time_questions(url: dict[str, Any], page: str) -> list[float]:
    """Seconds of every statement a page runs when nothing is remembered."""
    from streamlit.testing.v1 import AppTest

    from app import queries
    from app.answers import answers
    from app.publications import open_cursor

    taken: list[float] = []

    @contextmanager
    def timed(publication: Any) -> Iterator[Any]:
        started = time.perf_counter()
        with open_cursor(publication) as cursor:
            yield cursor
        taken.append(time.perf_counter() - started)

    answers.clear()
    with patch.object(queries, "open_cursor", timed):
        app = AppTest.from_file(str(ROOT / "app" / "streamlit_app.py"), default_timeout=300)
        for name, value in url.items():
            app.query_params[name] = value
        app.run()
        if page:
            answers.clear()
            taken.clear()
            app.switch_page(f"app_pages/{page}.py").run()
    if app.exception:
        raise RuntimeError(f"The page {page or 'overview'} failed: {app.exception}")
    return taken


def measure_questions(home: Path, history: int, repeats: int) -> Iterator[Figure]:
    """What the statements of each page take together, one capsule after another, and all at once."""
    from app.breakdowns import capsule_names
    from app.publications import current_publication
    from app.scope import EVERYTHING

    os.environ["ENGAGEMENT_HOME"] = str(home)
    capsules = list(capsule_names(current_publication(home / "published", EVERYTHING)))
    step = max(len(capsules) // repeats, 1)
    one = [{"period": "90d", "capsule": name} for name in capsules[::step][:repeats]]
    for label, urls, budget in (
        ("one capsule, 90 days", one, 0.2),
        ("all capsules, 12 months", [{"period": "12m"}] * 2, 1.5),
    ):
        for title, page in zip(TITLES, PAGES, strict=True):
            sums = [sum(time_questions(url, page)) for url in urls]
            what = f"queries of {title}, {label}"
            yield Figure("pages", f"{what}, p50", percentile(sums, 0.5), "s", history)
            yield Figure("pages", f"{what}, p95", percentile(sums, 0.95), "s", history, budget)
            say(f"{what}: {percentile(sums, 0.95):.2f} s")


# ── a person in a browser ──


@contextmanager
def running_server(home: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/server.py", f"--server.port={port}"]
    environment = {**os.environ, "ENGAGEMENT_HOME": str(home)}
    with subprocess.Popen(
        [*command, "--server.fileWatcherType=none"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(600):
                try:
                    with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                        break
                except OSError:
                    time.sleep(0.1)
            yield address
        finally:
            process.terminate()


def measure_browser(home: Path, history: int) -> Iterator[Figure]:
    """What one person waits for in Chromium."""
    from playwright.sync_api import sync_playwright

    def waited(what: str, seconds: float, kind: str) -> Figure:
        say(f"{what}: {seconds:.2f} s")
        return Figure("browser", what, seconds, "s", history, BUDGETS[kind])

    if (chromium := shutil.which("chromium")) is None:
        say("browser: chromium is not installed, so nothing is measured in it")
        return
    with running_server(home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        for what in ("first visit of a fresh server", "first visit of a second browser"):
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            started = time.perf_counter()
            page.goto(address, wait_until="commit")
            page.wait_for_function(DRAWN, timeout=120_000)
            yield waited(what, time.perf_counter() - started, "first visit")
        for round_ in ("first time", "again"):
            for title in (*TITLES[1:], TITLES[0]):
                page.wait_for_timeout(500)
                started = time.perf_counter()
                page.get_by_role("link", name=title, exact=True).click()
                page.get_by_role("heading", level=1, name=title, exact=True).wait_for(timeout=120_000)
                page.wait_for_function(DRAWN, timeout=120_000)
                yield waited(f"{title}, {round_}", time.perf_counter() - started, "next tab")
        for label in ("90 days", "7 days", "30 days", "90 days"):
            page.wait_for_timeout(500)
            before = page.evaluate(VIEWS)
            started = time.perf_counter()
            page.get_by_role("radio", name=label).or_(page.get_by_role("button", name=label)).first.click()
            page.wait_for_function(
                f"before => ({VIEWS})() !== before",
                arg=before,
                timeout=120_000,
            )
            page.wait_for_function(DRAWN, timeout=120_000)
            yield waited(f"filter: {label}", time.perf_counter() - started, "filter")
        browser.close()


# ── ten people at once ──


async def visit(address: str, page: str, query: str) -> float:
    """Seconds from opening a session until the server has sent the whole page."""
    import websockets
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    target = address.replace("http", "ws") + "/_stcore/stream"
    started = time.perf_counter()
    async with websockets.connect(target, max_size=None, subprotocols=["streamlit"]) as socket_:  # type: ignore[list-item]
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = page
        await socket_.send(message.SerializeToString())
        while True:
            received = ForwardMsg()
            received.ParseFromString(await socket_.recv())
            if received.WhichOneof("type") == "script_finished":
                return time.perf_counter() - started


async def crowd(address: str, people: int, query: str, reading_seconds: float) -> list[float]:
    """Every person opens every page and reads each for so long; they begin at different moments of it."""

    async def person(number: int) -> list[float]:
        found = []
        await asyncio.sleep(reading_seconds * number / people)
        for page in PAGES:
            found.append(await visit(address, page, query))
            await asyncio.sleep(reading_seconds)
        return found

    found = await asyncio.gather(*(person(number) for number in range(people)))
    return [seconds for one in found for seconds in one]


def measure_crowd(home: Path, history: int, people: int) -> Iterator[Figure]:
    """How much longer a page takes when many people read at once."""
    with running_server(home) as address:
        asyncio.run(crowd(address, 1, "", 0))
        alone = [seconds for _ in range(3) for seconds in asyncio.run(crowd(address, 1, "", 0))]
        say(f"one person: {statistics.median(alone):.2f} s a page")
        reading = asyncio.run(crowd(address, people, "", READING_SECONDS))
        clicking = asyncio.run(crowd(address, people, "", 0))
    usual = statistics.median(alone)
    yield Figure("people", "a page sent by the server to one person, p50", usual, "s", history)
    for who, found, budget in (
        (f"{people} people who read a page for {READING_SECONDS} s", reading, 3.0),
        (f"{people} people who never stop clicking", clicking, None),
    ):
        middle = statistics.median(found)
        yield Figure("people", f"the same to {who}", middle / usual, "times", history, budget)
