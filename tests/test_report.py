"""The report: what the page says is what the screen says, read back from the PDF itself."""

import io
import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pypdf
import pytest
from click.testing import CliRunner

from app.about import file_word
from app.metrics import METRICS
from app.publications import Publication, close_publications, current_publication
from app.report import report
from app.report_pdf import CATEGORY_COLOURS, SEQUENTIAL_COLOURS, chart_svg, report_pdf
from app.scope import EVERYTHING
from app.selection import Selection
from orchestration.cli import main
from orchestration.definitions import defs
from orchestration.reports import last_whole_week, write_weekly_reports
from orchestration.settings import Settings
from tests.publication_fixture import ROWS, write_publication

WEEK = Selection(date(2026, 3, 9), date(2026, 3, 15))
NOW = datetime(2026, 3, 16, 11, tzinfo=UTC)


@pytest.fixture
def publication(tmp_path: Path):
    write_publication(tmp_path / "published")
    yield current_publication(tmp_path / "published", EVERYTHING)
    close_publications()


def pdf_of(publication: Publication, selection: Selection = WEEK) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(report_pdf(report(publication, selection, "previous", NOW), NOW)))


def text_of(pdf: pypdf.PdfReader) -> str:
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pdf.pages))


def test_the_figures_of_the_week_are_on_the_page(publication: Publication) -> None:
    text = text_of(pdf_of(publication))
    # Worked out by hand from the seven sessions of the publication; the same as on the dashboard.
    for line in (
        "Views 5 +150% 2",
        "Visitors 3 +50% 2",
        "Sessions 4 +100% 2",
        "Engagement rate 75.0% +25 points 50.0%",
        "Time on capsule 1 min 2 s +25% 50 s",
        "Conversion rate 66.7% +66.7 points 0.0%",
        "Bounce rate 25.0%",
        "Leads 1 new 0",
        "Median time to conversion 10 min",
        "Revenue, EUR 49.90 EUR new 0.00 EUR",
        "Revenue, USD 10.00 USD new 0.00 USD",
    ):
        assert line in text, line


def test_the_page_says_what_it_shows(publication: Publication) -> None:
    text = text_of(
        pdf_of(publication, Selection(WEEK.date_from, WEEK.date_to, ("guide",), {"channel": ("search",)}))
    )
    for line in (
        "Sales *guide*",
        "Period 9 to 15 March 2026",
        "Time zone UTC",
        "Compared with 2 to 8 March 2026",
        "Filters Channel: search",
        "Sessions of bots left out",
        "Figures published 2026-03-16 10:00, 1 hour ago",
        "Newest event 2026-03-16 09:30",
        "Generated 2026-03-16 11:00",
    ):
        assert line in text, line


def test_every_metric_is_defined(publication: Publication) -> None:
    text = text_of(pdf_of(publication)).replace(" ", "")
    for metric in METRICS:
        if metric.unit != "money":
            assert metric.label.replace(" ", "") in text, metric.id
            # A long definition may be cut by the footer of a page; its first words are not.
            assert metric.definition.replace(" ", "")[:20] in text, metric.id


def test_the_document_is_tagged_numbered_and_named(publication: Publication) -> None:
    pdf = pdf_of(publication)
    root = pdf.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert b"pdfuaid" in root["/Metadata"].get_data()
    assert pdf.metadata.title == "Engagement report: All capsules"
    pages = len(pdf.pages)
    for number, page in enumerate(pdf.pages, 1):
        assert f"Page {number} of {pages}" in page.extract_text()


def test_the_same_report_is_the_same_file(publication: Publication) -> None:
    first = report_pdf(report(publication, WEEK, "previous", NOW), NOW)
    assert first == report_pdf(report(publication, WEEK, "previous", NOW), NOW)


def test_what_people_typed_is_text_and_never_markup(tmp_path: Path) -> None:
    typed = '#panic("run") $x$ *bold* `code` #read("/etc/passwd") </svg> 日本'
    capsules = [{**ROWS["dim_capsules"][0], "capsule_name": typed}, *ROWS["dim_capsules"][1:]]
    searches = [{**ROWS["fct_searches"][0], "search_query": '#eval("1")'}]
    write_publication(
        tmp_path / "published", rows={**ROWS, "dim_capsules": capsules, "fct_searches": searches}
    )
    pdf = pdf_of(
        current_publication(tmp_path / "published", EVERYTHING),
        Selection(WEEK.date_from, WEEK.date_to, ("guide",)),
    )
    text = text_of(pdf).replace(" ", "")
    assert '#panic("run")$x$*bold*`code`#read("/etc/passwd")</svg>' in text
    assert '#eval("1")' in text
    close_publications()


def test_charts_are_vectors_in_the_colours_of_the_light_theme(publication: Publication) -> None:
    found = report(publication, WEEK, "previous", NOW)
    assert len(found.charts) > 5
    svg = chart_svg(found.charts["chart-1"])
    assert "<image" not in svg
    theme = tomllib.loads(
        (Path(__file__).parent.parent / ".streamlit/config.toml").read_text(encoding="utf-8")
    )
    assert list(CATEGORY_COLOURS) == theme["theme"]["light"]["chartCategoricalColors"]
    assert list(SEQUENTIAL_COLOURS) == theme["theme"]["light"]["chartSequentialColors"]
    assert CATEGORY_COLOURS[0] in svg


