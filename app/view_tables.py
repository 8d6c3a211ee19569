"""Every table and chart of a view as plain rows, and the events behind it one by one: what an export holds.

Why it exists: an export asks the same functions as the screen, without their caps on rows. Numbers stay
numbers: rates are fractions, times seconds, instants UTC. Keys of sessions and visitors are left out, though
they are hashes.
Not here: formats (`exports.py`), Streamlit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa

from app import accounting, breakdowns, content_figures, conversion_figures
from app.breakdowns import grain_of, has_tables
from app.check_results import check_numbers
from app.consent import consent_by_capsule, consent_shares
from app.content_over_time import content_buckets
from app.conversation_figures import ENDINGS, conversation_endings
from app.custom_event_figures import custom_events, every_event_properties
from app.figure_rows import figure_numbers
from app.insights import insights
from app.metrics import METRIC_IDS
from app.publications import Publication, open_cursor
from app.queries import compare, metric_rows, table_columns, table_day_column
from app.relations import SESSION_DIMENSIONS, Source, conditions
from app.selection import Comparing, Selection

EVERY_ROW: Final = 1_000_000_000
BATCH_ROWS: Final = 100_000
# Marts with a row per event or session that carry who it was of, so that every filter applies.
EVENT_TABLES: Final = {
    "fct_sessions": "Sessions, one by one",
    "fct_conversations": "Conversations, one by one",
    "fct_turns": "Turns, one by one",
    "fct_content_accesses": "Content accesses, one by one",
    "fct_video_plays": "Video plays, one by one",
    "fct_searches": "Searches, one by one",
    "fct_conversions": "Conversions, one by one",
    "fct_custom_events": "Custom events, one by one",
}

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ExportTable:
    """A table by its file name and its title; `open` gives its rows as a stream.

    `is_of_loading`: it is about files and lines, to which neither days nor filters apply.
    """

    name: str
    title: str
    open: Callable[[], AbstractContextManager[pa.RecordBatchReader]]
    is_of_loading: bool = False


def view_tables(publication: Publication, selection: Selection, comparing: Comparing) -> list[ExportTable]:
    """The figures of the view, then its charts and tables in the order of the tabs."""
    questions: tuple[tuple[str, str, Callable[..., Rows]], ...] = (
        ("figures", "All figures", partial(_figures, comparing=comparing)),
        ("over_time", "All figures over time", _over_time),
        *(
            (f"by_{key}", f"All figures by {key.replace('_', ' ')}", partial(_by, key=key))
            for key in ("capsule", "channel", "source", "campaign", "country", "device", "browser", "os",
                        "visitor_tier")
        ),
        ("channels_over_time", "Views over time by channel",
         partial(breakdowns.parts_over_time, key="channel", metric_id="view_count", largest=EVERY_ROW)),
        ("insights", "What changed", insights),
        ("session_durations", "Session durations", breakdowns.session_durations),
        ("conversation_depths", "Conversation depth", breakdowns.conversation_depths),
        ("drop_off", "Where conversations end", partial(breakdowns.turn_drop_offs, turns=EVERY_ROW)),
        *(
            (f"endings_by_{by}", f"Endings by {by.replace('_', ' ')}",
             partial(conversation_endings, by=by, limit=EVERY_ROW))
            for by in ENDINGS
        ),
        ("weekday_hours", "Sessions by weekday and hour", breakdowns.weekday_hours),
        ("content_items", "Content items", partial(breakdowns.content_items, limit=EVERY_ROW)),
        ("videos", "Videos", partial(content_figures.video_items, limit=EVERY_ROW)),
        ("video_retention", "How far videos are watched", content_figures.video_retention),
        ("searches", "Searches", partial(breakdowns.search_queries, limit=EVERY_ROW)),
        ("content_over_time", "When content is opened", partial(content_buckets, largest=EVERY_ROW)),
        ("idle_content", "Content that lies unused", content_figures.idle_content),
        ("funnel", "Funnel within a session", conversion_figures.funnel_steps),
        ("funnel_seven_days", "Funnel within seven days",
         partial(conversion_figures.funnel_steps, scope="visitor")),
        ("conversion_rates", "Conversion rates by kind", conversion_figures.conversion_rates),
        ("conversion_rates_by_channel", "Conversion rates by channel",
         partial(conversion_figures.conversion_rates, by="channel")),
        ("calls_to_action", "Calls to action", partial(breakdowns.cta_performance, limit=EVERY_ROW)),
        ("revenue", "Revenue by day", conversion_figures.revenue_days),
        ("attribution", "Revenue by attribution model", _attribution),
        ("custom_events", "Custom events", custom_events),
        ("custom_event_properties", "Properties of custom events", every_event_properties),
        ("consent", "Consent", consent_shares),
        ("consent_by_capsule", "Consent by capsule", partial(consent_by_capsule, limit=EVERY_ROW)),
    )  # fmt: skip
    return [
        ExportTable(name, title, partial(_opened, partial(rows, publication, selection)))
        for name, title, rows in questions
    ]


def loading_tables(publication: Publication, checks: Path | None = None) -> list[ExportTable]:
    """What became of files and lines, of all days, as far as the reader's scope goes.

    `checks` is the folder of the last checks, which are about lines of every capsule.
    """
    questions: tuple[tuple[str, str, Callable[[], Rows]], ...] = (
        ("lines_by_day", "Lines by day of loading", partial(accounting.load_days, publication, EVERY_ROW)),
        ("rejected_reasons", "Rejected lines by reason", partial(accounting.rejected_reasons, publication)),
        ("files", "Files", partial(accounting.event_files, publication, EVERY_ROW)),
        ("rejected_lines", "Rejected lines", partial(accounting.rejected_lines, publication, EVERY_ROW)),
    )
    if checks is not None and publication.scope.sees_loading:
        questions += (("checks", "Checks of the newest batches", partial(check_numbers, checks)),)
    return [
        ExportTable(name, title, partial(_opened, rows), is_of_loading=True)
        for name, title, rows in questions
    ]


def event_tables(publication: Publication, selection: Selection) -> list[ExportTable]:
    """The rows of the view one by one, of the marts that the publication has."""
    return [
        ExportTable(table.removeprefix("fct_"), title, partial(_event_rows, publication, table, selection))
        for table, title in EVENT_TABLES.items()
        if has_tables(publication, table)
    ]


def _opened(rows: Callable[[], Rows]) -> AbstractContextManager[pa.RecordBatchReader]:
    return nullcontext(arrow_rows(rows()).to_reader(BATCH_ROWS))


def arrow_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as Arrow; a column without any value is text."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    empty = [name for name, kind in frame.schema.items() if kind == pl.Null]
    return frame.with_columns(pl.col(name).cast(pl.String) for name in empty).to_arrow()


def _figures(publication: Publication, selection: Selection, comparing: Comparing) -> Rows:
    return figure_numbers(compare(publication, selection, comparing))


def _over_time(publication: Publication, selection: Selection) -> Rows:
    return _by(publication, selection, grain_of(selection))


def _by(publication: Publication, selection: Selection, key: str) -> Rows:
    """Every figure per value of `key`; revenue is one column per currency."""
    rows = metric_rows(publication, selection, [key], METRIC_IDS)
    currencies = sorted({currency for row in rows for currency in row["revenue"]})
    return [
        {name: value for name, value in row.items() if name != "revenue"}
        | {f"revenue_{currency.lower()}": row["revenue"].get(currency) for currency in currencies}
        for row in rows
    ]


def _attribution(publication: Publication, selection: Selection) -> Rows:
    return [
        {"model": model, **row}
        for model in conversion_figures.MODELS
        for row in conversion_figures.attributed_revenue(publication, selection, model)
    ]


@contextmanager
def _event_rows(publication: Publication, table: str, selection: Selection) -> Iterator[pa.RecordBatchReader]:
    """The rows of a mart under all filters of a selection, without keys; in the order of the mart."""
    columns = table_columns(publication)[table]
    day = table_day_column(publication, table)
    assert day is not None
    known = {name: text for name, text in SESSION_DIMENSIONS.items() if name in columns}
    parameters: dict[str, Any] = {}
    where = conditions(Source(table, day, day, known), selection, parameters)
    shown = ", ".join(f'"{name}"' for name in columns if not name.endswith("_key"))
    with open_cursor(publication) as cursor:
        found = cursor.sql(f"select {shown} from marts.{table} where {where}", params=parameters)
        yield found.to_arrow_reader(BATCH_ROWS)
