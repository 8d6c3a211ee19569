"""The quality suite over raw batches: every expectation holds, breaks, and names nobody."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration import batch_sample, quality
from orchestration.archive import sealed_path
from orchestration.batch_sample import day_volume_ratio, newest_batch, take_sample, unchecked_batches
from orchestration.journal import BatchRecord, JournalFile, write_record
from orchestration.micro_batch import load_pending
from orchestration.quality import (
    EXPECTED,
    QualityFailed,
    QualityReport,
    check_newest,
    has_unchecked,
    last_results,
)
from orchestration.settings import Settings
from orchestration.status import state_of
from tests.event_lines import event, lines

# A Monday; the last whole day is Sunday, 22 November.
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SUNDAY = date(2026, 11, 22)

TEXTS = (
    "outcome", "event_key", "capsule_id", "client_session_key", "event_type", "role", "action", "source",
    "referrer_domain", "utm_source", "click_id", "device_label", "country_label", "currency",
)  # fmt: skip
SCHEMA = pa.schema(
    [
        ("line_number", pa.int64()),
        ("occurred_at", pa.timestamp("ms")),
        ("event_date", pa.date32()),
        ("amount", pa.decimal128(18, 4)),
        *((name, pa.string()) for name in TEXTS),
    ]
)

Row = dict[str, Any]


def row(event_type: str, **columns: Any) -> Row:
    return {
        "outcome": "accepted",
        "event_key": "e",
        "capsule_id": "c",
        "client_session_key": "s",
        "occurred_at": NOW.replace(tzinfo=None),
        "event_date": NOW.date(),
        "event_type": event_type,
    } | columns


def good_rows() -> list[Row]:
    """100 views, 100 messages and 100 purchases: everything a sender can say is said."""
    view = row("view", source="google", device_label="Mobile", country_label="fr")
    message = row("interaction", action="message", role="user")
    purchase = row("conversion", amount=12, currency="EUR")
    return [dict(one) for one in (view, message, purchase) for _ in range(100)]


def rejected() -> Row:
    return {"outcome": "rejected"}


def seal_batch(settings: Settings, batch_id: int, rows: list[Row], loaded_at: datetime = NOW) -> None:
    """A sealed file and its journal record, as a load leaves them."""
    content_hash = f"{batch_id:064x}"
    numbered = [one | {"line_number": number} for number, one in enumerate(rows, start=1)]
    pq.write_table(pa.Table.from_pylist(numbered, SCHEMA), sealed_path(settings.archive, content_hash))
    file = JournalFile("events.ndjson", "events", "loaded", 1, content_hash)
    write_record(settings.archive, BatchRecord(batch_id, loaded_at, (file,)))


def publish_days(settings: Settings, event_counts: dict[date, int], first: date = date(2026, 10, 1)) -> None:
    """A publication whose hourly activity has these events a day."""
    folder = settings.published / "one"
    folder.mkdir(parents=True, exist_ok=True)
    (settings.published / "CURRENT").write_text("one\n", encoding="utf-8")
    manifest = {
        "id": "one", "published_at": "2026-11-23T08:00:00.000Z", "as_of": None, "timezone": "UTC",
        "first_event_date": str(first), "last_event_date": str(SUNDAY), "batch_id": 1,
        "accepted_count": 1, "tables": {},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with duckdb.connect(str(folder / "publication.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.capsule_activity_hourly (activity_date date, event_count bigint)"
        )
        for day, count in event_counts.items():
            connection.execute("insert into marts.capsule_activity_hourly values (?, ?)", [day, count])


def sundays(last: int, *earlier: int) -> dict[date, int]:
    return {SUNDAY: last} | {
        SUNDAY - timedelta(weeks=week): count for week, count in enumerate(earlier, start=1)
    }


def verdicts(report: QualityReport | None) -> dict[str, bool | None]:
    assert report is not None
    return {check.name: check.passed for check in report.checks}


def spoil(rows: list[Row], count: int, event_type: str, /, **columns: Any) -> list[Row]:
    """The rows with these columns in the first `count` accepted events of a type."""
    chosen = [one for one in rows if one.get("event_type") == event_type][:count]
    for one in chosen:
        one.update(columns)
    return rows


# What breaks an expectation: one line more than is allowed of 100, and nothing else.
BREAKING: dict[str, Callable[[], list[Row]]] = {
    "event_key_is_complete": lambda: spoil(good_rows(), 1, "view", event_key=None),
    "capsule_id_is_complete": lambda: spoil(good_rows(), 1, "view", capsule_id=None),
    "client_session_key_is_complete": lambda: spoil(good_rows(), 1, "view", client_session_key=None),
    "occurred_at_is_complete": lambda: spoil(good_rows(), 1, "view", occurred_at=None),
    "event_date_is_complete": lambda: spoil(good_rows(), 1, "view", event_date=None),
    "event_type_is_known": lambda: spoil(good_rows(), 1, "conversion", event_type="purchase"),
    # 7 of 307 lines are 2.3%.
    "few_lines_are_rejected": lambda: [*good_rows(), *(rejected() for _ in range(7))],
    # 76 of 376 lines are 20.2%; more than 2% as well.
    "most_lines_are_readable": lambda: [*good_rows(), *(rejected() for _ in range(76))],
    "roles_are_known": lambda: spoil(good_rows(), 6, "interaction", role="other"),
    "actions_are_known": lambda: spoil(good_rows(), 11, "interaction", action="mesage", role=None),
    "sources_are_known": lambda: spoil(good_rows(), 51, "view", source=None),
    "devices_are_known": lambda: spoil(good_rows(), 41, "view", device_label="fridge"),
    "countries_are_known": lambda: spoil(good_rows(), 61, "view", country_label=None),
    "amounts_have_a_currency": lambda: spoil(good_rows(), 6, "conversion", currency=None),
    "day_volume_is_usual": good_rows,
}


def test_a_good_batch_meets_every_expectation(settings: Settings) -> None:
    publish_days(settings, sundays(900, 1000, 800, 1200, 1000))
    seal_batch(settings, 1, good_rows())
    assert verdicts(check_newest(settings, NOW)) == {one.name: True for one in EXPECTED}


def test_every_expectation_has_a_batch_that_breaks_it() -> None:
    assert set(BREAKING) == {one.name for one in EXPECTED}


@pytest.mark.parametrize("name", BREAKING)
def test_a_batch_that_breaks_one_expectation_is_told_by_that_one(settings: Settings, name: str) -> None:
    publish_days(settings, sundays(200 if name == "day_volume_is_usual" else 900, 1000, 1000, 1000))
    seal_batch(settings, 1, BREAKING[name]())
    report = check_newest(settings, NOW)
    assert report is not None
    also = {"few_lines_are_rejected"} if name == "most_lines_are_readable" else set()
    assert {check.name for check in report.failed} == {name, *also}


def test_the_threshold_itself_is_allowed(settings: Settings) -> None:
    rows = spoil(good_rows(), 5, "interaction", role=None)
    rows = spoil(rows, 40, "view", device_label="fridge")
    rows = spoil(rows, 50, "view", source=None)
    seal_batch(settings, 1, rows)
    report = check_newest(settings, NOW)
    assert report is not None
    assert report.failed == []
    found = {check.name: check.found for check in report.checks}
    assert (found["roles_are_known"], found["devices_are_known"], found["sources_are_known"]) == (
        0.95, 0.6, 0.5,
    )  # fmt: skip


def test_an_empty_referrer_is_a_known_source_because_it_means_direct(settings: Settings) -> None:
    seal_batch(settings, 1, spoil(good_rows(), 100, "view", source=None, referrer_domain=""))
    assert verdicts(check_newest(settings, NOW))["sources_are_known"] is True


def test_a_share_of_few_lines_is_not_judged_but_a_missing_key_is(settings: Settings) -> None:
    few = [row("view"), *(rejected() for _ in range(48))]
    seal_batch(settings, 1, few)
    found = verdicts(check_newest(settings, NOW))
    assert found["few_lines_are_rejected"] is None
    assert found["sources_are_known"] is None
    assert found["event_key_is_complete"] is True
    seal_batch(settings, 2, [*few, rejected()])
    assert verdicts(check_newest(settings, NOW))["few_lines_are_rejected"] is False


def test_suppressed_lines_are_neither_rejected_nor_incomplete(settings: Settings) -> None:
    seal_batch(settings, 1, [*good_rows(), *({"outcome": "suppressed"} for _ in range(100))])
    report = check_newest(settings, NOW)
    assert report is not None
    assert report.failed == []


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (sundays(500, 1000, 800, 1200, 1000), 0.5),
        (sundays(500, 1000), None),
        (sundays(500, 1000, 250), 0.8),
        (sundays(5, 10, 10, 10), None),
        ({SUNDAY - timedelta(days=1): 500} | sundays(0, 1000, 1000), 0.0),
    ],
    ids=["median of four", "one week is no habit", "median of two", "too small", "nothing came"],
)
def test_a_day_is_held_against_the_same_weekday(
    settings: Settings, counts: dict[date, int], expected: float | None
) -> None:
    weeks = len([day for day in counts if day != SUNDAY and day.weekday() == SUNDAY.weekday()])
    publish_days(settings, counts, first=SUNDAY - timedelta(weeks=weeks))
    assert day_volume_ratio(settings, NOW) == expected


def test_a_weekday_without_events_counts_as_zero(settings: Settings) -> None:
    publish_days(settings, sundays(300, 400, 0, 200), first=SUNDAY - timedelta(weeks=3))
    # The median of 400, 0 and 200.
    assert day_volume_ratio(settings, NOW) == 1.5


def test_without_a_publication_no_volume_is_judged(settings: Settings) -> None:
    seal_batch(settings, 1, good_rows())
    assert verdicts(check_newest(settings, NOW))["day_volume_is_usual"] is None


def test_only_batches_since_the_last_run_are_judged(settings: Settings) -> None:
    assert check_newest(settings, NOW) is None
    assert not has_unchecked(settings)
    for batch_id in (1, 2):
        seal_batch(settings, batch_id, good_rows())
    first = check_newest(settings, NOW)
    assert first is not None
    assert (first.first_batch, first.last_batch, first.line_count) == (1, 2, 600)
    assert not has_unchecked(settings)
    again = check_newest(settings, NOW)
    assert again is not None
    assert (again.first_batch, again.last_batch) == (2, 2), "by hand, the newest is judged again"
    seal_batch(settings, 3, good_rows())
    assert has_unchecked(settings)


def test_another_batch_of_the_last_number_is_judged(settings: Settings) -> None:
    seal_batch(settings, 1, good_rows())
    check_newest(settings, NOW)
    (settings.archive / "batches" / "00000001.json").unlink()
    seal_batch(settings, 1, good_rows(), loaded_at=NOW + timedelta(minutes=1))
    assert has_unchecked(settings)


def test_batches_that_begin_anew_are_judged(settings: Settings) -> None:
    seal_batch(settings, 7, good_rows())
    check_newest(settings, NOW)
    shutil.rmtree(settings.archive)
    settings.archive.mkdir()
    seal_batch(settings, 1, good_rows())
    assert has_unchecked(settings)
    report = check_newest(settings, NOW)
    assert report is not None
    assert (report.first_batch, report.last_batch) == (1, 1)
    assert not has_unchecked(settings)


def test_batches_without_event_files_are_none(settings: Settings) -> None:
    file = JournalFile("capsules.ndjson", "capsules", "loaded", 1, "a" * 64)
    write_record(settings.archive, BatchRecord(1, NOW, (file,)))
    assert unchecked_batches(settings.archive, None) == ()
    assert newest_batch(settings.archive) == ()


def test_a_file_that_is_gone_is_stated_not_stumbled_over(settings: Settings) -> None:
    seal_batch(settings, 1, good_rows())
    seal_batch(settings, 2, good_rows())
    sealed_path(settings.archive, f"{1:064x}").unlink()
    report = check_newest(settings, NOW)
    assert report is not None
    assert (report.file_count, report.missing_file_count, report.line_count) == (1, 1, 300)
    sealed_path(settings.archive, f"{2:064x}").unlink()
    nothing = check_newest(settings, NOW)
    assert nothing is not None
    assert set(verdicts(nothing).values()) == {None}


def test_a_large_batch_is_sampled_evenly_and_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_sample, "ROWS_CHECKED", 1000)
    seal_batch(settings, 1, [*good_rows() * 33, *(rejected() for _ in range(100))])
    sample = take_sample(settings, newest_batch(settings.archive), NOW)
    assert (sample.line_count, sample.one_in) == (10_000, 10)
    # A tenth of 10,000 lines: 1,000 within five standard deviations (30 each).
    assert 850 < len(sample.frame) < 1150
    assert sample.stated == f"{len(sample.frame):,} of 10,000 lines, one in 10 by a hash"
    again = take_sample(settings, newest_batch(settings.archive), NOW)
    assert again.frame.equals(sample.frame)


def test_the_frame_holds_flags_and_closed_words_only(settings: Settings) -> None:
    seal_batch(settings, 1, [*good_rows(), row("<b>secret</b>"), {"outcome": "secret"}])
    frame = take_sample(settings, newest_batch(settings.archive), NOW).frame
    values = {value for name in frame for value in frame[name].dropna().tolist()}
    assert values == {True, "accepted", "other", "view", "interaction", "conversion"}


MARKERS = ("marker-user", "marker-session", "marker-capsule", "marker-query", "marker-title", "203.0.113")


def test_nothing_of_a_person_reaches_results_pages_or_logs(
    settings: Settings, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    sent = [
        event(
            eventId=f"marker-event-{number}",
            sessionId=f"marker-session-{number}",
            capsuleId="marker-capsule",
            userId=f"marker-user-{number}",
            eventType="interaction" if number % 2 else "view",
            metadata={
                "action": "marker-query" if number % 3 else "search",
                "query": "marker-query",
                "contentTitle": "marker-title",
                "ip": "203.0.113.9",
                "role": "marker-user",
                "device": "marker-device",
            },
        )
        for number in range(200)
    ]
    (settings.landing / "marker-user.ndjson").write_bytes(lines(*sent) + b'{"marker-user": \n')
    load_pending(settings)
    report = check_newest(settings, NOW)
    assert report is not None
    assert (report.line_count, report.checked_line_count) == (201, 201)
    assert {"actions_are_known", "devices_are_known"} <= {check.name for check in report.failed}
    written = [path for path in settings.quality.rglob("*") if path.is_file()]
    assert len(written) >= 4
    shown = capfd.readouterr()
    texts = [path.read_text(encoding="utf-8") for path in written]
    for text in (*texts, *map(str, written), caplog.text, shown.out, shown.err):
        assert "marker" not in text
        assert "203.0.113" not in text


def test_results_are_boolean_only() -> None:
    assert quality.RESULT_FORMAT == {"result_format": "BOOLEAN_ONLY"}


def test_the_pages_fetch_nothing(settings: Settings) -> None:
    seal_batch(settings, 1, spoil(good_rows(), 60, "view", device_label="fridge"))
    check_newest(settings, NOW)
    pages = list((settings.quality / "data_docs").rglob("*.html"))
    assert {page.relative_to(settings.quality / "data_docs").parts[0] for page in pages} == {
        "index.html", "expectations", "validations",
    }  # fmt: skip
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(script|link|img|iframe|object|video|audio)\b|url\(|@import|\bsrc=", text), (
            page
        )
    front = (settings.quality / "data_docs" / "index.html").read_text(encoding="utf-8")
    assert "does not hold: warning" in front
    assert "40.0%" in front, "40 of 100 views have a device that is known"


def test_a_link_of_the_front_page_leads_to_a_page(settings: Settings) -> None:
    seal_batch(settings, 1, good_rows())
    check_newest(settings, NOW)
    site = settings.quality / "data_docs"
    targets = re.findall(r'href="([^"]+)"', (site / "index.html").read_text(encoding="utf-8"))
    assert len(targets) == 2
    assert all((site / target).exists() for target in targets)


def test_a_new_run_replaces_the_pages_and_remembers_the_last_ones(settings: Settings) -> None:
    seal_batch(settings, 1, BREAKING["devices_are_known"]())
    check_newest(settings, NOW)
    seal_batch(settings, 2, good_rows())
    check_newest(settings, NOW + timedelta(hours=1))
    results = last_results(settings)
    assert results is not None
    assert [(run["last_batch"], run["failed"]) for run in results["history"]] == [
        (2, []),
        (1, ["devices_are_known"]),
    ]
    assert sorted(path.name for path in settings.quality.iterdir()) == ["data_docs", "results.json"]
    assert len(list((settings.quality / "data_docs" / "validations").rglob("*.html"))) == 1


def test_a_suite_that_cannot_be_computed_is_an_error_not_a_verdict(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal_batch(settings, 1, good_rows())
    sample = take_sample(settings, newest_batch(settings.archive), NOW)
    wrong = quality.Expected("wrong_is_told", "no_such_column", (True,), 1.0, "warn", "Wrong.")
    monkeypatch.setattr(quality, "judgeable", lambda sample: [wrong])
    with pytest.raises(QualityFailed, match="wrong_is_told"):
        quality.judge(sample, settings.quality / "drawn")


def test_the_status_tells_what_does_not_hold(settings: Settings) -> None:
    assert state_of(settings, NOW)["quality"] is None
    seal_batch(settings, 1, BREAKING["devices_are_known"]())
    check_newest(settings, NOW)
    told = state_of(settings, NOW)["quality"]
    assert [check["name"] for check in told["failed"]] == ["devices_are_known"]
    # All but the volume of the day, for which there is no publication.
    assert told["judged_count"] == len(EXPECTED) - 1
    assert Path(told["data_docs"]).exists()


def test_a_sentence_states_its_threshold() -> None:
    said = {one.name: one.sentence for one in EXPECTED}
    assert said["few_lines_are_rejected"] == "At most 2% of the lines are rejected."
    assert said["devices_are_known"].startswith("At least 60% of the views")
    assert "0.3 to 3 times" in said["day_volume_is_usual"]


def test_the_readme_lists_every_expectation() -> None:
    readme = " ".join((Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8").split())
    for one in EXPECTED:
        assert f"`{one.name}`" in readme, one.name
        if one.at_least < 1:
            assert one.sentence.rstrip(".") in readme, one.sentence


def test_a_load_does_not_wait_for_great_expectations() -> None:
    code = (
        "import sys, orchestration.definitions, orchestration.status\n"
        "print('great_expectations' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("False")
