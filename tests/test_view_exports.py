"""The export of a view: the numbers of the screen, every row, in files that say what they are."""

import ast
import csv
import io
import json
import re
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app import view_exports
from app.about import about_loading, about_view
from app.publications import Publication, close_publications, current_publication
from app.queries import compare
from app.scope import EVERYTHING, Scope
from app.selection import Selection
from app.view_exports import download_name, ending_of, view_export
from app.view_tables import ExportTable, event_tables, loading_tables, view_tables
from tests.publication_fixture import ROWS, write_publication

WEEK = Selection(date(2026, 3, 9), date(2026, 3, 15))
NOW = datetime(2026, 3, 16, 11, tzinfo=UTC)
PAGES = Path(view_exports.__file__).parent / "app_pages"
CONSENT = {"given": "1", "refused": "1", "unknown": "2"}


@pytest.fixture
def publication(tmp_path: Path):
    searches = [{**ROWS["fct_searches"][0], "search_query": "=1+1"}]
    write_publication(tmp_path / "published", rows={**ROWS, "fct_searches": searches})
    yield current_publication(tmp_path / "published", EVERYTHING)
    close_publications()


def about(publication: Publication, selection: Selection = WEEK) -> dict[str, str]:
    return about_view(publication, selection, compare(publication, selection).earlier, NOW)


def named(tables: list[ExportTable], name: str) -> ExportTable:
    return next(table for table in tables if table.name == name)


def csv_rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_the_whole_view_as_csv_is_an_archive_that_begins_with_what_it_is(publication) -> None:
    tables = view_tables(publication, WEEK, "previous")
    archive = zipfile.ZipFile(io.BytesIO(view_export(tables, "csv", about(publication))))
    assert archive.namelist() == ["about.csv", *(f"{table.name}.csv" for table in tables)]
    facts = {row["what"]: row["value"] for row in csv_rows(archive.read("about.csv"))}
    assert facts["Period"] == "9 to 15 March 2026"
    assert facts["Time zone"] == "UTC"
    assert facts["Filters"] == "none"
    assert facts["Generated"] == "2026-03-16 11:00"
    figures = {row["metric"]: row for row in csv_rows(archive.read("figures.csv")) if not row["currency"]}
    # Worked out by hand: 5 views against 2, 3 of 4 sessions engaged against 1 of 2.
    assert (float(figures["view_count"]["value"]), float(figures["view_count"]["previous"])) == (5, 2)
    assert float(figures["engagement_rate"]["value"]) == 0.75
    assert float(figures["engagement_rate"]["change_points"]) == 25
    by_channel = {row["channel"]: row for row in csv_rows(archive.read("by_channel.csv"))}
    assert by_channel["search"]["session_count"] == "2"
    assert by_channel["search"]["revenue_eur"] == "49.9"
    days = csv_rows(archive.read("over_time.csv"))
    assert [row["day"] for row in days] == [f"2026-03-{day:02d}" for day in range(9, 16)]


def test_what_people_typed_is_no_formula(publication) -> None:
    searches = named(view_tables(publication, WEEK, "previous"), "searches")
    (row,) = csv_rows(view_export([searches], "csv", {}))
    assert row["query"] == "'=1+1"
    assert "'=1+1" in sheet_texts(view_export([searches], "xlsx", {}))


def test_rows_one_by_one_know_every_filter_and_no_key(publication) -> None:
    chosen = Selection(WEEK.date_from, WEEK.date_to, ("guide",), {"channel": ("search",)})
    sessions = named(event_tables(publication, chosen), "sessions")
    rows = csv_rows(view_export([sessions], "csv", {}))
    assert sorted(row["started_at"][:10] for row in rows) == ["2026-03-09", "2026-03-11"]
    for table in event_tables(publication, WEEK):
        with table.open() as reader:
            assert not [name for name in reader.schema.names if name.endswith("_key")], table.name
    everybody = Selection(WEEK.date_from, WEEK.date_to, bots="include")
    assert (
        len(csv_rows(view_export([named(event_tables(publication, everybody), "sessions")], "csv", {}))) == 5
    )


