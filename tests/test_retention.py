"""Events before the window leave every byte; the figures of their days stay, small groups folded.

The stream is written down here: from Nov 10 to Nov 12, 2026. Thirteen months later, on Dec 12, 2027, the
window begins on Nov 12. Six visitors came by search on Nov 10, two from social; one session lasts over the
midnight
before the window.
"""

import json
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration import warehouse
from orchestration.dbt_runner import build
from orchestration.kept_figures import DAY_OF, closed_before
from orchestration.micro_batch import load_pending
from orchestration.publication import MARTS_FILE, current_manifest, publish
from orchestration.raw_events import accounting_gaps
from orchestration.raw_schema import RAW_TABLES
from orchestration.recovery import recover
from orchestration.retention import retire
from orchestration.settings import Settings, load_settings
from orchestration.state_folder import create_state_folders
from orchestration.warehouse import open_warehouse, writer_lock
from tests.event_lines import event, lines
from tests.test_crashes import start

LATER = datetime(2027, 12, 12, 4, tzinfo=UTC)
DAY_LATER = datetime(2027, 12, 13, 4, tzinfo=UTC)
# Of events that leave: the texts and, as a hash, nothing else names them.
MARKS = ("zebramark", "plummark", "quincemark")


def came(who: str, at: str, kind: str = "view", **metadata: Any) -> dict[str, Any]:
    session = f"s-{who}-{at[:10]}"
    return event(
        kind, eventId=f"{who}-{at}", userId=who, sessionId=session, timestamp=f"{at}Z", metadata=metadata
    )


SEARCH = {"referrer": "https://www.google.com/", "device": "desktop", "country": "FR"}
SOCIAL = {"referrer": "https://www.facebook.com/", "device": "mobile", "country": "DE"}
PRICING = {"kind": "interaction", "action": "search", "query": "pricing"}
STREAM = [
    *(came(f"u{n}", "2026-11-10T10:00:00", **SEARCH) for n in range(6)),
    *(came(f"u{n}", "2026-11-10T10:00:30", **PRICING) for n in range(5)),
    *(came(f"v{n}", "2026-11-10T11:00:00", **SOCIAL) for n in range(2)),
    came("v0", "2026-11-10T11:00:05", "interaction", action="search", query="zebramark"),
    came("v0", "2026-11-10T11:00:06", "custom", name="plummark", colour="quincemark"),
    came("v0", "2026-11-10T11:00:07", "conversion", conversionType="sale", value=10, currency="EUR"),
    came("v1", "2026-11-10T11:00:08", "content_access", contentId="guide"),
    *(came(f"u{n}", "2026-11-10T10:01:00", "interaction", action="message", role="user") for n in range(5)),
    came("u0", "2026-11-10T10:01:09", "interaction", action="message", role="user"),
    # Over midnight: one session of Nov 11, whose second view belongs to Nov 12.
    came("w", "2026-11-11T23:50:00", **SEARCH),
    came("w", "2026-11-12T00:05:00", **SEARCH) | {"sessionId": "s-w-2026-11-11"},
    *(came(f"u{n}", "2026-11-12T10:00:00", **SEARCH) for n in range(3)),
    # Opted out before the window, still out in it.
    came("x", "2026-11-10T09:00:00", optOut=True),
    came("x", "2026-11-12T09:00:00"),
]  # fmt: skip
RIVALS = [
    # One id on both sides of the start of the window: the older wins, and both go.
    came("y", "2026-11-11T23:59:00") | {"eventId": "same"},
    came("y", "2026-11-12T00:01:00") | {"eventId": "same", "sessionId": "y-later"},
    came("u0", "2026-11-10T10:00:00", **SEARCH),
]


