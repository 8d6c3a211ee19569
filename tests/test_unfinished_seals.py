"""What a load that broke off left sealed goes, and nothing else ever does."""

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.journal import newest_record_id, read_records
from orchestration.micro_batch import load_pending
from orchestration.opt_out_requests import opt_out
from orchestration.raw_events import Accounting
from orchestration.settings import Settings
from tests.event_lines import event, lines
from tests.test_crashes import start
from tests.test_raw_events import no_gaps, rows


def land(settings: Settings, *names: str) -> None:
    for name in names:
        (settings.landing / name).write_bytes(lines(event(eventId=name)))


def killed(settings: Settings, point: str) -> None:
    assert start(settings, point, quiet_seconds="0").wait(120) == -signal.SIGKILL


def sealed(settings: Settings) -> set[str]:
    return {path.stem for path in settings.archive.glob("*.parquet")}


def named(settings: Settings) -> set[str | None]:
    return {file.content_hash for record in read_records(settings.archive) for file in record.files}


@pytest.fixture
def one_loaded(settings: Settings) -> Settings:
    land(settings, "first.ndjson")
    assert load_pending(settings).accounting == Accounting(received=1, accepted=1)
    return settings


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("orchestration.sealing:keep_sealed:after:1", 1),
        ("orchestration.sealing:make_durable:before:1", 2),
        ("orchestration.micro_batch:write_record:before:1", 2),
    ],
)
def test_sealed_files_of_a_load_killed_before_its_record_go_though_their_files_were_taken_back(
    point: str, left: int, one_loaded: Settings
) -> None:
    land(one_loaded, "a.ndjson", "b.ndjson")
    killed(one_loaded, point)
    assert len(sealed(one_loaded) - named(one_loaded)) == left
    (one_loaded.landing / "a.ndjson").unlink()
    said: list[str] = []
    assert load_pending(one_loaded, said.append).accounting == Accounting(received=1, accepted=1)
    assert f"Removed {left} sealed files of a load that broke off before its record" in said
    assert sealed(one_loaded) == named(one_loaded)
    assert len(sealed(one_loaded)) == 2
    assert no_gaps(one_loaded)
    assert not (one_loaded.archive / "sealing").exists()


def test_what_a_written_record_names_is_committed_and_not_removed(one_loaded: Settings) -> None:
    land(one_loaded, "a.ndjson", "b.ndjson")
    killed(one_loaded, "orchestration.micro_batch:write_record:after:1")
    before = sealed(one_loaded)
    assert (len(before), newest_record_id(one_loaded.archive)) == (3, 2)
    (one_loaded.landing / "a.ndjson").unlink()
    (one_loaded.landing / "b.ndjson").unlink()
    land(one_loaded, "c.ndjson")
    assert load_pending(one_loaded).accounting == Accounting(received=3, accepted=3)
    assert before < sealed(one_loaded) == named(one_loaded)
    assert rows(one_loaded, "select count(*) from raw.events") == [(4,)]


def test_nothing_is_removed_while_a_record_is_missing(one_loaded: Settings) -> None:
    """Batch 1 is lost from the journal, 2 is not: a file without a record may be one of a lost record."""
    land(one_loaded, "second.ndjson")
    load_pending(one_loaded)
    land(one_loaded, "a.ndjson")
    killed(one_loaded, "orchestration.micro_batch:write_record:before:1")
    record = one_loaded.archive / "batches" / "00000001.json"
    kept = record.read_bytes()
    record.unlink()
    (one_loaded.landing / "a.ndjson").unlink()
    before = sealed(one_loaded)
    land(one_loaded, "c.ndjson")
    load_pending(one_loaded)
    assert before < sealed(one_loaded)
    record.write_bytes(kept)
    land(one_loaded, "d.ndjson")
    load_pending(one_loaded)
    assert sealed(one_loaded) == named(one_loaded)


def test_a_file_sealed_before_the_load_that_broke_off_stays(one_loaded: Settings, tmp_path: Path) -> None:
    known = next(one_loaded.archive.glob("*.parquet"))
    older = one_loaded.archive / f"{'0' * 64}.parquet"
    older.write_bytes(known.read_bytes())
    hour_ago = time.time() - 3600
    os.utime(older, (hour_ago, hour_ago))
    land(one_loaded, "a.ndjson")
    killed(one_loaded, "orchestration.micro_batch:write_record:before:1")
    load_pending(one_loaded)
    assert sealed(one_loaded) - named(one_loaded) == {older.stem}


def test_an_opt_out_between_leaves_the_rest_to_the_next_load(one_loaded: Settings) -> None:
    land(one_loaded, "a.ndjson")
    killed(one_loaded, "orchestration.micro_batch:write_record:before:1")
    (one_loaded.landing / "a.ndjson").unlink()
    opt_out(one_loaded, "user", "somebody", datetime.now(UTC))
    assert len(sealed(one_loaded) - named(one_loaded)) == 1
    # Also without anything to load.
    assert load_pending(one_loaded).accounting == Accounting()
    assert sealed(one_loaded) == named(one_loaded)