def test_parquet_carries_its_filters_as_metadata(publication) -> None:
    sessions = named(event_tables(publication, WEEK), "sessions")
    file = pq.ParquetFile(io.BytesIO(view_export([sessions], "parquet", about(publication))))
    assert file.metadata.num_rows == 4
    assert file.schema_arrow.metadata[b"Period"] == b"9 to 15 March 2026"


def sheet_texts(workbook: bytes) -> str:
    """Every text of a workbook: they lie in one part of it."""
    return zipfile.ZipFile(io.BytesIO(workbook)).read("xl/sharedStrings.xml").decode()


def test_a_workbook_has_a_sheet_a_table_and_one_about_itself(publication) -> None:
    tables = view_tables(publication, WEEK, "previous")
    made = view_export(tables, "xlsx", about(publication))
    book = zipfile.ZipFile(io.BytesIO(made)).read("xl/workbook.xml").decode()
    assert 'name="about"' in book
    assert 'name="by_channel"' in book
    assert "9 to 15 March 2026" in sheet_texts(made)


def test_a_sheet_that_ends_early_says_so(publication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_exports, "MAX_EXCEL_ROWS", 3)
    sessions = named(event_tables(publication, WEEK), "sessions")
    assert "the first 3 rows only; CSV and Parquet hold every row" in sheet_texts(
        view_export([sessions], "xlsx", {})
    )
    assert len(csv_rows(view_export([sessions], "csv", {}))) == 4


def test_a_table_without_rows_is_a_file_all_the_same() -> None:
    empty = pa.table({"name": pa.array([], pa.string())})
    table = ExportTable("nothing", "Nothing", lambda: nullcontext(empty.to_reader()))
    assert view_export([table], "csv", {}) == b"name\n"
    assert view_export([table], "xlsx", {})
    assert pq.read_table(io.BytesIO(view_export([table], "parquet", {}))).num_rows == 0


def test_a_publication_with_hardly_any_mart_can_be_exported(tmp_path: Path) -> None:
    write_publication(tmp_path / "published", tables=["session_activity_hourly", "dim_capsules"])
    few = current_publication(tmp_path / "published", EVERYTHING)
    for wanted in ("csv", "xlsx", "parquet"):
        assert view_export(view_tables(few, WEEK, "previous"), wanted, {})
    close_publications()


@pytest.mark.parametrize(
    ("selection", "name"),
    [
        (WEEK, "engagement_view_all-capsules_2026-03-09_to_2026-03-15_made_20260316T1100Z.csv"),
        (
            Selection(WEEK.date_from, WEEK.date_to, ("guide",), bots="only"),
            "engagement_view_guide_2026-03-09_to_2026-03-15_filtered_made_20260316T1100Z.csv",
        ),
        (
            Selection(WEEK.date_from, WEEK.date_to, ("a", "b")),
            "engagement_view_2-capsules_2026-03-09_to_2026-03-15_made_20260316T1100Z.csv",
        ),
    ],
)
def test_the_name_of_a_file_says_what_it_is(selection: Selection, name: str) -> None:
    assert download_name("view", selection, NOW, "csv") == name


def test_many_tables_are_an_archive_unless_they_are_sheets(publication) -> None:
    tables = view_tables(publication, WEEK, "previous")
    assert [ending_of(tables, wanted) for wanted in ("csv", "xlsx", "parquet")] == ["zip", "xlsx", "zip"]
    assert [ending_of(tables[:1], wanted) for wanted in ("csv", "xlsx", "parquet")] == [
        "zip",
        "xlsx",
        "parquet",
    ]


def test_a_single_table_as_csv_has_a_page_about_itself_beside_it(publication) -> None:
    channels = named(view_tables(publication, WEEK, "previous"), "by_channel")
    archive = zipfile.ZipFile(io.BytesIO(view_export([channels], "csv", about(publication))))
    assert archive.namelist() == ["about.csv", "by_channel.csv"]
    facts = {row["what"]: row["value"] for row in csv_rows(archive.read("about.csv"))}
    assert (facts["Period"], facts["Generated"]) == ("9 to 15 March 2026", "2026-03-16 11:00")


