"""The dashboard's entry point: page, navigation, filters, age of the figures, fresh publications.

Start it with `engagement up`, or alone with `streamlit run app/server.py`. Every tab is a
file of `app_pages/`; it reads the `View` that is put together here.
Not here: SQL, arithmetic, charts.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from logging import getLogger
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app.access import Refusal
from app.export_panel import export_panel
from app.format import age_text, counted, day_text
from app.key_figures import comparison_note
from app.login import permission, reader_scope, who_is_here
from app.publications import (
    Publication,
    PublicationMissing,
    current_publication,
    current_publication_id,
)
from app.queries import freshness
from app.scope import Scope
from app.view import active_filters, choose_view, show_view
from orchestration.settings import SettingsError, load_settings

# A new publication must show within 30 s; reading a pointer of some bytes costs nothing.
LOOK_EVERY_SECONDS = 5
# Events that came this long ago make an attentive reader ask whether loading still works.
STALE_AFTER_SECONDS = 24 * 3600

logger = getLogger(__name__)

PAGES = [
    st.Page("app_pages/overview.py", title="Overview", default=True),
    st.Page("app_pages/traffic.py", title="Traffic"),
    st.Page("app_pages/engagement.py", title="Engagement"),
    st.Page("app_pages/content.py", title="Content"),
    st.Page("app_pages/conversions.py", title="Conversions"),
    st.Page("app_pages/data_quality.py", title="Data quality"),
]


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def watch_publications(
    published: Path, shown: Publication | None, may_read: Callable[[], Scope | Refusal]
) -> None:
    """Says how old the figures are, and draws the page again when they, or who may see them, changed."""
    if current_publication_id(published) != (shown.folder.name if shown else None):
        st.rerun()
    if shown is not None and may_read() != shown.scope:
        st.rerun()
    if shown is None:
        st.caption("This page looks again every few seconds; there is no need to reload it.")
        return
    age = freshness(shown, datetime.now(UTC))
    text = f"Figures updated {age_text(age.publication_age_seconds)}"
    if age.event_age_seconds is not None:
        text += f", newest event {age_text(age.event_age_seconds)}"
    text += f". Days in {shown.timezone}."
    st.caption(text, width="content")


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def explain_broken(published: Path, broken: str | None, reason: str) -> None:
    """What was published can't be read: why, what to do, and that the page comes back by itself."""
    if current_publication_id(published) != broken:
        st.rerun()
    with st.container(border=True):
        st.subheader("The figures cannot be read at the moment", anchor=False)
        st.markdown(f"{reason} No event is lost by it.")
        st.caption("This page looks again every few seconds and fills by itself.")


def explain_stale(publication: Publication, landing: Path) -> None:
    """Says so when the newest event is old: figures that stand still look like a quiet audience."""
    age = freshness(publication, datetime.now(UTC))
    if publication.as_of is None or (age.event_age_seconds or 0) <= STALE_AFTER_SECONDS:
        return
    newest = publication.as_of.astimezone(ZoneInfo(publication.timezone))
    waiting = _waiting_count(landing)
    cause = (
        f"{counted(waiting, 'file is', 'files are')} waiting to be loaded, so loading may have stopped"
        if waiting
        else "No file is waiting, so nothing was sent since"
    )
    st.warning(
        f"The newest event is of {day_text(newest.date())}, {newest:%H:%M}. {cause}. "
        "If your capsules were visited after that, tell a data engineer."
    )


def explain_waiting(published: Path, landing: Path, may_read: Callable[[], Scope | Refusal]) -> None:
    """Nothing is published yet: what is happening and what to do, instead of an error."""
    waiting = _waiting_count(landing)
    with st.container(border=True):
        st.subheader("The first figures are on their way", anchor=False)
        st.markdown(
            "The first figures appear about a minute after the first file with events has landed. "
            "This page fills by itself."
        )
        if waiting:
            st.markdown(f"{counted(waiting, 'file is', 'files are')} waiting to be loaded.")
        else:
            st.markdown(
                "No file has landed yet. To try it with made-up events, run `engagement sample`; "
                "to load what has landed now, run `engagement load`."
            )
        watch_publications(published, None, may_read)


def _waiting_count(landing: Path) -> int:
    try:
        return sum(1 for path in landing.iterdir() if path.is_file() and path.name[0] != ".")
    except OSError:
        return 0


def main() -> None:
    st.set_page_config(page_title="Engagement Metrics", layout="wide")
    page = st.navigation(PAGES, position="top")
    try:
        settings = load_settings()
    except SettingsError as error:
        st.error(f"The dashboard cannot start. {error}")
        return
    scope = reader_scope(settings)
    may_read = permission(settings)
    try:
        publication = current_publication(settings.published, scope)
    except PublicationMissing as missing:
        if current_publication_id(settings.published) is None:
            explain_waiting(settings.published, settings.landing, may_read)
        else:
            explain_broken(settings.published, current_publication_id(settings.published), str(missing))
        return
    if publication.as_of is None or publication.first_event_date is None:
        explain_waiting(settings.published, settings.landing, may_read)
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(page.title, anchor=False, width="content")
        watch_publications(settings.published, publication, may_read)
        who_is_here()
    explain_stale(publication, settings.landing)
    try:
        draw(page, publication, may_read)
    except PublicationMissing as missing:
        explain_broken(settings.published, publication.folder.name, str(missing))
    except duckdb.Error:
        # The log has it in full; its text may hold paths.
        logger.exception("A page could not read its publication")
        reason = f"The publication {publication.id} is damaged. Run `engagement rebuild` to publish again."
        explain_broken(settings.published, publication.folder.name, reason)


def draw(page: StreamlitPage, publication: Publication, may_read: Callable[[], Scope | Refusal]) -> None:
    """The filters and the open tab."""
    view = choose_view(publication, may_read)
    show_view(view)
    if view.selection.filters:
        active_filters(view)
    with st.container(horizontal=True, vertical_alignment="center"):
        comparison_note(view)
        export_panel(view)
    page.run()


main()
