"""The way in: what Streamlit knows of a browser becomes a scope, or a page that says why not.

Why it exists: the only module that reads `st.user`, `st.secrets` and the headers of a request.
Not here: the decision (`access.py`).
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import streamlit as st

from app.access import FILE_NAME, Refusal, Request, decide
from app.format import escape_markdown
from app.scope import Scope
from orchestration.settings import Settings

_LOG: Final = logging.getLogger(__name__)


def login_state() -> Literal["configured", "none", "broken"]:
    """Whether `secrets.toml` sets a login up.

    Streamlit takes a file that it can't parse for one that is not there, which would open everything.
    """
    files = [Path(name) for name in st.get_option("secrets.files")]
    try:
        if not any(file.exists() for file in files):
            return "none"
        return "configured" if "auth" in st.secrets else "none"
    except (OSError, ValueError):
        return "broken"


def _request() -> Request:
    login = login_state()
    host = st.context.headers.get("Host")
    user: dict[str, Any] = st.user.to_dict() if login == "configured" else {}
    return Request(
        login,
        host,
        is_logged_in=user.get("is_logged_in") is True,
        email=user.get("email"),
        is_email_verified=user.get("email_verified"),
    )


def permission(settings: Settings) -> Callable[[], Scope | Refusal]:
    """Asks anew, for the person at this browser, each time it is called; from any thread."""
    request = _request()

    def ask_again() -> Scope | Refusal:
        return decide(request, settings.home / FILE_NAME, is_open_to_all=settings.open_to_all)

    return ask_again


def reader_scope(settings: Settings) -> Scope:
    """What the person at this browser sees; where that is nothing, says why and ends the run."""
    found = permission(settings)()
    if isinstance(found, Refusal):
        _explain(found)
        st.stop()
    return found


def _explain(found: Refusal) -> None:
    if found.detail:
        _LOG.error("The dashboard is closed. %s", found.detail)
    with st.container(border=True):
        st.subheader(found.title, anchor=False)
        st.markdown(escape_markdown(found.text))
        if found.offers == "login":
            for provider in _providers():
                label = f"Log in with {provider.capitalize()}" if provider else "Log in"
                st.button(label, on_click=st.login, args=(provider,), type="primary")
        elif found.offers == "logout":
            st.button("Log out", on_click=st.logout)


def _providers() -> list[str | None]:
    """None for the one provider of `[auth]` itself, else the names of its sections."""
    auth = st.secrets["auth"]
    if "client_id" in auth:
        return [None]
    return [name for name in auth if hasattr(auth[name], "keys")]


def who_is_here() -> None:
    """The address of whoever is logged in, with the way out; nothing without a login."""
    if login_state() != "configured":
        return
    with st.popover(str(st.user.get("email")), width="content"):
        st.button("Log out", on_click=st.logout)