def test_files_and_lines_are_exported_whole_and_without_days(publication) -> None:
    lines = named(loading_tables(publication), "lines_by_day")
    archive = zipfile.ZipFile(io.BytesIO(view_export([lines], "csv", about_loading(publication, NOW))))
    (row,) = csv_rows(archive.read("lines_by_day.csv"))
    assert (row["received_count"], row["accepted_count"]) == ("21", "16")
    facts = {row["what"]: row["value"] for row in csv_rows(archive.read("about.csv"))}
    assert facts["Period"] == "everything that was ever loaded"
    name = "engagement_lines_by_day_made_20260316T1100Z.zip"
    assert download_name("lines_by_day", None, NOW, "zip") == name


def test_every_card_of_every_page_hands_out_what_it_shows() -> None:
    cards = {
        f"{page.stem}: {ast.unparse(call.args[0])}": len(call.args) > 2
        or any(given.arg == "downloads" for given in call.keywords)
        for page in sorted(PAGES.glob("*.py"))
        for call in ast.walk(ast.parse(page.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "card"
    }
    assert len(cards) > 25
    assert [name for name, has_download in cards.items() if not has_download] == []


def test_consent_is_exported_for_every_capsule(publication) -> None:
    tables = view_tables(publication, WEEK, "previous")
    # Of the four sessions s1 agreed, s2 refused, the others said nothing.
    shares = {row["consent"]: row for row in csv_rows(view_export([named(tables, "consent")], "csv", {}))}
    assert {name: row["session_count"] for name, row in shares.items()} == CONSENT
    capsules = csv_rows(view_export([named(tables, "consent_by_capsule")], "csv", {}))
    assert sum(int(row["session_count"]) for row in capsules) == 4


def test_checks_are_exported_to_those_who_may_see_every_line(publication, tmp_path: Path) -> None:
    check = {
        "name": "roles_are_known", "sentence": "At least 95% of the messages say who speaks.",
        "passed": False, "found": 0.25, "stated": 0.75, "line_count": 60,
    }  # fmt: skip
    written = {"checked_at": "2026-03-16T10:17:00+00:00", "looked_at": "60 lines", "checks": [check]}
    (tmp_path / "results.json").write_text(json.dumps(written), encoding="utf-8")
    (row,) = csv_rows(view_export([named(loading_tables(publication, tmp_path), "checks")], "csv", {}))
    assert (row["check"], row["result"], row["found"]) == ("roles_are_known", "does not hold", "0.75")
    owner = replace(publication, scope=Scope("owner", frozenset({"guide"})))
    assert "checks" not in [table.name for table in loading_tables(owner, tmp_path)]


def formats_of(workbook: bytes, sheet: int) -> dict[str, str]:
    """How the cells of the first row of figures are written, by the name above them."""
    archive = zipfile.ZipFile(io.BytesIO(workbook))
    parts = {
        name: ElementTree.fromstring(re.sub(rb' xmlns="[^"]+"', b"", archive.read(f"xl/{name}.xml")))
        for name in ("styles", "sharedStrings", f"worksheets/sheet{sheet}")
    }
    texts = ["".join(one.itertext()) for one in parts["sharedStrings"].iter("si")]
    codes = {one.get("numFmtId"): one.get("formatCode") for one in parts["styles"].iter("numFmt")}
    styles = [codes.get(one.get("numFmtId"), "General") for one in parts["styles"].find("cellXfs")]
    names, values = list(parts[f"worksheets/sheet{sheet}"].iter("row"))[:2]
    return {
        texts[int(name.findtext("v"))]: styles[int(value.get("s", 0))]
        for name, value in zip(names, values, strict=True)
    }


def test_a_sheet_writes_shares_as_percent_and_other_figures_as_they_are(publication) -> None:
    made = view_export([named(view_tables(publication, WEEK, "previous"), "by_channel")], "xlsx", {})
    formats = formats_of(made, 2)
    assert formats["engagement_rate"] == "0.0%"
    assert formats["session_seconds_avg"] == "General"
    assert formats["session_count"].startswith("#,##0")


def test_filters_of_an_export_have_names(publication) -> None:
    filters = {"country": ("ZZ",), "device": ("mobile",), "opened_content": ("pricing", "gone")}
    words = about(publication, Selection(WEEK.date_from, WEEK.date_to, filters=filters))["Filters"]
    assert words == "Country: ZZ; Device: mobile; Opened content: Pricing (pricing), gone"
