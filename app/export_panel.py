"""The button "Export": the whole view, one of its charts or tables, or the report, as a file.

Nothing is computed before the button is pressed.
Not here: which rows (`view_tables.py`), formats (`view_exports.py`), paper (`report_pdf.py`).
"""

from datetime import UTC, datetime
from functools import partial
from typing import Final

import streamlit as st

from app.about import about_view
from app.exports import MAX_EXCEL_ROWS
from app.format import count_text
from app.view import View
from app.view_exports import MIME_TYPES, ViewFormat, download_name, ending_of, view_export
from app.view_tables import ExportTable, event_tables, view_tables

EVERYTHING: Final = "The whole view: every chart and table"
REPORT: Final = "Report of the view (PDF)"
FORMATS: Final[dict[str, ViewFormat]] = {"CSV": "csv", "Excel": "xlsx", "Parquet": "parquet"}


def export_panel(view: View) -> None:
    """Draws the button and what can be chosen behind it."""
    with st.popover("Export", width="content"):
        whole = view_tables(view.publication, view.selection, view.comparing)
        tables = [*whole, *event_tables(view.publication, view.selection)]
        by_title = {table.title: table for table in tables}
        chosen = st.selectbox("What", (EVERYTHING, REPORT, *by_title), key="export_what")
        if chosen == REPORT:
            _report_button(view)
            return
        label = st.segmented_control("As", tuple(FORMATS), default="CSV", required=True, key="export_format")
        wanted = whole if chosen == EVERYTHING else [by_title[chosen]]
        _table_button(view, wanted, FORMATS[label], "view" if chosen == EVERYTHING else wanted[0].name)
        if FORMATS[label] == "xlsx":
            st.caption(f"A sheet takes {count_text(MAX_EXCEL_ROWS)} rows. CSV and Parquet hold every row.")


def _table_button(view: View, tables: list[ExportTable], wanted: ViewFormat, what: str) -> None:
    now = datetime.now(UTC)
    ending = ending_of(tables, wanted)
    st.download_button(
        "Download",
        partial(_tables_file, view, tables, wanted, now),
        download_name(what, view.selection, now, ending),
        MIME_TYPES[ending],
        on_click="ignore",
        type="primary",
        key="export_tables",
    )


def _tables_file(view: View, tables: list[ExportTable], wanted: ViewFormat, now: datetime) -> bytes:
    return view_export(tables, wanted, about_view(view.publication, view.selection, view.earlier, now))


def _report_file(view: View, now: datetime) -> bytes:
    # Imported late: only who asks for a report waits for Typst.
    from app.report import report
    from app.report_pdf import report_pdf

    return report_pdf(report(view.publication, view.selection, view.comparing, now), now)


def _report_button(view: View) -> None:
    now = datetime.now(UTC)
    st.download_button(
        "Download",
        partial(_report_file, view, now),
        download_name("report", view.selection, now, "pdf"),
        MIME_TYPES["pdf"],
        on_click="ignore",
        type="primary",
        key="export_report",
    )
