"""Tables as files."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from app import exports
from app.exports import ExportTooLarge, write_export

ROWS = pa.table(
    {
        "topic": ["=1+1", "+49 30", "-x", "@home", "\tx", 'plain, "quoted"', None],
        "amount": [Decimal("-1.50"), None, Decimal("2.00"), None, None, None, None],
        "day": [date(2026, 11, 20)] * 7,
    }
)


def write(target: Path, export_format: exports.ExportFormat) -> int:
    return write_export(ROWS.to_reader(max_chunksize=2), target, export_format)


def test_text_that_a_spreadsheet_would_run_is_made_harmless_and_numbers_stay_numbers(tmp_path: Path) -> None:
    assert write(tmp_path / "a.csv", "csv") == 7
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines() == [
        "topic,amount,day",
        "'=1+1,-1.50,2026-11-20",
        "'+49 30,,2026-11-20",
        "'-x,2.00,2026-11-20",
        "'@home,,2026-11-20",
        "'\tx,,2026-11-20",
        '"plain, ""quoted""",,2026-11-20',
        ",,2026-11-20",
    ]


def test_parquet_keeps_the_rows_as_they_are(tmp_path: Path) -> None:
    assert write(tmp_path / "a.parquet", "parquet") == 7
    assert pl.read_parquet(tmp_path / "a.parquet")["topic"].to_list()[0] == "=1+1"


def test_json_has_days_as_text_and_amounts_as_numbers(tmp_path: Path) -> None:
    assert write(tmp_path / "a.json", "json") == 7
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))[0] == {
        "topic": "=1+1", "amount": -1.5, "day": "2026-11-20",
    }  # fmt: skip


def test_excel_has_a_cap_that_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write(tmp_path / "a.xlsx", "xlsx") == 7
    monkeypatch.setattr(exports, "MAX_EXCEL_ROWS", 6)
    with pytest.raises(ExportTooLarge, match="Choose CSV or Parquet"):
        write(tmp_path / "b.xlsx", "xlsx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.xlsx"]


def test_an_empty_table_still_has_its_header(tmp_path: Path) -> None:
    write_export(ROWS.slice(0, 0).to_reader(), tmp_path / "a.csv", "csv")
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "topic,amount,day\n"
