"""Files that are written to after they were loaded or refused: nothing of them is lost."""

import gzip
import json
import os
import time
from pathlib import Path
from typing import IO

import pytest

from orchestration.event_files import FileRefused
from orchestration.line_reader import LineReader
from orchestration.micro_batch import load_pending, view_pending
from orchestration.originals import delete_old
from orchestration.raw_events import Accounting
from orchestration.settings import Settings, load_settings
from tests.event_lines import event, line, lines
from tests.test_raw_events import land, no_gaps, rows


def write(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()


def stored_count(settings: Settings) -> int:
    return int(rows(settings, "select count(*) from raw.events")[0][0])


def test_a_writer_whose_pause_is_longer_than_the_quiet_time_loses_nothing(settings: Settings) -> None:
    # No line has an id: what was loaded before is recognised by its content.
    sent = [event(eventId=None, sessionId=f"s{number}") for number in range(6)]
    with (settings.landing / "slow.ndjson").open("wb") as slow:
        write(slow, lines(sent[0], sent[1]) + line(sent[2])[:40])
        first = load_pending(settings)
        write(slow, line(sent[2])[40:] + b"\n" + lines(sent[3]))
        second = load_pending(settings)
        write(slow, lines(sent[4], sent[5]))
    third = load_pending(settings)
    # The torn line is rejected as it was found, and accepted when it is whole.
    assert first.accounting == Accounting(received=3, accepted=2, rejected=1)
    assert second.accounting == Accounting(received=4, accepted=2, duplicate=2)
    assert third.accounting == Accounting(received=6, accepted=2, duplicate=4)
    assert stored_count(settings) == 6
    assert [path.name for path in (settings.landing / "loaded").iterdir()] == ["slow.ndjson"]
    assert load_pending(settings).batches == []
    assert no_gaps(settings)


def test_a_late_write_is_seen_although_its_times_were_set_back(settings: Settings) -> None:
    # `cp -p` and `tar` do so at their end.
    land(settings, "a.ndjson", lines(event()))
    load_pending(settings)
    moved = settings.landing / "loaded" / "a.ndjson"
    with moved.open("ab") as late:
        write(late, lines(event(eventId="e2")))
    os.utime(moved, (0, 0))
    assert load_pending(settings).accounting == Accounting(received=2, accepted=1, duplicate=1)


def test_a_rewrite_of_the_same_size_and_time_is_seen(settings: Settings) -> None:
    land(settings, "a.ndjson", lines(event()))
    load_pending(settings)
    moved = settings.landing / "loaded" / "a.ndjson"
    was = moved.stat()
    with moved.open("r+b") as late:
        write(late, lines(event(eventId="e2")))
    os.utime(moved, ns=(was.st_atime_ns, was.st_mtime_ns))
    now = moved.stat()
    assert (now.st_size, now.st_mtime_ns) == (was.st_size, was.st_mtime_ns)
    assert load_pending(settings).accounting == Accounting(received=1, accepted=1)
    assert view_pending(settings).complete == []


def test_a_rewrite_before_the_move_stays_to_be_loaded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(settings, "a.ndjson", lines(event()))
    path = settings.landing / "a.ndjson"
    was = path.stat()

    def rewritten(*_: object) -> None:
        path.write_bytes(lines(event(eventId="e2")))
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))

    with monkeypatch.context() as patch:
        patch.setattr("orchestration.micro_batch.remember", rewritten)
        assert load_pending(settings).accounting == Accounting(received=1, accepted=1)
    assert path.exists()
    assert load_pending(settings).accounting == Accounting(received=1, accepted=1)
    assert stored_count(settings) == 2


def test_a_file_that_is_replaced_while_it_is_read_waits(settings: Settings) -> None:
    land(settings, "a.ndjson", lines(event()))
    path = settings.landing / "a.ndjson"
    was = path.stat()
    (seen,) = view_pending(settings).complete
    land(settings, "b.tmp", lines(event(eventId="e2")))
    other = settings.landing / "b.tmp"
    os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
    other.replace(path)
    with pytest.raises(FileRefused) as refused:
        list(LineReader(seen))
    assert refused.value.reason == "changed_while_read"


