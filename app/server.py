"""The dashboard's server: refuses to be open by accident, and is warm before the first visitor comes.

Why it exists: `streamlit run app/server.py` serves `streamlit_app.py`; what has to happen once, before
anybody is served, happens here.
Not here: what is warmed up (`warm_up.py`), what a page shows (`streamlit_app.py`).
"""

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import streamlit as st
from starlette.middleware import Middleware

from app.access import listening_problem
from app.front_door import FrontDoor
from app.login import login_state
from app.warm_up import draw_unchecked, keep_warm, warm_libraries
from orchestration.settings import SettingsError, load_settings

_LOG: Final = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[None]:
    """Ends the process, with the reason in its log, where it would show everything to everybody."""
    try:
        settings = load_settings()
    except SettingsError:
        # The page says which one: whoever looks there need not find the log.
        yield
        return
    address = st.get_option("server.address")
    state = login_state()
    problem = listening_problem(address, has_login=state != "none", is_open_to_all=settings.open_to_all)
    if problem:
        raise SystemExit(problem)
    if settings.open_to_all and state == "none":
        _LOG.warning(
            "ENGAGEMENT_OPEN_TO_ALL is set: everybody who reaches %s sees everything, without a login.",
            address or "this machine",
        )
    draw_unchecked()
    await anyio.to_thread.run_sync(warm_libraries)
    # What is imported now stays: collections of garbage need not walk through it again.
    gc.freeze()
    with keep_warm(settings.published):
        yield


app: Final = st.App("streamlit_app.py", lifespan=lifespan, middleware=[Middleware(FrontDoor)])
