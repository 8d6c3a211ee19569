"""Files that are made when their button is pressed: one table, or many.

Why it exists: a card and the panel "Export" hand out the same file for the same table.
Not here: which rows (`view_tables.py`), formats (`view_exports.py`), the panel (`export_panel.py`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import streamlit as st

from app.about import about_loading, about_view
from app.view import View
from app.view_exports import MIME_TYPES, ViewFormat, download_name, ending_of, view_export
from app.view_tables import ExportTable, loading_tables, view_tables
from orchestration.settings import load_settings

FORMATS: Final[dict[str, ViewFormat]] = {"CSV": "csv", "Excel": "xlsx", "Parquet": "parquet"}


def check_permission(view: View) -> None:
    """A file is made when its button is pressed, which may be long after the page was drawn.

    Raises PermissionError when what the person may read has changed since.
    """
    if view.may_read() != view.publication.scope:
        raise PermissionError("What this person may read has changed since the page was drawn.")


def tables_file(view: View, tables: Sequence[ExportTable], wanted: ViewFormat, now: datetime) -> bytes:
    check_permission(view)
    if any(table.is_of_loading for table in tables):
        about = about_loading(view.publication, now)
    else:
        about = about_view(view.publication, view.selection, view.earlier, now)
    return view_export(tables, wanted, about)


def tables_button(
    view: View, tables: Sequence[ExportTable], wanted: ViewFormat, what: str, label: str, **looks: Any
) -> None:
    """A button that makes and hands out the tables in one format, in a file that says what it is."""
    now = datetime.now(UTC)
    ending = ending_of(tables, wanted)
    selection = None if any(table.is_of_loading for table in tables) else view.selection
    st.download_button(
        label,
        partial(tables_file, view, tables, wanted, now),
        download_name(what, selection, now, ending),
        MIME_TYPES[ending],
        on_click="ignore",
        **looks,
    )


def download_menu(view: View, card: str, names: Sequence[str]) -> None:
    """Behind one button of a card: what it shows, every row of it, in each format."""
    known = [
        *view_tables(view.publication, view.selection, view.comparing),
        *loading_tables(view.publication, load_settings().quality),
    ]
    by_name = {table.name: table for table in known}
    tables = [by_name[name] for name in names]
    with st.popover("Download", type="tertiary", width="content"):
        for label, wanted in FORMATS.items():
            tables_button(
                view, tables, wanted, names[0], label, key=f"download_{card}_{wanted}", width="stretch"
            )