def _publish(settings: Settings) -> None:
    with writer_lock(settings):
        assert build(settings).is_good
        with open_warehouse(settings) as connection:
            publish(connection, settings, datetime.now(UTC))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("retention") / "home"
    with pytest.MonkeyPatch.context() as patch:
        _configure(patch, home)
        settings = load_settings()
        create_state_folders(settings)
        for name, content in (("1.ndjson", STREAM[::2]), ("2.ndjson", STREAM[1::2]), ("3.ndjson", RIVALS)):
            (settings.landing / name).write_bytes(lines(*content))
            load_pending(settings)
        _publish(settings)
        yield home


def _configure(patch: pytest.MonkeyPatch, home: Path) -> None:
    for name, value in (
        ("HOME", str(home)), ("QUIET_SECONDS", "0"), ("ACCEPT_ANY_AGE", "true"),
    ):  # fmt: skip
        patch.setenv(f"ENGAGEMENT_{name}", value)
    for name in ("WAREHOUSE", "TMP"):
        patch.delenv(f"ENGAGEMENT_{name}", raising=False)
    # Compression hides texts from a search of the bytes.
    plain = warehouse.connection_config
    patch.setattr(
        warehouse,
        "connection_config",
        lambda settings: plain(settings) | {"force_compression": "uncompressed"},
    )


