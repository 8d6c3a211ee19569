"""What the first visitor would otherwise wait for: libraries, and the answers of the first page.

Why it exists: importing Altair and Arrow, and validating the first chart, cost more than a second; the
questions of a new publication are asked before somebody opens it.
Not here: when it happens (`server.py`).
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
from altair.utils import schemapi

from app.answers import ask
from app.breakdowns import capsule_names, country_names, grain_of
from app.comparison import local_day
from app.content_over_time import content_titles
from app.filter_options import filter_options
from app.insights import insights
from app.live_figures import live_figures
from app.publications import Publication, PublicationMissing, current_publication, current_publication_id
from app.queries import compare, has_events, metric_rows, period_before
from app.scope import EVERYTHING
from app.selection import Selection
from app.tabs import FIGURES, TRENDS
from app.view_address import DEFAULT_PERIOD, period_days

_LOG: Final = logging.getLogger(__name__)
LOOK_EVERY_SECONDS: Final = 2.0


def draw_unchecked() -> None:
    """Lets Altair write charts without checking them against the schema of Vega-Lite.

    That check is half of what a page costs the server (0.1 s). The tests draw the same charts with it.
    """
    schemapi.DEBUG_MODE = False
    schemapi.SchemaBase.validate = classmethod(lambda *_unused: None)  # type: ignore[assignment, method-assign]


def warm_libraries() -> None:
    """Imports what pages import, and draws a chart of two bars: its first validation reads the schema."""
    import pandas  # noqa: F401
    import polars  # noqa: F401

    from app import charts, content_over_time, heatmaps, trend_charts  # noqa: F401

    rows: list[dict[str, Any]] = [{"name": "a", "session_count": 1}, {"name": "b", "session_count": 2}]
    charts.bars(rows, "name", "session_count", "Sessions").to_dict()


def ask_first_page(publication: Publication, date_from: Any, date_to: Any) -> None:
    """The questions of the Overview without filters, by the same arguments as the page asks them."""
    selection = Selection(date_from, date_to)
    grain = (grain_of(selection),)
    ask(capsule_names, publication)
    ask(country_names, publication)
    ask(filter_options, publication)
    ask(content_titles, publication)
    ask(live_figures, publication, selection)
    ask(has_events, publication, selection)
    ask(compare, publication, selection, "previous", FIGURES["Overview"])
    ask(metric_rows, publication, selection, grain, tuple(FIGURES["Overview"]))
    ask(metric_rows, publication, selection, grain, (TRENDS[0],))
    earlier = ask(period_before, publication, selection, "previous").selection
    if earlier is not None:
        whole = Selection(earlier.date_from, earlier.date_to)
        ask(metric_rows, publication, whole, grain, (TRENDS[0],))
    ask(insights, publication, selection)
    ask(metric_rows, publication, selection, ("channel",), ("session_count",))
    ask(metric_rows, publication, selection, ("capsule",), ("view_count",))


@contextmanager
def keep_warm(published: Path) -> Iterator[None]:
    """While open, asks the first page's questions of every new publication, in a thread of its own.

    As one who sees everything asks them: for anybody else the files have at least been read once.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(published, stop), name="warm-up", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)


def _watch(published: Path, stop: threading.Event) -> None:
    warm: str | None = None
    while True:
        newest = current_publication_id(published)
        if newest is not None and newest != warm:
            warm = newest
            try:
                publication = current_publication(published, EVERYTHING)
                if publication.as_of is not None and publication.first_event_date is not None:
                    ask_first_page(publication, *period_days(DEFAULT_PERIOD, local_day(publication)))
            except PublicationMissing:
                _LOG.info("The publication %s went away before it was warm.", newest)
            except duckdb.Error:
                # The next publication must be warm all the same; the page says what is wrong with this one.
                _LOG.exception("The publication %s cannot be read.", newest)
        if stop.wait(LOOK_EVERY_SECONDS):
            return
