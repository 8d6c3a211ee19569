"""What is asked over plain HTTP where a login is set up: files for readers only, links that outlive a login.

Why it exists: Streamlit hands a file of `/media` to whoever knows its address, without asking who it is; and
a login ends on the first page without filters, whatever link it began with.
Not here: the decision about a person (`access.py`), pages (`login.py`).
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks

from app.access import FILE_NAME, Request, decide
from app.login import login_state
from app.scope import Scope
from orchestration.settings import SettingsError, load_settings

FILES: Final = "/media/"
PAGES: Final = ("/", "/overview", "/traffic", "/engagement", "/content", "/conversions", "/data_quality")
LINK_COOKIE: Final = "engagement_link"
# A login takes no longer, and a longer link is no link of this dashboard.
LINK_SECONDS: Final = 900
LONGEST_LINK: Final = 2_000

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class FrontDoor:
    """ASGI middleware around the dashboard; without a login it does nothing."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or login_state() == "none":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(FILES):
            if isinstance(_reader(scope), Scope):
                await self._app(scope, receive, send)
            else:
                await _answer(send, 404, body=b"Not found: log in, then download it again from its page.")
        elif scope["method"] == "GET" and scope["path"] in PAGES:
            await self._page(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _page(self, scope: Message, receive: Receive, send: Send) -> None:
        asked = link_of(scope["path"], scope["query_string"].decode("latin-1"))
        kept = kept_link(_cookies(scope).get(LINK_COOKIE))
        if isinstance(_reader(scope), Scope):
            if asked is None and kept is not None:
                forget = (b"set-cookie", f"{LINK_COOKIE}=; Path=/; Max-Age=0".encode())
                await _answer(send, 302, (b"location", kept.encode("latin-1")), forget)
                return
            await self._app(scope, receive, send)
            return

        async def send_and_keep(message: Message) -> None:
            if asked is not None and message["type"] == "http.response.start":
                cookie = f"{LINK_COOKIE}={quote(asked, safe='')}; Path=/; Max-Age={LINK_SECONDS}; "
                cookie += "HttpOnly; SameSite=Lax"
                message["headers"] = [*message["headers"], (b"set-cookie", cookie.encode())]
            await send(message)

        await self._app(scope, receive, send_and_keep)


def link_of(path: str, query: str) -> str | None:
    """The link of a page with its filters; None for the first page as it is, and for what is too long."""
    link = f"{path}?{query}" if query else path
    return None if link == "/" or len(link) > LONGEST_LINK or path not in PAGES else link


def kept_link(value: str | None) -> str | None:
    """The link in a cookie, if it leads to a page of this dashboard: a cookie can be forged."""
    found = urlsplit(unquote(value or ""))
    if found.scheme or found.netloc or not (found.query + found.path).isprintable():
        return None
    return link_of(found.path, quote(found.query, safe="=&%+:,;@!*()-._~'"))


def _reader(scope: Message) -> object:
    """The `Scope` of whoever asks, or something else where nothing is theirs."""
    user = _user(_cookies(scope))
    request = Request(
        login_state(),
        is_logged_in=user.get("is_logged_in") is True,
        email=user.get("email"),
        is_email_verified=user.get("email_verified"),
    )
    try:
        settings = load_settings()
    except SettingsError:
        # The page names the setting.
        return None
    return decide(request, settings.home / FILE_NAME, is_open_to_all=settings.open_to_all)


def _cookies(scope: Message) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                found[key] = text.strip('"')
    return found


def _user(cookies: dict[str, str]) -> dict[str, Any]:
    """What Streamlit signed at the login; empty when its signature does not hold."""
    signed = _get_signed_cookie_with_chunks(cookies, USER_COOKIE_NAME)
    try:
        found = json.loads(signed) if signed else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


async def _answer(send: Send, status: int, *headers: tuple[bytes, bytes], body: bytes = b"") -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    size = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [kind, size, *headers]})
    await send({"type": "http.response.body", "body": body})
