"""The dashboard as a person meets it: a real server, a real Chromium, a shared link, a phone.

Debian's Chromium is used (Playwright's own download is not needed); without it these tests are
skipped, and the skip says so.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.browser.contrast import faint_texts
from tests.publication_fixture import ROWS, write_publication

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WEEK = "from=2026-03-09&to=2026-03-15"
PAGES = ("", "traffic", "engagement", "content", "conversions", "data_quality")
# On an address with a path Streamlit first looks for its server below that path, then at the root.
PROBE = re.compile(r"/\w+/_stcore/(health|host-config)$")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]


@dataclass
class Visit:
    """A page and everything it asked for and complained about."""

    page: object
    base: str
    strangers: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        self.page.goto(f"{self.base}/{address}")
        self.page.get_by_role("heading", level=1).wait_for(timeout=30_000)

    def value_of(self, label: str) -> str:
        """The figure on the card called `label`."""
        card = self.page.get_by_test_id("stMetric").filter(has_text=re.compile(f"^{label}"))
        return card.get_by_test_id("stMetricValue").first.inner_text()

    def wait_for_value(self, label: str, value: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.value_of(label) != value:
            assert time.monotonic() < deadline, f"{label} is {self.value_of(label)}, not {value}"
            time.sleep(0.2)


@contextmanager
def running_dashboard(
    home: Path, options_at: Callable[[str], list[str]] = lambda address: []
) -> Iterator[str]:
    """A dashboard of its own over `home`; yields its address. Options may need to know that beforehand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app/server.py", *options_at(address)]
    with subprocess.Popen(
        [*command, f"--server.port={port}", "--server.fileWatcherType=none"],
        cwd=ROOT,
        env={**os.environ, "ENGAGEMENT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_until_healthy(f"{address}/_stcore/health")
            yield address
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A dashboard with one publication: its address and its home."""
    home = tmp_path_factory.mktemp("home")
    write_publication(home / "published", "p1")
    with running_dashboard(home) as address:
        yield address, home


def _wait_until_healthy(address: str) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"The dashboard did not start at {address}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(server, chromium, request) -> Iterator[Visit]:
    options = getattr(request, "param", {"viewport": {"width": 1440, "height": 900}})
    context = chromium.new_context(**options)
    found = Visit(context.new_page(), server[0])
    own = (server[0], server[0].replace("http", "ws"), "data:", "blob:")

    def on_request(asked) -> None:
        if not asked.url.startswith(own):
            found.strangers.append(asked.url)

    def on_console(message) -> None:
        if message.type == "error" and not PROBE.search(message.location.get("url", "")):
            found.complaints.append(message.text)

    found.page.on("request", on_request)
    found.page.on("console", on_console)
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    yield found
    context.close()


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
DESK = {"viewport": {"width": 1440, "height": 900}}
LAPTOP = {"viewport": {"width": 1024, "height": 768}}
DARK = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}


def test_every_tab_opens_from_the_navigation(visit: Visit) -> None:
    visit.open(f"?{WEEK}")
    for title in ("Traffic", "Engagement", "Content", "Conversions", "Data quality", "Overview"):
        visit.page.get_by_role("link", name=title, exact=True).click()
        visit.page.get_by_role("heading", level=1, name=title, exact=True).wait_for(timeout=15_000)
        # The filters travel along in the address.
        visit.page.wait_for_url(re.compile("from=2026-03-09"), timeout=10_000)
    assert visit.complaints == []


def test_a_shared_link_shows_the_same_view(visit: Visit) -> None:
    visit.open(f"conversions?{WEEK}&capsule=onboarding&compare=none&bots=include")
    visit.wait_for_value("Conversions", "1", 15)
    assert visit.page.get_by_text("Not compared.").is_visible()
    address = visit.page.url
    for part in ("capsule=onboarding", "compare=none", "bots=include", "from=2026-03-09"):
        assert part in address


def test_a_chosen_period_is_written_into_the_address(visit: Visit) -> None:
    visit.open("")
    visit.page.get_by_role("radio", name="7 days").or_(
        visit.page.get_by_role("button", name="7 days")
    ).first.click()
    visit.page.wait_for_url(re.compile("period=7d"), timeout=10_000)
    visit.page.get_by_text("10 to 16 March 2026").first.wait_for(timeout=10_000)


@pytest.mark.parametrize("visit", [PHONE, LAPTOP, DARK], indirect=True, ids=["phone", "laptop", "dark"])
def test_no_page_is_wider_than_its_screen(visit: Visit) -> None:
    for name in PAGES:
        visit.open(f"{name}?{WEEK}")
        visit.page.wait_for_timeout(1500)
        widths = visit.page.evaluate(
            "[document.documentElement, document.querySelector('[data-testid=stMain]')]"
            ".map(element => element.scrollWidth - element.clientWidth)"
        )
        assert widths == [0, 0], name
    assert visit.complaints == []


@pytest.mark.parametrize(
    ("visit", "in_a_row"),
    [(DESK, 4), (LAPTOP, 4), (PHONE, 2)],
    indirect=["visit"],
    ids=["desk", "laptop", "phone"],
)
def test_key_figures_stand_in_full_rows(visit: Visit, in_a_row: int) -> None:
    visit.open(f"?{WEEK}")
    cards = visit.page.get_by_test_id("stMetric")
    cards.nth(7).wait_for(timeout=15_000)
    tops = [round(cards.nth(number).bounding_box()["y"]) for number in range(8)]
    assert [tops.count(top) for top in sorted(set(tops))] == [in_a_row] * (8 // in_a_row)
    heights = {round(cards.nth(number).bounding_box()["height"]) for number in range(8)}
    assert max(heights) - min(heights) <= 1


@pytest.mark.parametrize("visit", [DESK, LAPTOP], indirect=True, ids=["desk", "laptop"])
def test_the_filters_are_one_row(visit: Visit) -> None:
    visit.open(f"?{WEEK.replace('from', 'period=30d&from')}")
    row = visit.page.locator(".st-key-filters")
    row.get_by_role("button", name="Compare and bots").wait_for(timeout=15_000)
    assert row.bounding_box()["height"] < 60


@pytest.mark.parametrize("visit", [DARK], indirect=True, ids=["dark"])
def test_a_dark_system_gets_a_dark_page(visit: Visit) -> None:
    visit.open(f"?{WEEK}")
    colour = visit.page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    )
    assert colour == "rgb(16, 24, 31)"


@pytest.mark.parametrize("visit", [DESK, DARK], indirect=True, ids=["light", "dark"])
def test_every_text_stands_out_from_its_background(visit: Visit) -> None:
    # A window as tall as the page: charts out of sight are not drawn.
    visit.page.set_viewport_size({"width": 1440, "height": 3000})
    for name in ("", "traffic"):
        visit.open(f"{name}?{WEEK}")
        visit.page.locator("svg text").first.wait_for(timeout=15_000)
        visit.page.wait_for_timeout(1500)
        count, faint = faint_texts(visit.page)
        assert count > 60, name
        assert faint == [], name


def test_a_text_that_is_too_faint_is_found(visit: Visit) -> None:
    visit.page.set_content("<p style='color:#777'>4.48</p><p style='color:#767676'>4.54</p>")
    assert faint_texts(visit.page) == (2, ["4.48: 4.48"])


def test_no_request_leaves_the_machine_and_the_console_stays_clean(visit: Visit) -> None:
    for name in PAGES:
        visit.open(f"{name}?{WEEK}")
        visit.page.wait_for_timeout(1500)
    assert visit.strangers == []
    assert visit.complaints == []


def test_charts_have_words_for_those_who_do_not_see_them(visit: Visit) -> None:
    visit.open(f"?{WEEK}")
    visit.page.get_by_label(re.compile("Views over time, 9 to 15 March 2026")).first.wait_for(timeout=15_000)


def test_a_new_publication_appears_by_itself_and_keeps_the_filters(visit: Visit, server) -> None:
    visit.open(f"?{WEEK}&capsule=guide")
    visit.wait_for_value("Views", "3", 15)
    more = [
        {**row, "view_count": row["view_count"] + 10} if row["session_key"] == "s2" else row
        for row in ROWS["session_activity_hourly"]
    ]
    write_publication(server[1] / "published", "p2", rows={**ROWS, "session_activity_hourly": more})
    visit.wait_for_value("Views", "13", 30)
    assert "capsule=guide" in visit.page.url
    assert "from=2026-03-09" in visit.page.url


def test_an_empty_installation_comes_alive_by_itself(chromium, tmp_path: Path) -> None:
    with running_dashboard(tmp_path) as address:
        page = chromium.new_page()
        page.goto(address)
        page.get_by_text("The first figures are on their way").wait_for(timeout=30_000)
        write_publication(tmp_path / "published")
        page.get_by_role("heading", level=1, name="Overview").wait_for(timeout=30_000)
        page.close()


@pytest.mark.parametrize(
    "filters", ["compare=none&bots=only", "period=7d&compare=none", "capsule=guide&compare=year&bots=include"]
)
def test_every_filter_survives_changing_tabs(visit: Visit, filters: str) -> None:
    visit.open(f"?{filters}")
    for title in ("Traffic", "Content", "Conversions", "Overview"):
        visit.page.get_by_role("link", name=title, exact=True).click()
        visit.page.get_by_role("heading", level=1, name=title, exact=True).wait_for(timeout=15_000)
        visit.page.wait_for_timeout(1200)
        for part in filters.split("&"):
            assert part in visit.page.url, title
        if "compare=none" in filters:
            assert visit.page.get_by_text("Not compared.").is_visible(), title


def test_the_whole_view_is_downloaded_with_its_filters(visit: Visit) -> None:
    visit.open(f"conversions?{WEEK}&channel=search")
    visit.wait_for_value("Conversions", "3", 15)
    visit.page.get_by_role("button", name="Export").click()
    with visit.page.expect_download(timeout=30_000) as waiting:
        # Every card has a button of this name; this is the one of the whole view.
        visit.page.locator(".st-key-export_tables").get_by_role("button", name="Download").click()
    download = waiting.value
    assert re.fullmatch(
        r"engagement_view_all-capsules_2026-03-09_to_2026-03-15_filtered_made_\d{8}T\d{4}Z\.zip",
        download.suggested_filename,
    )
    with zipfile.ZipFile(download.path()) as archive:
        assert b"Channel: search" in archive.read("about.csv")
        assert b"view_count,Views,,count,2.0" in archive.read("figures.csv")


def test_a_click_on_a_bar_filters_by_it(visit: Visit) -> None:
    visit.open(f"traffic?{WEEK}")
    visit.wait_for_value("Unique viewers", "3", 15)
    chart = visit.page.get_by_label(re.compile("^Sessions by channel, the largest first"))
    # The longest bar is the first one: search.
    chart.first.click(position={"x": 130, "y": 22})
    visit.page.wait_for_url(re.compile("channel=search"), timeout=15_000)
    visit.wait_for_value("Unique viewers", "2", 15)
    assert visit.complaints == []


def test_a_click_on_a_country_filters_by_it_and_its_label_takes_it_out(visit: Visit) -> None:
    visit.open(f"traffic?{WEEK}")
    visit.wait_for_value("Unique viewers", "3", 15)
    card = visit.page.get_by_label(re.compile("^World map of sessions")).first
    card.scroll_into_view_if_needed()
    box = card.bounding_box()
    # The United States: a third from the left, above the middle.
    card.click(position={"x": box["width"] * 0.315, "y": box["height"] * 0.4})
    visit.page.wait_for_url(re.compile("country=US"), timeout=15_000)
    visit.wait_for_value("Unique viewers", "1", 15)
    visit.page.get_by_role("button", name=re.compile("^Country: ")).click()
    visit.wait_for_value("Unique viewers", "3", 15)
    assert "country" not in visit.page.url
    assert visit.complaints == []


def test_the_map_is_drawn_from_shapes_of_our_own(visit: Visit) -> None:
    with visit.page.expect_response(re.compile("/app/static/world.json")) as waiting:
        visit.open(f"traffic?{WEEK}")
    assert waiting.value.ok
    assert visit.strangers == []