@pytest.fixture
def settings(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    shutil.copytree(filled, tmp_path / "home")
    _configure(monkeypatch, tmp_path / "home")
    return load_settings()


def published(settings: Settings, table: str, since: str = "2000-01-01") -> list[dict[str, Any]]:
    manifest = current_manifest(settings.published)
    assert manifest is not None
    file = settings.published / manifest.id / MARTS_FILE
    with duckdb.connect(str(file), read_only=True) as connection:
        found = connection.execute(
            f"select * from marts.{table} where {DAY_OF[table]} >= ? order by all", [since]
        )
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def everything_raw(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    with writer_lock(settings), open_warehouse(settings) as connection:
        assert accounting_gaps(connection) == []
        return {
            table: connection.execute(f"select * from raw.{table} order by all").fetchall()
            for table in RAW_TABLES
            # When a build or a publication was, and what it took note of.
            if table not in ("model_builds", "removed_events", "renewed_days", "last_publication")
        }


def marks_in(home: Path) -> dict[str, str]:
    """Marker → a file that holds it, sealed files decompressed."""
    found: dict[str, str] = {}
    for path in home.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode("latin-1")
            if path.suffix == ".parquet":
                text += str(pq.read_table(path).to_pylist())
            found |= {mark: str(path.relative_to(home)) for mark in MARKS if mark in text}
    return found


def test_old_events_leave_every_byte_and_the_figures_of_their_days_stay_folded(settings: Settings) -> None:
    before = {table: published(settings, table, "2026-11-12") for table in DAY_OF}
    assert set(marks_in(settings.home / "archive")) == set(MARKS)
    assert set(marks_in(settings.home / "warehouse")) == set(MARKS)
    assert set(marks_in(settings.landing / "loaded")) == set(MARKS)

    tried = retire(settings, LATER, dry_run=True)
    assert set(marks_in(settings.home)) == set(MARKS)
    receipt = retire(settings, LATER)

    # 23 of Nov 10 (the opt-out is no event) and the winner of the rivals; of `w` one rests.
    assert (tried.event_count, receipt.event_count) == (24, 24)
    assert (receipt.resting_event_count, receipt.closed_day_count) == (1, 2)
    assert tried.closed_day_count == 2
    assert marks_in(settings.home) == {}
    # Inside the window nothing changed.
    assert {table: published(settings, table, "2026-11-12") for table in DAY_OF} == before
    traffic = published(settings, "capsule_traffic_daily")
    day = [row for row in traffic if str(row["activity_date"]) == "2026-11-10"]
    shown = {(row["channel"], row["device"]): (row["session_count"], row["view_count"]) for row in day}
    assert shown == {("search", "desktop"): (6, 6), ("other", "other"): (2, 2)}
    queries = {
        row["search_query"]: row["search_count"] for row in published(settings, "search_queries_daily")
    }
    assert queries == {"pricing": 5, "other": 1}
    # Five reached the first turn, one the second: which is one row "two or more".
    depth = [
        (row["turn_number"], row["reached_count"], row["dropped_count"] + row["finished_count"])
        for row in published(settings, "conversation_depth_daily")
    ]
    assert depth == [(1, 5, 4), (2, 1, 1)]
    (content,) = published(settings, "content_engagement_daily")
    assert (content["content_id"], content["access_count"], content["visitor_count"]) == ("other", 1, 1)
    (sale,) = published(settings, "revenue_daily")
    assert (sale["conversion_type"], float(sale["amount"])) == ("other", 10.0)
    assert [path.name for path in settings.published.iterdir() if path.is_dir()] == [
        current_manifest(settings.published).id  # type: ignore[union-attr]
    ]


def test_the_archive_gives_back_exactly_what_was_kept(settings: Settings) -> None:
    retire(settings, LATER)
    wanted = everything_raw(settings)
    figures = {table: published(settings, table) for table in DAY_OF}
    settings.warehouse_file.unlink()
    recover(settings)
    assert everything_raw(settings) == wanted
    _publish(settings)
    assert {table: published(settings, table) for table in DAY_OF} == figures


def test_a_rest_leaves_a_day_later_and_a_closed_day_takes_no_more_events(settings: Settings) -> None:
    retire(settings, LATER)
    figures = {table: published(settings, table) for table in DAY_OF}
    receipt = retire(settings, DAY_LATER)
    # The rest of `w`, its view of Nov 12, and three more; nothing of a folded day is folded again.
    assert (receipt.event_count, receipt.resting_event_count, receipt.closed_day_count) == (5, 0, 1)
    after = {table: published(settings, table) for table in DAY_OF}
    for table, rows in after.items():
        old = [row for row in rows if str(row[DAY_OF[table]]) < "2026-11-12"]
        assert old == [row for row in figures[table] if str(row[DAY_OF[table]]) < "2026-11-12"], table
    last = [row for row in after["capsule_traffic_daily"] if str(row["activity_date"]) == "2026-11-12"]
    # Three sessions and the second view of `w`, whose session began the day before; under five: one row.
    assert [(row["channel"], row["session_count"], row["view_count"]) for row in last] == [("other", 3, 4)]
    again = came("late", "2026-11-11T10:00:00")
    (settings.landing / "late.ndjson").write_bytes(lines(again))
    assert load_pending(settings).rejected_by_reason == {"timestamp_too_old": 1}
    assert retire(settings, DAY_LATER).event_count == 0


# One run after another is killed at the next of these, and the last goes on from what they left.
KILLS = (
    "_write_plan:after:1", "rewrite_sealed:after:1", "write_record:after:1", "expire_events:after:1",
    "publish:after:1", "compact:after:1", "_write_json:after:2",
)  # fmt: skip


def test_a_run_that_is_killed_at_step_after_step_is_ended_by_the_last(settings: Settings) -> None:
    for step in KILLS:
        process = start(
            settings, f"orchestration.retention:{step}", "retire", LATER.isoformat(),
            quiet_seconds="0", accept_any_age="true",
        )  # fmt: skip
        assert process.wait(300) == -signal.SIGKILL, (step, process.stderr and process.stderr.read())
    retire(settings, LATER)
    assert marks_in(settings.home) == {}
    assert str(closed_before(settings.archive)) == "2026-11-12"
    assert sum(row["session_count"] for row in published(settings, "capsule_traffic_daily")) == 13
    (path,) = settings.receipts.iterdir()
    receipt = json.loads(path.read_text(encoding="utf-8"))
    # As one run says that nobody disturbs.
    assert (receipt["first_kept_day"], receipt["event_count"]) == ("2026-11-12", 24)
    assert (receipt["resting_event_count"], receipt["rewritten_file_count"]) == (1, 3)
    everything_raw(settings)
