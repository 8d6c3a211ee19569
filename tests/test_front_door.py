"""The door before the pages: an unsigned cookie opens nothing, a kept link leads nowhere else."""

import asyncio
import json
from pathlib import Path

import pytest

from app import front_door
from app.front_door import LONGEST_LINK, FrontDoor, kept_link, link_of


def asked(path: str, query: str = "", cookie: str = "") -> list[dict]:
    """What the door answers to a GET; the dashboard behind it says 200."""
    sent: list[dict] = []

    async def dashboard(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message) -> None:
        sent.append(message)

    request = {
        "type": "http", "method": "GET", "path": path, "query_string": query.encode(),
        "headers": [(b"cookie", cookie.encode())],
    }  # fmt: skip
    asyncio.run(FrontDoor(dashboard)(request, None, send))
    return sent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a login set up and a list with one reader."""
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path))
    (tmp_path / "access.yml").write_text("people:\n  ada@example.org: {role: admin}\n", encoding="utf-8")
    monkeypatch.setattr(front_door, "login_state", lambda: "configured")
    monkeypatch.setattr(front_door, "_get_signed_cookie_with_chunks", signed)
    return tmp_path


def signed(cookies: dict[str, str], name: str) -> bytes | None:
    """Stands in for the signature: only what begins with `good` was signed."""
    value = cookies.get(name, "")
    if not value.startswith("good:"):
        return None
    email = value.removeprefix("good:")
    return json.dumps({"is_logged_in": True, "email_verified": True, "email": email}).encode()


@pytest.mark.parametrize(
    ("cookie", "answer"),
    [
        ("_streamlit_user=good:ada@example.org", 200),
        ("other=1; _streamlit_user=good:ada@example.org", 200),
        ("_streamlit_user=good:mallory@example.org", 404),
        ("_streamlit_user=bad:ada@example.org", 404),
        ("", 404),
    ],
)
def test_a_file_is_for_readers_only(home, cookie: str, answer: int) -> None:
    assert asked("/media/abc.zip", cookie=cookie)[0]["status"] == answer


def test_a_reader_who_is_struck_off_the_list_gets_no_more_files(home) -> None:
    cookie = "_streamlit_user=good:ada@example.org"
    assert asked("/media/abc.zip", cookie=cookie)[0]["status"] == 200
    (home / "access.yml").write_text("people:\n  ben@example.org: {role: admin}\n", encoding="utf-8")
    assert asked("/media/abc.zip", cookie=cookie)[0]["status"] == 404


def test_without_a_login_the_door_is_open(home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_door, "login_state", lambda: "none")
    assert asked("/media/abc.zip")[0]["status"] == 200
    assert asked("/traffic", "period=7d")[0]["headers"] == []


def test_a_link_is_kept_over_the_login_and_used_once(home) -> None:
    (answer,) = asked("/traffic", "capsule=a%26b&period=7d")
    name, value = answer["headers"][0]
    assert name == b"set-cookie"
    kept = value.decode().split(";")[0]
    reader = f"{kept}; _streamlit_user=good:ada@example.org"
    there = dict(asked("/", cookie=reader)[0]["headers"])
    assert there[b"location"] == b"/traffic?capsule=a%26b&period=7d"
    assert there[b"set-cookie"] == b"engagement_link=; Path=/; Max-Age=0"
    # Whoever asks for something else gets that.
    assert asked("/content", "period=90d", cookie=reader)[0]["status"] == 200


@pytest.mark.parametrize(
    "forged",
    ["https://evil.example/", "//evil.example/traffic", "/%5cevil.example", "/nowhere?a=b", "/", "",
     "/traffic%0d%0aset-cookie:%20a=b", "/traffic?a=%0d%0aset-cookie:%20a=b", "javascript:alert(1)",
     "/traffic?" + "a" * LONGEST_LINK],
)  # fmt: skip
def test_a_forged_link_leads_nowhere(forged: str) -> None:
    found = kept_link(forged)
    assert found is None or (found.startswith("/traffic?a=") and "\n" not in found and "\r" not in found)


def test_the_first_page_as_it_is_is_no_link() -> None:
    assert link_of("/", "") is None
    assert link_of("/", "period=7d") == "/?period=7d"
    assert link_of("/traffic", "") == "/traffic"
    assert link_of("/_stcore/health", "") is None