def test_what_is_written_after_a_refusal_is_tried_again(settings: Settings) -> None:
    packed = gzip.compress(lines(event(), event(eventId="e2")))
    with (settings.landing / "slow.ndjson.gz").open("wb") as slow:
        write(slow, packed[:30])
        assert list(load_pending(settings).refused) == ["slow.ndjson.gz"]
        write(slow, packed[30:60])
        assert list(load_pending(settings).refused) == ["slow.ndjson.gz"]
        assert load_pending(settings).refused == {}
        write(slow, packed[60:])
    assert load_pending(settings).accounting == Accounting(received=2, accepted=2)
    assert list((settings.landing / "refused").iterdir()) == []
    assert [path.name for path in (settings.landing / "loaded").iterdir()] == ["slow.ndjson.gz"]


def test_a_file_that_was_loaded_empty_is_loaded_when_it_fills(settings: Settings) -> None:
    with (settings.landing / "a.ndjson").open("wb") as slow:
        assert load_pending(settings).accounting == Accounting()
        write(slow, lines(event()))
    assert load_pending(settings).accounting == Accounting(received=1, accepted=1)


def test_a_catalogue_that_grows_is_loaded_again(settings: Settings) -> None:
    rows_sent = [json.dumps({"capsuleId": name}).encode() + b"\n" for name in ("a", "b")]
    with (settings.landing / "catalog" / "capsules.ndjson").open("wb") as slow:
        write(slow, rows_sent[0])
        load_pending(settings)
        write(slow, rows_sent[1])
    load_pending(settings)
    assert rows(settings, "select capsule_id from raw.capsules order by 1") == [("a",), ("b",)]


def test_a_touched_original_adds_nothing(settings: Settings) -> None:
    land(settings, "a.ndjson", lines(event()))
    load_pending(settings)
    (settings.landing / "loaded" / "a.ndjson").touch()
    assert len(view_pending(settings).complete) == 1
    summary = load_pending(settings)
    assert (summary.batches, summary.repeated) == ([], [])
    assert view_pending(settings).complete == []


def test_an_original_is_not_deleted_while_somebody_writes_to_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGEMENT_KEEP_LOADED_DAYS", "0")
    at_once = load_settings()
    with (settings.landing / "a.ndjson").open("wb") as slow:
        write(slow, lines(event()))
        load_pending(at_once)
        assert (settings.landing / "loaded" / "a.ndjson").exists()
        write(slow, lines(event(eventId="e2")))
    # Closed now, but what was written last is not loaded yet.
    assert delete_old(at_once, time.time()) == 0
    assert load_pending(at_once).accounting == Accounting(received=2, accepted=1, duplicate=1)
    assert list((settings.landing / "loaded").iterdir()) == []


def test_a_note_that_a_crash_cut_short_costs_no_other_note(settings: Settings) -> None:
    ledger: Path = settings.warehouse_file.with_name("originals.txt")
    ledger.write_text("12 34")
    land(settings, "a.ndjson", lines(event()))
    load_pending(settings)
    with (settings.landing / "loaded" / "a.ndjson").open("ab") as late:
        write(late, lines(event(eventId="e2")))
    assert load_pending(settings).accounting.accepted == 1


def test_notes_of_files_that_are_gone_are_forgotten(settings: Settings) -> None:
    ledger: Path = settings.warehouse_file.with_name("originals.txt")
    ledger.write_text("".join(f"{10**9 + number} 1 1\n" for number in range(1100)))
    land(settings, "a.ndjson", lines(event()))
    load_pending(settings)
    assert len(ledger.read_text().splitlines()) == 1
    with (settings.landing / "loaded" / "a.ndjson").open("ab") as late:
        write(late, lines(event(eventId="e2")))
    assert load_pending(settings).accounting.accepted == 1


def test_an_events_folder_named_catalog_inside_another_is_no_catalogue(settings: Settings) -> None:
    (settings.landing / "deep" / "catalog").mkdir(parents=True)
    land(settings, "deep/catalog/a.ndjson", lines(event()))
    assert load_pending(settings).accounting == Accounting(received=1, accepted=1)
