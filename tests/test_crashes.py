"""`kill -9` at every step: every event is stored exactly once, and readers never see half a publication.

`make soak` repeats it with 200 kills; their totals are printed at the end of the run.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.publication import current_manifest
from orchestration.raw_events import accounting_gaps
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock
from tests.commands import environment
from tests.event_lines import event

KILLS = int(os.environ.get("KILLS", "24"))
EVENTS = 200_000
NAMED_STEPS = [
    "orchestration.micro_batch:wipe_folder:after:1",
    "orchestration.sealing:seal:before:2",
    "orchestration.archive:make_durable:before:1",
    "orchestration.archive:make_durable:before:2",
    "orchestration.sealing:seal:after:2",
    "orchestration.micro_batch:write_record:before:1",
    "orchestration.micro_batch:write_record:after:1",
    "orchestration.raw_events:decide_duplicates:after:1",
    "orchestration.raw_events:_write_events:after:1",
    "orchestration.raw_events:_write_counts:after:1",
    "orchestration.raw_events:_summary:after:1",
    "orchestration.micro_batch:load_batch:after:1",
    "orchestration.micro_batch:remember:after:1",
    "orchestration.micro_batch:put_away:after:1",
    "orchestration.micro_batch:delete_old_originals:before:2",
]
PUBLISHING_STEPS = [
    "orchestration.publication:_copy_marts:after:1",
    "orchestration.publication:_manifest:after:1",
    "orchestration.publication:_write_durably:after:1",
    "orchestration.publication:_write_durably:before:2",
    "orchestration.publication:_write_durably:after:2",
    "orchestration.publication:remove_unused:before:1",
]


class Senders:
    """Writes files as strangers do, and remembers what was sent."""

    def __init__(self, landing: Path, seed: int) -> None:
        self.landing = landing
        self.chance = random.Random(seed)
        self.sent: set[str] = set()
        self.broken = 0
        self.files = 0
        self.writers: list[threading.Thread] = []

    def send(self, event_count: int) -> None:
        """One file of new events with repeats and broken lines; now and then a renamed copy of it."""
        content = self._content(event_count)
        if self.chance.random() < 0.3:
            writer = threading.Thread(target=self._write_slowly, args=(self._name(), content))
            writer.start()
            self.writers.append(writer)
            return
        self._write(content)
        if self.chance.random() < 0.3:
            self._write(content)

    def wait(self) -> None:
        for writer in self.writers:
            writer.join()

    def _content(self, event_count: int) -> bytes:
        rows: list[str] = []
        for _ in range(event_count):
            made = event(eventId=f"e{len(self.sent)}", sessionId=f"s{len(self.sent) // 7}")
            self.sent.add(made["eventId"])
            rows.append(json.dumps(made))
            if self.chance.random() < 0.01:
                rows.append(rows[self.chance.randrange(len(rows))])
        # One broken line a file, unlike any other, so that no two files are equal.
        self.broken += 1
        rows.insert(self.chance.randrange(len(rows)), '{"cut": ' + f'"{self.broken}')
        return ("\n".join(rows) + "\n").encode()

    def _name(self) -> str:
        self.files += 1
        return f"events-{self.files:05d}.ndjson"

    def _write(self, content: bytes) -> None:
        name = self._name()
        draft = self.landing / f".{name}.tmp"
        draft.write_bytes(content)
        draft.rename(self.landing / name)

    def _write_slowly(self, name: str, content: bytes) -> None:
        with (self.landing / name).open("wb") as file:
            for start in range(0, len(content), len(content) // 8 + 1):
                file.write(content[start : start + len(content) // 8 + 1])
                file.flush()
                time.sleep(0.1)


def start(settings: Settings, point: str, *what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.killed_load", point, *what],
        cwd=Path(__file__).parent.parent,
        # A pause of a slow writer is shorter than the quiet time.
        env=environment(settings.home, ENGAGEMENT_QUIET_SECONDS="0.5"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_at_random(process: subprocess.Popen[str], chance: random.Random) -> bool:
    """Kills it somewhere in its work; false when it ended before."""
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(chance.uniform(0, 1.5))
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    return process.wait(60) == -signal.SIGKILL


def test_every_event_is_stored_once_however_often_the_load_is_killed(
    settings: Settings, record_property: Callable[[str, object], None]
) -> None:
    senders = Senders(settings.landing, seed=46)
    chance = random.Random(2026)
    killed = attempt = 0
    while killed < KILLS:
        assert attempt < 3 * KILLS, f"only {killed} of {attempt} attempts were killed"
        if len(senders.sent) < EVENTS:
            for part in range(2):
                senders.send(max(EVENTS // KILLS // 2, 200) + part)
        if attempt < len(NAMED_STEPS):
            # Let what was just written become complete, so that the step is reached.
            time.sleep(0.6)
            process = start(settings, NAMED_STEPS[attempt])
            assert process.wait(120) == -signal.SIGKILL, (NAMED_STEPS[attempt], process.stderr)
            killed += 1
        else:
            killed += kill_at_random(start(settings, "-"), chance)
        attempt += 1
    senders.wait()
    time.sleep(0.6)
    for _ in range(2):
        process = start(settings, "-")
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors

    with writer_lock(settings), open_warehouse(settings) as connection:
        stored, distinct, rejected = single_row(
            connection,
            """select count(*), count(distinct event_key), (select count(*) from raw.rejected_events)
            from raw.events""",
        )
        assert accounting_gaps(connection) == []
        assert single_row(
            connection,
            "select count(*), count(distinct content_hash) from raw.event_files where status = 'loaded'",
        ) == (senders.broken, senders.broken)
    assert (stored, distinct, rejected) == (len(senders.sent), len(senders.sent), senders.broken)
    assert [path.name for path in settings.landing.iterdir() if path.is_file()] == []
    assert len(list((settings.landing / "loaded").iterdir())) == senders.files
    assert list(settings.tmp.rglob("*.parquet")) == []
    record_property(
        "shown",
        f"{killed} kills: sent {len(senders.sent):,} = stored {stored:,} = distinct {distinct:,}; "
        f"broken lines {senders.broken} = rejected {rejected}",
    )


def single_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return tuple(row)


@pytest.mark.parametrize("step", PUBLISHING_STEPS)
def test_readers_always_find_a_whole_publication(step: str, settings: Settings) -> None:
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.session_activity_hourly as select date '2026-11-20' as activity_date"
        )
    first = start(settings, "-", "publish")
    assert first.wait(60) == 0
    killed = start(settings, step, "publish")
    assert killed.wait(60) == -signal.SIGKILL
    manifest = current_manifest(settings.published)
    assert manifest is not None
    file = settings.published / manifest.id / "publication.duckdb"
    with duckdb.connect(str(file), read_only=True) as reader:
        assert reader.execute("select count(*) from marts.session_activity_hourly").fetchone() == (1,)
    last = start(settings, "-", "publish")
    assert last.wait(60) == 0
    assert not [path for path in settings.published.iterdir() if path.name.startswith(".")]
