"""The documentation of the models is one page that asks nobody for anything."""

import shutil
from pathlib import Path

import pytest

from app.metric_pages import read_marts
from orchestration.model_docs import write_site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("site"))


def test_the_page_holds_every_mart_with_its_types_and_who_reads_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in read_marts():
        assert f"model.engagement_metrics.{name}" in text, name
    # A column's type is known only to the catalogue of a built warehouse.
    assert '"type":"TIMESTAMP"' in text.replace('": "', '":"')
    assert "exposure.engagement_metrics.overview_page" in text


def test_the_page_measures_nobody(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace('": ', '":')
    assert '"send_anonymous_usage_stats":false' in text
    assert '"send_anonymous_usage_stats":true' not in text


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
def test_the_page_opens_from_the_disk_without_a_server_or_a_network(page: Path) -> None:
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        opened = browser.new_page()
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(f"{page.as_uri()}#!/model/model.engagement_metrics.fct_sessions")
        opened.get_by_role("heading", name="fct_sessions").first.wait_for(timeout=60_000)
        opened.get_by_text("One row per session: who").first.wait_for(timeout=60_000)
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
