"""Publications: complete, replaced at once, kept when a check fails."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.publication import current_manifest, publish
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import open_warehouse, writer_lock
from tests.commands import engagement, printed_json
from tests.event_lines import event, lines

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def publish_rows(settings: Settings, rows: int, now: datetime) -> str:
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("create schema if not exists marts")
        connection.execute(
            f"""create or replace table marts.session_activity_hourly as
            select date '2026-11-20' + cast(number as integer) as activity_date
            from range({rows}) as numbers (number)"""
        )
        return publish(connection, settings, now).id


def test_a_publication_holds_every_mart_and_says_what_it_is(settings: Settings) -> None:
    publication_id = publish_rows(settings, 3, NOW)
    manifest = current_manifest(settings.published)
    assert manifest is not None
    assert publication_id == manifest.id == "20261122T120000000Z-0"
    assert (manifest.published_at, manifest.as_of) == ("2026-11-22T12:00:00.000Z", None)
    assert (manifest.first_event_date, manifest.last_event_date) == ("2026-11-20", "2026-11-22")
    assert manifest.tables == {"session_activity_hourly": 3}
    with duckdb.connect(
        str(settings.published / manifest.id / "publication.duckdb"), read_only=True
    ) as reader:
        assert reader.execute("select count(*) from marts.session_activity_hourly").fetchone() == (3,)


def test_a_reader_keeps_its_publication_while_newer_ones_appear(settings: Settings) -> None:
    first = publish_rows(settings, 1, NOW)
    with duckdb.connect(str(settings.published / first / "publication.duckdb"), read_only=True) as reader:
        for minute in range(1, 4):
            publish_rows(settings, 1 + minute, NOW + timedelta(minutes=minute))
        assert reader.execute("select count(*) from marts.session_activity_hourly").fetchone() == (1,)
    # The current one and the one before it are left.
    assert len([path for path in settings.published.iterdir() if path.is_dir()]) == 2


def test_a_draft_left_by_a_crash_is_never_read_and_goes_away(settings: Settings) -> None:
    draft = settings.published / ".20261122T110000000Z-0.tmp"
    draft.mkdir()
    assert current_manifest(settings.published) is None
    publish_rows(settings, 1, NOW)
    assert not draft.exists()


@pytest.mark.end_to_end
def test_a_failed_check_leaves_readers_on_the_last_publication_and_the_next_load_catches_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "landing").mkdir(parents=True)
    (home / "landing" / "1.ndjson").write_bytes(lines(event()))
    first = printed_json(home, "load")["publication"]["id"]

    monkeypatch.setenv("ENGAGEMENT_HOME", str(home))
    settings = load_settings()

    def change_received(by: int) -> None:
        with writer_lock(settings), open_warehouse(settings) as connection:
            connection.execute(
                f"update raw.event_files set received_count = received_count + {by} where file_id = 1"
            )

    change_received(+1)
    (home / "landing" / "2.ndjson").write_bytes(lines(event(eventId="e2")))
    failed = engagement(home, "load")
    assert failed.returncode == 1
    assert "accounting_adds_up" in failed.stderr
    assert "readers stay on the last publication" in failed.stderr
    assert "Make both anew from the archive: engagement recover" in failed.stderr
    manifest = json.loads((home / "published" / first / "manifest.json").read_text(encoding="utf-8"))
    assert ((home / "published" / "CURRENT").read_text(encoding="utf-8"), manifest["accepted_count"]) == (
        f"{first}\n", 1,
    )  # fmt: skip

    change_received(-1)
    caught_up = printed_json(home, "load")
    assert (caught_up["files"], caught_up["publication"]["id"] != first) == (0, True)
    views = printed_json(home, "metrics", "--from", "2026-11-20", "--to", "2026-11-20")["metrics"][
        "view_count"
    ]
    assert views["value"] == 2


@pytest.mark.end_to_end
def test_a_failed_test_of_a_model_leaves_readers_on_the_last_publication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "landing").mkdir(parents=True)
    (home / "landing" / "1.ndjson").write_bytes(lines(event()))
    first = printed_json(home, "load")["publication"]["id"]
    before = {path.name: path.read_bytes() for path in (home / "published" / first).iterdir()}

    monkeypatch.setenv("ENGAGEMENT_HOME", str(home))
    settings = load_settings()

    def change_duplicates(by: int) -> None:
        # Of the capsule and day that the next load touches; the files' own accounting stays right.
        with writer_lock(settings), open_warehouse(settings) as connection:
            connection.execute(
                f"""update raw.event_file_counts set duplicate_count = duplicate_count + {by}
                where file_id = 1"""
            )

    change_duplicates(+1)
    (home / "landing" / "2.ndjson").write_bytes(lines(event(eventId="e2")))
    failed = engagement(home, "load")
    assert failed.returncode == 1
    assert "assert_every_day_accounts_for_its_lines" in failed.stderr
    assert "readers stay on the last publication" in failed.stderr
    assert (home / "published" / "CURRENT").read_text(encoding="utf-8") == f"{first}\n"
    assert {path.name: path.read_bytes() for path in (home / "published" / first).iterdir()} == before
    assert [path.name for path in (home / "published").iterdir() if path.is_dir()] == [first]
    day = ("--from", "2026-11-20", "--to", "2026-11-20")
    assert printed_json(home, "metrics", *day)["metrics"]["view_count"]["value"] == 1
    status = printed_json(home, "status")["publication"]
    assert (status["id"], status["accepted_count"], status["age_seconds"] > 0) == (first, 1, True)

    change_duplicates(-1)
    assert printed_json(home, "load")["publication"]["id"] != first
    assert printed_json(home, "metrics", *day)["metrics"]["view_count"]["value"] == 2
