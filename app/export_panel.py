"""The button "Export": the whole view, one of its charts or tables, or the report, as a file.

Nothing is computed before the button is pressed.
Not here: which rows (`view_tables.py`), formats (`view_exports.py`), paper (`report_pdf.py`).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

import streamlit as st

from app.about import about_view
from app.access import Refusal
from app.exports import MAX_EXCEL_ROWS
from app.format import count_text
from app.scope import Scope
from app.view import View
from app.view_exports import MIME_TYPES, ViewFormat, download_name, ending_of, view_export
from app.view_tables import ExportTable, event_tables, view_tables

EVERYTHING: Final = "The whole view: every chart and table"
REPORT: Final = "Report of the view (PDF)"
MayRead = Callable[[], Scope | Refusal]
FORMATS: Final[dict[str, ViewFormat]] = {"CSV": "csv", "Excel": "xlsx", "Parquet": "parquet"}


def export_panel(view: View, may_read: MayRead) -> None:
    """Draws the button and what can be chosen behind it."""
    with st.popover("Export", width="content"):
        whole = view_tables(view.publication, view.selection, view.comparing)
        tables = [*whole, *event_tables(view.publication, view.selection)]
        by_title = {table.title: table for table in tables}
        chosen = st.selectbox("What", (EVERYTHING, REPORT, *by_title), key="export_what")
        if chosen == REPORT:
            _report_button(view, may_read)
            return
        label = st.segmented_control("As", tuple(FORMATS), default="CSV", required=True, key="export_format")
        wanted = whole if chosen == EVERYTHING else [by_title[chosen]]
        what = "view" if chosen == EVERYTHING else wanted[0].name
        _table_button(view, may_read, wanted, FORMATS[label], what)
        if FORMATS[label] == "xlsx":
            st.caption(f"A sheet takes {count_text(MAX_EXCEL_ROWS)} rows. CSV and Parquet hold every row.")


def _table_button(
    view: View, may_read: MayRead, tables: list[ExportTable], wanted: ViewFormat, what: str
) -> None:
    now = datetime.now(UTC)
    ending = ending_of(tables, wanted)
    st.download_button(
        "Download",
        partial(_tables_file, view, may_read, tables, wanted, now),
        download_name(what, view.selection, now, ending),
        MIME_TYPES[ending],
        on_click="ignore",
        type="primary",
        key="export_tables",
    )


def _check(view: View, may_read: MayRead) -> None:
    """A file is made when its button is pressed, which may be long after the page was drawn."""
    if may_read() != view.publication.scope:
        raise PermissionError("What this person may read has changed since the page was drawn.")


def _tables_file(
    view: View, may_read: MayRead, tables: list[ExportTable], wanted: ViewFormat, now: datetime
) -> bytes:
    _check(view, may_read)
    return view_export(tables, wanted, about_view(view.publication, view.selection, view.earlier, now))


def _report_file(view: View, may_read: MayRead, now: datetime) -> bytes:
    _check(view, may_read)
    # Imported late: only who asks for a report waits for Typst.
    from app.report import report
    from app.report_pdf import report_pdf

    return report_pdf(report(view.publication, view.selection, view.comparing, now), now)


def _report_button(view: View, may_read: MayRead) -> None:
    now = datetime.now(UTC)
    st.download_button(
        "Download",
        partial(_report_file, view, may_read, now),
        download_name("report", view.selection, now, "pdf"),
        MIME_TYPES["pdf"],
        on_click="ignore",
        type="primary",
        key="export_report",
    )
