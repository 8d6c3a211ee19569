"""Pictures of every tab of a running dashboard, light and dark, wide and narrow: for the README and for eyes.

python -m tests.browser.take_pictures http://127.0.0.1:8501 docs/pictures --widths 1440
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PAGES = {
    "overview": "",
    "traffic": "traffic",
    "engagement": "engagement",
    "content": "content",
    "conversions": "conversions",
    "data-quality": "data_quality",
}
WIDE, MIDDLE, NARROW = 1440, 1024, 390


def settle(page: Page) -> None:
    """Waits until the page is computed and its height has not changed for a second and a half."""
    page.get_by_role("heading", level=1).wait_for(timeout=60_000)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    height, same = 0, 0
    while same < 5:
        page.wait_for_timeout(300)
        now = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        same = same + 1 if now == height else 0
        height = now


def take_pictures(
    address: str,
    folder: Path,
    widths: Sequence[int],
    schemes: Sequence[str],
    pages: Sequence[str] = tuple(PAGES),
    query: str = "",
) -> list[Path]:
    """One PNG a page, scheme and width, as tall as the page; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        for scheme in schemes:
            for width in widths:
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                for name in pages:
                    page.set_viewport_size({"width": width, "height": 900})
                    page.goto(f"{address}/{PAGES[name]}{query}")
                    settle(page)
                    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                    page.set_viewport_size({"width": width, "height": int(height) + 60})
                    settle(page)
                    suffix = scheme if width == WIDE else f"{scheme}-{width}"
                    taken.append(folder / f"{name}-{suffix}.png")
                    page.screenshot(path=taken[-1])
                page.close()
        browser.close()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--widths", type=int, nargs="+", default=[WIDE, MIDDLE, NARROW])
    parser.add_argument("--schemes", nargs="+", default=["light", "dark"])
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=list(PAGES))
    parser.add_argument("--query", default="", help="filters, such as ?period=90d")
    arguments = parser.parse_args()
    for path in take_pictures(
        arguments.address,
        arguments.folder,
        arguments.widths,
        arguments.schemes,
        arguments.pages,
        arguments.query,
    ):
        print(path)


if __name__ == "__main__":
    main()
