"""The tables of a view as one download: a file, a workbook, or an archive of files.

Why it exists: a download says by itself what it is: its name holds capsule, days and the moment it was made;
a workbook and an archive begin with a page about filters, zone and age; Parquet carries it as metadata.
Not here: which rows (`view_tables.py`), how a cell is made harmless (`exports.py`).
"""

import io
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from app.about import file_word
from app.exports import MAX_EXCEL_ROWS, ExportFormat, neutralised, write_export
from app.selection import Selection
from app.view_tables import ExportTable, arrow_rows

ViewFormat = Literal["csv", "xlsx", "parquet"]
MIME_TYPES: Final = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
    "pdf": "application/pdf",
}
ABOUT: Final = "about"
# A name of a sheet ends here.
SHEET_NAME_LENGTH: Final = 31
# Sentences: a column as wide as the longest would hide what lies beside it.
LONG_TEXTS: Final = ("definition", "evidence", "recommendation", "sentence", "what_is_expected")
LONG_TEXT_PIXELS: Final = 420
# Looking at every cell for the width of its column is slow in a long sheet.
FITTED_ROWS: Final = 1_000


def download_name(what: str, selection: Selection | None, generated_at: datetime, ending: str) -> str:
    """engagement_figures_guide_2026-03-09_to_2026-03-15_made_20260316T1100Z.csv

    Without a selection neither whose it is nor days.
    """
    if selection is None:
        return f"engagement_{what}_made_{generated_at:%Y%m%dT%H%MZ}.{ending}"
    capsules = selection.capsules
    whose = f"{len(capsules)}-capsules" if capsules else "all-capsules"
    if len(capsules) == 1:
        whose = file_word(capsules[0])
    filtered = "_filtered" if any(selection.filters.values()) or selection.bots != "exclude" else ""
    days = f"{selection.date_from}_to_{selection.date_to}"
    return f"engagement_{what}_{whose}_{days}{filtered}_made_{generated_at:%Y%m%dT%H%MZ}.{ending}"


def ending_of(tables: Sequence[ExportTable], wanted: ViewFormat) -> str:
    """A workbook and a Parquet file know what they are; the others are an archive with a page about it."""
    return wanted if wanted == "xlsx" or (wanted == "parquet" and len(tables) == 1) else "zip"


def view_export(tables: Sequence[ExportTable], wanted: ViewFormat, about: Mapping[str, str]) -> bytes:
    """All rows of the tables; a sheet of a workbook ends at `MAX_EXCEL_ROWS` and its first page says so."""
    if wanted == "xlsx":
        return _workbook(tables, about)
    with tempfile.TemporaryDirectory(prefix="engagement-export-") as name:
        files = [_file(table, Path(name), wanted, about) for table in tables]
        # Without a word about it a CSV file needs no archive.
        if len(files) == 1 and (wanted == "parquet" or not about):
            return files[0].read_bytes()
        files.insert(0, _about_file(Path(name), about))
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            for file in files:
                opened.write(file, file.name)
        return archive.getvalue()


def _file(table: ExportTable, folder: Path, wanted: ExportFormat, about: Mapping[str, str]) -> Path:
    target = folder / f"{table.name}.{wanted}"
    with table.open() as reader:
        if wanted != "parquet":
            write_export(reader, target, wanted)
            return target
        facts = {name: text.encode() for name, text in about.items()}
        schema = reader.schema.with_metadata(facts)
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch.cast(schema))
    return target


def _about_file(folder: Path, about: Mapping[str, str]) -> Path:
    target = folder / f"{ABOUT}.csv"
    write_export(_about_rows(about).to_reader(), target, "csv")
    return target


def _about_rows(about: Mapping[str, str]) -> pa.Table:
    return arrow_rows([{"what": name, "value": text} for name, text in about.items()])


def _workbook(tables: Sequence[ExportTable], about: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    notes = {}
    with xlsxwriter.Workbook(made, {"in_memory": True}) as workbook:
        first = workbook.add_worksheet(ABOUT)
        for table in tables:
            rows, is_cut = _first_rows(table)
            if is_cut:
                notes[table.name] = f"the first {MAX_EXCEL_ROWS:,} rows only; CSV and Parquet hold every row"
            if not rows.columns:
                continue
            sheet = table.name[:SHEET_NAME_LENGTH]
            is_short = len(rows) < FITTED_ROWS
            neutralised(rows).write_excel(
                workbook,
                sheet,
                autofit=is_short,
                freeze_panes=(1, 0),
                column_widths={name: LONG_TEXT_PIXELS for name in LONG_TEXTS if name in rows.columns},
                column_formats=_formats(rows.schema),
            )
        first.set_column(0, 0, 24)
        first.set_column(1, 1, 80)
        titles = {table.name: table.title for table in tables}
        for number, (name, text) in enumerate({**about, **titles}.items()):
            first.write_string(number, 0, name)
            first.write_string(number, 1, f"{text}: {notes[name]}" if name in notes else text)
    return made.getvalue()


def _formats(schema: pl.Schema) -> dict[Any, str]:
    """How a sheet writes numbers: shares as percent, others with the digits they have."""
    return {
        name: "0.0%" if name.endswith(("_rate", "share")) else "General"
        for name, kind in schema.items()
        if kind.is_float()
    }


def _first_rows(table: ExportTable) -> tuple[pl.DataFrame, bool]:
    """The rows a sheet takes, and whether there are more."""
    with table.open() as reader:
        parts, count = [pl.DataFrame(pl.from_arrow(reader.schema.empty_table()))], 0
        for batch in reader:
            parts.append(pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch]))))
            count += batch.num_rows
            if count > MAX_EXCEL_ROWS:
                break
    return pl.concat(parts).head(MAX_EXCEL_ROWS), count > MAX_EXCEL_ROWS
