"""Opt-outs by command and by file: from that instant on, in any order, also after a recovery."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.micro_batch import load_pending
from orchestration.opt_out_requests import opt_out
from orchestration.raw_events import accounting_gaps
from orchestration.recovery import recover
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock
from tests.commands import engagement, printed_json
from tests.event_lines import event, lines

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(minutes: int, **changes: Any) -> dict[str, Any]:
    moment = (NOON + timedelta(minutes=minutes)).isoformat()
    return event(eventId=f"e{minutes}", timestamp=moment, **{"userId": "jane", **changes})


def load(settings: Settings, name: str, *sent: dict[str, Any]) -> Any:
    (settings.landing / name).parent.mkdir(parents=True, exist_ok=True)
    (settings.landing / name).write_bytes(lines(*sent))
    return load_pending(settings)


def stored(settings: Settings) -> list[datetime]:
    with writer_lock(settings), open_warehouse(settings) as connection:
        assert accounting_gaps(connection) == []
        rows = connection.execute("select occurred_at from raw.events order by all").fetchall()
    return [moment.replace(tzinfo=UTC) for (moment,) in rows]


def test_from_the_opt_out_to_the_opt_in_nothing_is_stored_in_either_order(settings: Settings) -> None:
    load(settings, "early.ndjson", at(0), at(20))
    receipt = opt_out(settings, "user", "jane", NOON + timedelta(minutes=10))
    assert (receipt.signal, receipt.is_new, receipt.suppressed_event_count) == ("opt-out", True, 1)
    assert not opt_out(settings, "user", "jane", NOON + timedelta(minutes=11)).is_new
    assert opt_out(settings, "user", "jane", NOON + timedelta(minutes=30), undo=True).signal == "opt-in"
    # Without identity, but read after the opt-out is known.
    refused = at(24, metadata={"consent": False})
    load(settings, "late.ndjson", at(5), at(25), refused, at(35), at(26, userId="joe"))
    kept = [NOON + timedelta(minutes=minutes) for minutes in (0, 5, 26, 35)]
    assert stored(settings) == kept
    settings.warehouse_file.unlink()
    recover(settings)
    assert stored(settings) == kept


def test_a_landed_file_opts_people_out_and_is_gone_afterwards(settings: Settings) -> None:
    said = (NOON + timedelta(minutes=10)).isoformat()
    requests = [
        {"userId": "jane", "optOut": True, "timestamp": said},
        {"visitorId": "v-7", "optOut": "yes", "timestamp": said},
        {"visitorId": "v-7", "optOut": False, "timestamp": (NOON + timedelta(minutes=12)).isoformat()},
        {"optOut": True},
        {"userId": "jane", "optOut": "perhaps"},
    ]
    load(settings, "a.ndjson", at(0), at(20))
    load(settings, "opt-outs/november.ndjson", *requests)
    load(settings, "b.ndjson", at(21), at(11, userId="joe", metadata={"visitorId": "v-7"}))
    load(settings, "c.ndjson", at(13, userId="joe", metadata={"visitorId": "v-7"}))
    assert stored(settings) == [NOON, NOON + timedelta(minutes=13)]
    with writer_lock(settings), open_warehouse(settings) as connection:
        counts = connection.execute(
            """select received_count, rejected_count, suppressed_count from raw.event_files
            where file_name like '%november%'"""
        ).fetchall()
    assert counts == [(5, 2, 3)]
    # What was noted is gone; what could not be read waits for somebody to mend it.
    left, reason = sorted(settings.landing.rglob("*november*"))
    assert left == settings.landing / "refused" / "opt-outs" / "november.ndjson"
    assert [json.loads(line) for line in left.read_text().splitlines()] == requests[3:]
    assert reason.read_text().startswith("unread_requests: ")
    load(settings, "opt-outs/mended.ndjson", {"userId": "joe", "optOut": True, "timestamp": said})
    assert list(settings.landing.rglob("*mended*")) == []
    assert stored(settings) == [NOON]


def test_the_command_notes_it_once_and_names_nobody(settings: Settings) -> None:
    first = printed_json(settings.home, "opt-out", "--visitor-id", "v-secret-7")
    again = printed_json(settings.home, "opt-out", "--visitor-id", "v-secret-7")
    assert (first["is_new"], again["is_new"], first["signalled_at"]) == (True, False, again["signalled_at"])
    assert "v-secret-7" not in json.dumps([first, again])
    for path in settings.home.rglob("*"):
        assert not path.is_file() or b"v-secret-7" not in path.read_bytes(), path


@pytest.mark.parametrize("words", [[], ["--user-id", " "], ["--user-id", "a", "--visitor-id", "b"]])
def test_one_person_must_be_named(words: list[str], settings: Settings) -> None:
    done = engagement(settings.home, "opt-out", *words)
    assert done.returncode == 2
    assert "Name one person" in done.stderr
