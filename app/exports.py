"""Tables as files: CSV, Excel, Parquet, JSON.

Why it exists: one place that knows how each format is written safely. Rows stream from the publication in
batches, so CSV, Parquet and JSON have no cap; Excel has one.
Not here: which rows (`queries.py`).
"""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

ExportFormat = Literal["csv", "xlsx", "parquet", "json"]

# Writing costs 8 s per 100,000 rows, and a sheet ends at 1,048,576.
MAX_EXCEL_ROWS: Final = 100_000
# A spreadsheet program runs text that begins like this as a formula.
_FORMULA_START: Final = r"^[=+\-@\t\r\n]"


class ExportTooLarge(ValueError):
    """More rows than the format takes; the text names the formats that take them."""


def write_export(reader: pa.RecordBatchReader, target: Path, export_format: ExportFormat) -> int:
    """Writes all rows of a stream to `target`, whole or not at all; returns how many.

    Raises `ExportTooLarge` for Excel above `MAX_EXCEL_ROWS` rows, OSError when it can't be written.
    """
    writers: Mapping[str, Callable[[pa.RecordBatchReader, Path], int]] = {
        "csv": _write_csv,
        "xlsx": _write_excel,
        "parquet": _write_parquet,
        "json": _write_json,
    }
    draft = target.with_name(f".{target.name}.part")
    try:
        count = writers[export_format](reader, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return count


def neutralised(rows: pl.DataFrame) -> pl.DataFrame:
    """Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers stay numbers."""
    texts = [name for name, kind in rows.schema.items() if kind == pl.String]
    return rows.with_columns(
        pl.when(pl.col(name).str.contains(_FORMULA_START))
        .then(pl.concat_str(pl.lit("'"), pl.col(name)))
        .otherwise(pl.col(name))
        .alias(name)
        for name in texts
    )


def _empty(reader: pa.RecordBatchReader) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(reader.schema.empty_table()))


def _write_csv(reader: pa.RecordBatchReader, draft: Path) -> int:
    count = 0
    with draft.open("wb") as file:
        neutralised(_empty(reader)).write_csv(file)
        for batch in reader:
            rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
            neutralised(rows).write_csv(file, include_header=False)
            count += len(rows)
    return count


def _write_excel(reader: pa.RecordBatchReader, draft: Path) -> int:
    parts = [_empty(reader)]
    count = 0
    for batch in reader:
        count += batch.num_rows
        if count > MAX_EXCEL_ROWS:
            raise ExportTooLarge(
                f"Excel takes up to {MAX_EXCEL_ROWS:,} rows here. Choose CSV or Parquet, or a shorter range."
            )
        parts.append(pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch]))))
    with draft.open("wb") as file:
        neutralised(pl.concat(parts)).write_excel(file, autofit=True, freeze_panes=(1, 0))
    return count


def _write_parquet(reader: pa.RecordBatchReader, draft: Path) -> int:
    count = 0
    with pq.ParquetWriter(draft, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _write_json(reader: pa.RecordBatchReader, draft: Path) -> int:
    count = 0
    with draft.open("w", encoding="utf-8") as file:
        file.write("[")
        for batch in reader:
            for row in batch.to_pylist():
                file.write(",\n" if count else "\n")
                file.write(json.dumps(row, ensure_ascii=False, default=plain_value))
                count += 1
        file.write("\n]\n")
    return count


def plain_value(value: Any) -> Any:
    """A value JSON has no type for: days and instants as ISO 8601 (instants are UTC), amounts as numbers."""
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z" if value.tzinfo is None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return str(value)
