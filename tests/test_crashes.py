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
EVENTS = 200_000 if KILLS >= 200 else 100_000
QUIET_SECONDS = 0.5
NAMED_STEPS = [
    "orchestration.micro_batch:wipe_folder:after:1",
    "orchestration.sealing:keep_sealed:before:2",
    "orchestration.archive:make_durable:before:1",
    "orchestration.sealing:keep_sealed:after:2",
    "orchestration.sealing:make_durable:before:1",
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
    "orchestration.publication_file:copy_marts:after:1",
    "orchestration.publication:_manifest:after:1",
    "orchestration.publication:_write_durably:after:1",
    "orchestration.publication:_write_durably:before:2",
    "orchestration.publication:_write_durably:after:2",
    "orchestration.publication:remember_publication:before:1",
    "orchestration.publication:remove_unused:before:1",
]
TAKING_OVER_STEPS = [
    "orchestration.publication_file:_renew_days:before:1",
    "orchestration.publication_file:_renew_days:after:1",
    "orchestration.publication_file:take_over_marts:after:1",
    "orchestration.publication:remember_publication:before:1",
]


class Senders:
    """Writes files as strangers do, and remembers what was sent."""

    def __init__(self, landing: Path, seed: int) -> None:
        self.landing = landing
        self.chance = random.Random(seed)
        self.sent: set[str] = set()
        self.broken = self.repeats = self.copies = self.paused = 0
        self.files = 0
        self.writers: list[threading.Thread] = []

    def send(self, event_count: int, *, at_once: bool = False) -> None:
        """One file of new events with repeats and a broken line; now and then a renamed copy of it.

        Some are written slowly, and some with pauses longer than the quiet time: those are loaded before
        they are whole, moved, written to where they lie, and loaded again.
        """
        kind = 1.0 if at_once else self.chance.random()
        if kind < 0.15:
            # Without a broken line, which would be rejected once a load.
            content = self._content(event_count, is_broken=False)
            self._start_writer(content, pause=1.6 * QUIET_SECONDS)
            self.paused += 1
        elif kind < 0.4:
            self._start_writer(self._content(event_count), pause=0.2 * QUIET_SECONDS)
        else:
            content = self._content(event_count)
            self._write(content)
            if self.chance.random() < 0.3:
                self._write(content)
                self.copies += 1

    def _start_writer(self, content: bytes, pause: float) -> None:
        writer = threading.Thread(target=self._write_slowly, args=(self._name(), content, pause))
        writer.start()
        self.writers.append(writer)

    def wait(self) -> None:
        for writer in self.writers:
            writer.join()

    def _content(self, event_count: int, *, is_broken: bool = True) -> bytes:
        rows: list[str] = []
        for _ in range(event_count):
            made = event(eventId=f"e{len(self.sent)}", sessionId=f"s{len(self.sent) // 7}")
            self.sent.add(made["eventId"])
            rows.append(json.dumps(made))
            if self.chance.random() < 0.01:
                rows.append(rows[self.chance.randrange(len(rows))])
                self.repeats += 1
        if is_broken:
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

    def _write_slowly(self, name: str, content: bytes, pause: float) -> None:
        rows = content.splitlines(keepends=True)
        with (self.landing / name).open("wb") as file:
            for start in range(0, len(rows), len(rows) // 6 + 1):
                file.writelines(rows[start : start + len(rows) // 6 + 1])
                file.flush()
                time.sleep(pause)


def start(
    settings: Settings,
    point: str,
    *what: str,
    quiet_seconds: str = str(QUIET_SECONDS),
    accept_any_age: str = "false",
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.killed_load", point, *what],
        cwd=Path(__file__).parent.parent,
        env=environment(
            settings.home,
            ENGAGEMENT_QUIET_SECONDS=quiet_seconds,
            ENGAGEMENT_ACCEPT_ANY_AGE=accept_any_age,
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class RandomKills:
    """Kills at random moments of a load, however fast the machine is."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.longest_pause = 1.5

    def kill(self, process: subprocess.Popen[str]) -> bool:
        """Kills it somewhere in its work; false, with shorter pauses from then on, when it ended before."""
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(self.chance.uniform(0, self.longest_pause))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        else:
            self.longest_pause *= 0.8
        return process.wait(60) == -signal.SIGKILL


def test_every_event_is_stored_once_however_often_the_load_is_killed(
    settings: Settings, record_property: Callable[[str, object], None]
) -> None:
    senders = Senders(settings.landing, seed=46)
    kills = RandomKills(seed=2026)
    killed = attempt = 0
    while killed < KILLS:
        assert attempt < 3 * KILLS, f"only {killed} of {attempt} attempts were killed"
        is_named = attempt < len(NAMED_STEPS)
        # Every load that is to be killed has something to do.
        event_count = max(EVENTS // KILLS // 3, 200) if len(senders.sent) < EVENTS else 200
        for part in range(3):
            senders.send(event_count + part, at_once=is_named and part > 0)
        if is_named:
            # Let what was written at once become complete, so that the step is reached.
            time.sleep(QUIET_SECONDS + 0.1)
            process = start(settings, NAMED_STEPS[attempt])
            assert process.wait(120) == -signal.SIGKILL, (NAMED_STEPS[attempt], process.stderr)
            killed += 1
        else:
            killed += kills.kill(start(settings, "-"))
        attempt += 1
    senders.wait()
    time.sleep(QUIET_SECONDS + 0.1)
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
        loaded, contents, repeats = single_row(
            connection,
            """select count(*), count(distinct content_hash), sum(duplicate_count)::bigint
            from raw.event_files where status = 'loaded'""",
        )
        assert loaded == contents
        assert repeats >= senders.repeats
    assert (stored, distinct, rejected) == (len(senders.sent), len(senders.sent), senders.broken)
    assert [path.name for path in settings.landing.iterdir() if path.is_file()] == []
    assert len(list((settings.landing / "loaded").iterdir())) == senders.files
    assert list(settings.tmp.rglob("*.parquet")) == []
    record_property(
        "shown",
        f"{killed} kills: sent {len(senders.sent):,} = stored {stored:,} = distinct {distinct:,}; "
        f"broken lines {senders.broken} = rejected {rejected}; {senders.files} files, of them "
        f"{senders.copies} renamed copies and {len(senders.writers)} written slowly, {senders.paused} of "
        f"these with pauses longer than the quiet time; {senders.repeats:,} repeated lines",
    )


def single_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return tuple(row)


def publish_a_day(settings: Settings) -> None:
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("create schema marts")
        connection.execute(
            """create table marts.session_activity_hourly as
            select 'a' as capsule_id, date '2026-11-20' as activity_date"""
        )
    assert start(settings, "-", "publish").wait(60) == 0


def published_rows(settings: Settings) -> int:
    manifest = current_manifest(settings.published)
    assert manifest is not None
    file = settings.published / manifest.id / "publication.duckdb"
    with duckdb.connect(str(file), read_only=True) as reader:
        return int(single_row(reader, "select count(*) from marts.session_activity_hourly")[0])


@pytest.mark.parametrize("step", PUBLISHING_STEPS)
def test_readers_always_find_a_whole_publication(step: str, settings: Settings) -> None:
    publish_a_day(settings)
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("delete from raw.last_publication")
    killed = start(settings, step, "publish")
    assert killed.wait(60) == -signal.SIGKILL
    assert published_rows(settings) == 1
    last = start(settings, "-", "publish")
    assert last.wait(60) == 0
    assert not [path for path in settings.published.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("step", TAKING_OVER_STEPS)
def test_killed_while_taking_over_readers_have_the_day_before_it_or_after_it(
    step: str, settings: Settings
) -> None:
    publish_a_day(settings)
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("insert into marts.session_activity_hourly values ('b', date '2026-11-21')")
        connection.execute(
            """insert into raw.renewed_days
            values ('session_activity_hourly', 'activity_date', 'b', date '2026-11-21')"""
        )
    killed = start(settings, step, "publish")
    assert killed.wait(60) == -signal.SIGKILL
    assert published_rows(settings) == (2 if "remember" in step else 1)
    assert start(settings, "-", "publish").wait(60) == 0
    manifest = current_manifest(settings.published)
    assert manifest is not None
    assert (manifest.anew_because, manifest.tables) == (None, {"session_activity_hourly": 2})
    assert published_rows(settings) == 2
    assert not [path for path in settings.published.iterdir() if path.name.startswith(".")]