def test_a_publication_with_hardly_any_mart_still_gives_a_report(tmp_path: Path) -> None:
    write_publication(tmp_path / "published", tables=["session_activity_hourly", "dim_capsules"])
    assert "Views 5 +150% 2" in text_of(pdf_of(current_publication(tmp_path / "published", EVERYTHING)))
    close_publications()


def test_a_period_without_events_gives_a_report_that_says_so(publication: Publication) -> None:
    text = text_of(pdf_of(publication, Selection(date(2025, 1, 1), date(2025, 1, 7))))
    assert "Views 0" in text
    assert "nothing in this period" in text


def test_the_last_whole_week_ends_on_the_sunday_before_in_the_reporting_zone() -> None:
    monday = datetime(2026, 3, 16, 3, tzinfo=UTC)
    assert last_whole_week(monday, "UTC") == (date(2026, 3, 9), date(2026, 3, 15))
    # In Los Angeles it is still Sunday evening.
    assert last_whole_week(monday, "America/Los_Angeles") == (date(2026, 3, 2), date(2026, 3, 8))


@pytest.mark.parametrize(("text", "word"), [("guide", "guide"), ("my-capsule-2", "my-capsule-2")])
def test_a_plain_id_is_its_own_file_name(text: str, word: str) -> None:
    assert file_word(text) == word


def test_ids_that_are_no_file_names_stay_apart() -> None:
    words = {file_word(text) for text in ("a/b", "a b", "../../a", "é", "ü", "x" * 70, "x" * 71)}
    assert len(words) == 7
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", word) for word in words)


def test_every_capsule_of_the_week_has_its_file(settings: Settings) -> None:
    write_publication(settings.published)
    written = write_weekly_reports(settings, NOW, lambda text: None)
    assert [path.name for path in written] == [
        "report_onboarding_2026-03-09_to_2026-03-15.pdf",
        "report_guide_2026-03-09_to_2026-03-15.pdf",
    ]
    assert "Views 2" in text_of(pypdf.PdfReader(written[0]))
    assert "Views 3" in text_of(pypdf.PdfReader(written[1]))
    assert sorted(path.name for path in settings.exports.iterdir()) == sorted(path.name for path in written)
    # The week before knew one capsule only.
    (only,) = write_weekly_reports(settings, datetime(2026, 3, 9, 12, tzinfo=UTC), lambda text: None)
    assert only.name == "report_guide_2026-03-02_to_2026-03-08.pdf"
    close_publications()


def test_the_weekly_job_runs_and_its_schedule_is_on(settings: Settings) -> None:
    write_publication(settings.published)
    with dg.DagsterInstance.ephemeral() as instance:
        assert defs.resolve_job_def("weekly_reports").execute_in_process(instance=instance).success
    schedule = defs.resolve_schedule_def("every_week")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.cron_schedule == "7 12 * * 1"
    close_publications()


def test_the_command_writes_the_same_report(settings: Settings) -> None:
    write_publication(settings.published)
    target = settings.home / "week.pdf"
    wanted = [
        "report",
        "--from",
        "2026-03-09",
        "--to",
        "2026-03-15",
        "--capsule",
        "onboarding",
        "--out",
        str(target),
    ]
    done = CliRunner().invoke(main, wanted)
    assert done.exit_code == 0, done.output
    assert "Views 2" in text_of(pypdf.PdfReader(target))
    backwards = ["report", "--from", "2026-03-15", "--to", "2026-03-09", "--out", str(target)]
    assert CliRunner().invoke(main, backwards).exit_code == 2
    close_publications()


@pytest.mark.parametrize(
    ("mistyped", "words"),
    [
        (["export", "fct_sessions", "--capsule", "giude"], "capsule 'giude'; the nearest is \"guide\""),
        (["export", "dim_content", "--capsule", "xyz"], "No event has the capsule 'xyz'. There are 2"),
        (["export", "fct_sesions"], "no table 'fct_sesions'; the nearest is \"fct_sessions\""),
        (["export", "fct_sessions", "--from", "2026-03-15", "--to", "2026-03-09"], "swap them"),
        (["report", "--from", "2026-03-09", "--to", "2026-03-15", "--capsule", "giude"],
         "capsule 'giude'; the nearest is \"guide\""),
    ],
)  # fmt: skip
def test_a_mistyped_name_writes_no_file(settings: Settings, mistyped: list[str], words: str) -> None:
    write_publication(settings.published)
    done = CliRunner().invoke(main, [*mistyped, "--out", str(settings.home / "out")])
    assert done.exit_code == 2
    assert words in done.output
    assert not (settings.home / "out").exists()
    close_publications()


def test_a_capsule_whose_lines_were_all_rejected_can_be_exported(settings: Settings) -> None:
    lost = {"load_date": "2026-03-12", "capsule_id": "lost", "received_count": 1, "rejected_count": 1}
    write_publication(settings.published, rows={**ROWS, "ingestion_daily": [lost]})
    target = settings.home / "lost.csv"
    done = CliRunner().invoke(main, ["export", "ingestion_daily", "--capsule", "lost", "--out", str(target)])
    assert done.exit_code == 0, done.output
    assert target.read_text(encoding="utf-8").splitlines()[1].startswith("2026-03-12,lost,1")
    close_publications()
