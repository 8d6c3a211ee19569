"""The login as people meet it: a provider on this machine, two readers, a stranger, links and downloads."""

import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator

import pytest

from tests.browser.fake_provider import Provider, running_provider
from tests.browser.test_dashboard_in_chromium import WEEK, pytestmark, running_dashboard  # noqa: F401
from tests.browser.test_dashboard_in_chromium import chromium as chromium
from tests.publication_fixture import write_publication

READERS = """
people:
  ada@example.org: {role: admin}
  ben@example.org: {role: owner, capsules: [onboarding]}
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Provider]]:
    """A dashboard that asks who one is, and the provider that says so."""
    home = tmp_path_factory.mktemp("closed")
    write_publication(home / "published", "p1")
    (home / "access.yml").write_text(READERS, encoding="utf-8")
    with running_provider() as provider:

        def with_login(address: str) -> list[str]:
            secrets = home / "secrets.toml"
            secrets.write_text(
                f'[auth]\nredirect_uri = "{address}/oauth2callback"\n'
                'cookie_secret = "a-secret-of-this-test-of-some-length"\n'
                'client_id = "dashboard"\nclient_secret = "another one"\n'
                f'server_metadata_url = "{provider.address}/.well-known/openid-configuration"\n',
                encoding="utf-8",
            )
            return [f"--secrets.files={secrets}"]

        with running_dashboard(home, with_login) as address:
            yield address, provider


@pytest.fixture
def visitor(closed, chromium):
    """Logs somebody in from a link, in a browser of their own; returns their page."""
    contexts = []

    def log_in(email: str, link: str, *, is_verified: bool = True):
        closed[1].email, closed[1].is_verified = email, is_verified
        contexts.append(chromium.new_context(viewport={"width": 1440, "height": 900}))
        page = contexts[-1].new_page()
        page.goto(f"{closed[0]}/{link}")
        page.get_by_role("button", name="Log in").click(timeout=30_000)
        # Before the next one sits down in front of the provider.
        page.get_by_text(email).first.wait_for(timeout=30_000)
        return page

    yield log_in
    for context in contexts:
        context.close()


def views(page) -> str:
    card = page.get_by_test_id("stMetric").filter(has_text=re.compile("^Views"))
    return card.get_by_test_id("stMetricValue").inner_text(timeout=20_000)


def status(address: str) -> int:
    """What somebody gets who is not logged in."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_two_people_come_back_from_their_login_to_the_same_link_and_see_their_own(visitor) -> None:
    ada, ben = visitor("ada@example.org", f"?{WEEK}"), visitor("ben@example.org", f"?{WEEK}")
    assert (views(ada), views(ben)) == ("5", "2")
    assert WEEK in ada.url


def test_another_capsule_in_the_link_is_not_there_before_or_after_the_login(visitor) -> None:
    ben = visitor("ben@example.org", f"?{WEEK}&capsule=guide")
    ben.get_by_text("The capsule of this link is not here").wait_for(timeout=20_000)
    assert ben.get_by_test_id("stMetric").count() == 0


def test_a_download_holds_the_rows_of_its_reader_and_is_for_readers_only(visitor) -> None:
    ben = visitor("ben@example.org", f"traffic?{WEEK}")
    ben.get_by_role("heading", level=1, name="Traffic").wait_for(timeout=20_000)
    ben.get_by_role("button", name="Export").click()
    with ben.expect_download(timeout=30_000) as waiting:
        ben.locator(".st-key-export_tables").get_by_role("button", name="Download").click()
    assert status(waiting.value.url) == 404
    with zipfile.ZipFile(waiting.value.path()) as archive:
        rows = archive.read("by_capsule.csv").decode().splitlines()
    assert [row.split(",")[0] for row in rows] == ["capsule", "onboarding"]


def test_who_logs_out_is_out(visitor, closed) -> None:
    ben = visitor("ben@example.org", f"?{WEEK}")
    assert views(ben) == "2"
    ben.get_by_role("button", name="ben@example.org").click()
    ben.get_by_role("button", name="Log out").click()
    ben.get_by_text("Please log in").wait_for(timeout=20_000)
    ben.goto(f"{closed[0]}/?{WEEK}")
    ben.get_by_text("Please log in").wait_for(timeout=20_000)
    assert ben.get_by_test_id("stMetric").count() == 0


@pytest.mark.parametrize(
    ("email", "is_verified", "words"),
    [
        ("mallory@elsewhere.test", True, "mallory@elsewhere.test is not on the list of readers"),
        ("ada@example.org", False, "Your login does not vouch for the address ada@example.org"),
    ],
)
def test_a_stranger_finds_a_closed_door(visitor, email: str, is_verified: bool, words: str) -> None:
    page = visitor(email, f"?{WEEK}", is_verified=is_verified)
    page.get_by_text(words).wait_for(timeout=20_000)
    assert page.get_by_test_id("stMetric").count() == 0
