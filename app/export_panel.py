"""The button "Export": the whole view, one of its charts or tables, or the report, as a file.

Nothing is computed before the button is pressed.
Not here: which rows (`view_tables.py`), formats (`view_exports.py`), paper (`report_pdf.py`), the buttons of
single cards (`downloads.py`).
"""

from datetime import UTC, datetime
from functools import partial
from typing import Final

import streamlit as st

from app.downloads import FORMATS, check_permission, tables_button
from app.exports import MAX_EXCEL_ROWS
from app.format import count_text
from app.view import View
from app.view_exports import MIME_TYPES, download_name
from app.view_tables import event_tables, loading_tables, view_tables
from orchestration.settings import load_settings

EVERYTHING: Final = "The whole view: every chart and table"
REPORT: Final = "Report of the view (PDF)"


def export_panel(view: View) -> None:
    """Draws the button and what can be chosen behind it."""
    with st.popover("Export", width="content"):
        whole = view_tables(view.publication, view.selection, view.comparing)
        tables = [
            *whole,
            *event_tables(view.publication, view.selection),
            *loading_tables(view.publication, load_settings().quality),
        ]
        by_title = {table.title: table for table in tables}
        chosen = st.selectbox("What", (EVERYTHING, REPORT, *by_title), key="export_what")
        if chosen == REPORT:
            _report_button(view)
            return
        label = st.segmented_control("As", tuple(FORMATS), default="CSV", required=True, key="export_format")
        wanted = whole if chosen == EVERYTHING else [by_title[chosen]]
        what = "view" if chosen == EVERYTHING else wanted[0].name
        tables_button(view, wanted, FORMATS[label], what, "Download", type="primary", key="export_tables")
        if FORMATS[label] == "xlsx":
            st.caption(f"A sheet takes {count_text(MAX_EXCEL_ROWS)} rows. CSV and Parquet hold every row.")


def _report_file(view: View, now: datetime) -> bytes:
    check_permission(view)
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
