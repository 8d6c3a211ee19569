"""A steady stream for half an hour: does waiting, memory or disk grow, and is every line accounted for?

python -m tests.benchmarks.sustained [--minutes 30] [--rate 70000] [--every 5] [--readers 3] [--home FOLDER]

Orchestrator and dashboard run as `engagement up` starts them; a file lands every few seconds, people open one
page after another. The specified rate, 10,000 events a day for each of 100 capsules, is 700 events a minute.
`--home` takes a home with a history. Exits with 1 when a line is unaccounted for or a log tells of a lock.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestration.publication import current_manifest
from orchestration.settings import Settings, load_settings
from orchestration.state_folder import create_state_folders
from tests.benchmarks.pages import PAGES, percentile, visit

ENGAGEMENT: Final = str(Path(sys.executable).with_name("engagement"))
EVENTS_A_SESSION: Final = 8
LONGEST_WAIT_SECONDS: Final = 300
LOCK_WORDS: Final = re.compile(r"could not set lock|database is locked|Conflicting lock", re.IGNORECASE)


@dataclass
class Stream:
    """Writes files, and knows how many events each adds and when it landed."""

    landing: Path
    rate: int
    every: float
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    # Ids of another run over the same home are other ids.
    run: str = field(default_factory=lambda: f"{time.time_ns():x}")
    sent: int = 0
    repeated: int = 0
    broken: int = 0
    bytes: int = 0
    # (moment it landed, events there must be when it is visible)
    landed: list[tuple[float, int]] = field(default_factory=list)

    def write_file(self) -> None:
        rows: list[str] = []
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        for _ in range(round(self.rate * self.every / 60)):
            rows.append(self._line(self.sent, now))
            self.sent += 1
            if self.chance.random() < 0.005:
                rows.append(rows[-1])
                self.repeated += 1
        rows.append('{"eventId": "cut')
        self.broken += 1
        content = ("\n".join(rows) + "\n").encode()
        self.bytes += len(content)
        draft = self.landing / ".stream.tmp"
        draft.write_bytes(content)
        draft.rename(self.landing / f"stream-{len(self.landed):06d}.ndjson")
        self.landed.append((time.monotonic(), self.sent))

    def _line(self, number: int, now: str) -> str:
        session, place = divmod(number, EVENTS_A_SESSION)
        # Sessions are interleaved: a person's events come minutes apart, in many files.
        person = session % 50_000
        metadata: dict[str, object] = {"visitorId": f"visitor-{person}", "device": "mobile"}
        kind = "interaction"
        if place == 0:
            kind = "view"
            metadata |= {"country": "FR", "referrer": "https://www.google.com/"}
        elif place == 7 and session % 5 == 0:
            kind = "conversion"
            metadata |= {
                "conversionType": "sale",
                "value": 20,
                "currency": "EUR",
                "orderId": f"{self.run}-o{session}",
            }
        else:
            metadata |= {"action": "message", "role": "user" if place % 2 else "assistant"}
        return json.dumps(
            {
                "eventId": f"{self.run}-{number}",
                "eventType": kind,
                "capsuleId": f"capsule-{session % 100:03d}",
                "sessionId": f"{self.run}-s{session}",
                "timestamp": now,
                "metadata": metadata,
            }
        )


@dataclass
class Watch:
    """What readers could see, and when."""

    settings: Settings
    first_count: int
    # (moment, events visible)
    seen: list[tuple[float, int]] = field(default_factory=list)

    def look(self) -> int:
        manifest = current_manifest(self.settings.published)
        count = (manifest.accepted_count if manifest else 0) - self.first_count
        if not self.seen or count != self.seen[-1][1]:
            self.seen.append((time.monotonic(), count))
        return count

    def waits(self, landed: Sequence[tuple[float, int]]) -> list[float]:
        """Seconds from landing to visible, of the files that are visible."""
        found, position = [], 0
        for moment, needed in landed:
            while position < len(self.seen) and self.seen[position][1] < needed:
                position += 1
            if position == len(self.seen):
                break
            found.append(self.seen[position][0] - moment)
        return found


class Readers(threading.Thread):
    """People who open one page after another and read each for five seconds."""

    def __init__(self, address: str, people: int) -> None:
        super().__init__(daemon=True)
        self.address, self.people = address, people
        self.opened: list[tuple[float, float]] = []
        self.failed = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        asyncio.run(self._everybody())

    async def _everybody(self) -> None:
        await asyncio.gather(*(self._person(number) for number in range(self.people)))

    async def _person(self, number: int) -> None:
        turn = number
        while not self.is_over.is_set():
            await asyncio.sleep(5)
            if self.is_over.is_set():
                break
            try:
                taken = await asyncio.wait_for(visit(self.address, PAGES[turn % len(PAGES)], ""), 60)
            except (OSError, TimeoutError):
                self.failed += 1
            else:
                self.opened.append((time.monotonic(), taken))
            turn += 1


def memory_of(parent: int) -> float:
    """GB of a process and all below it, shared pages counted once (proportional set size)."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        children.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    total, waiting = 0, [parent]
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])  # type: ignore[index]
    return total / 1e6


def size_of(folder: Path) -> float:
    """MB of all files below."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total / 1e6


def wait_until_reachable(process: subprocess.Popen[bytes], log: Path) -> str:
    """The address of the dashboard, when `up` has told it."""
    for _ in range(600):
        text = log.read_text(errors="replace")
        if (found := re.search(r"Dashboard: (\S+)", text)) and "Orchestrator: " in text:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.5)
    raise SystemExit(f"`engagement up` did not start:\n{log.read_text(errors='replace')}")


def unaccounted(settings: Settings, stream: Stream, before: dict[str, int]) -> list[str]:
    """What the accounting of the publication says otherwise than the stream knows."""
    counted = accounting(settings)
    expected = {
        "received": stream.sent + stream.repeated + stream.broken,
        "accepted": stream.sent,
        "duplicate": stream.repeated,
        "rejected": stream.broken,
        "suppressed": 0,
    }
    return [
        f"{name}: {counted[name] - before[name]:,} instead of {number:,}"
        for name, number in expected.items()
        if counted[name] - before[name] != number
    ]


def accounting(settings: Settings) -> dict[str, int]:
    import duckdb

    names = ("received", "accepted", "duplicate", "rejected", "suppressed")
    manifest = current_manifest(settings.published)
    if manifest is None:
        return dict.fromkeys(names, 0)
    file = settings.published / manifest.id / "publication.duckdb"
    sums = ", ".join(f"coalesce(sum({name}_count), 0)" for name in names)
    with duckdb.connect(str(file), read_only=True) as reader:
        found = reader.execute(f"select {sums} from marts.event_files").fetchone()
    assert found is not None
    return dict(zip(names, map(int, found), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=70_000, help="events a minute")
    parser.add_argument("--every", type=float, default=5, help="seconds between two files")
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--home", type=Path, help="one with a history is gone on with")
    options = parser.parse_args()
    home = (options.home or Path(tempfile.mkdtemp())).resolve()
    settings = load_settings(home=home, quiet_seconds=0)
    create_state_folders(settings)
    before = accounting(settings)
    log = home / "sustained.log"
    environment = {**os.environ, "ENGAGEMENT_HOME": str(home), "ENGAGEMENT_QUIET_SECONDS": "0"}
    print(
        f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; "
        f"{options.rate:,} events a minute, a file every {options.every:g} s, {options.readers} readers, "
        f"{before['accepted']:,} events of history",
        flush=True,
    )
    with log.open("wb") as output:
        up = subprocess.Popen([ENGAGEMENT, "up"], env=environment, stdout=output, stderr=output)
    stream = Stream(settings.landing, options.rate, options.every)
    watch = Watch(settings, before["accepted"])
    readers = None
    try:
        readers = Readers(wait_until_reachable(up, log), options.readers)
        readers.start()
        rows = follow(up.pid, settings, stream, watch, readers, options.minutes)
        wait_for_the_rest(stream, watch)
    finally:
        if readers:
            readers.is_over.set()
            readers.join(60)
        up.send_signal(signal.SIGINT)
        up.wait(60)
    conclude(settings, stream, watch, readers, rows, before)


def follow(
    parent: int, settings: Settings, stream: Stream, watch: Watch, readers: Readers, minutes: float
) -> list[tuple[float, float, float]]:
    """Lands the stream and prints a line a minute; returns (wait, memory GB, home MB) of each."""
    print(
        f"{'minute':>6}{'events':>12}{'landed → visible p50':>22}{'p95':>7}{'page p50':>10}{'p95':>7}"
        f"{'memory GB':>11}{'home MB':>9}",
        flush=True,
    )
    rows = []
    begin, files_before = time.monotonic(), 0
    for minute in range(1, max(round(minutes), 1) + 1):
        minute_began = time.monotonic()
        while time.monotonic() < begin + 60 * minute:
            due = begin + len(stream.landed) * stream.every
            if time.monotonic() >= due:
                stream.write_file()
            watch.look()
            time.sleep(0.2)
        waits = watch.waits(stream.landed)
        fresh, files_before = waits[files_before:] or [float("nan")], len(waits)
        pages = [taken for moment, taken in readers.opened if moment >= minute_began] or [float("nan")]
        memory, size = memory_of(parent), size_of(settings.home)
        rows.append((statistics.median(fresh), memory, size))
        print(
            f"{minute:>6}{stream.sent:>12,}{statistics.median(fresh):>22.1f}{percentile(fresh, 0.95):>7.1f}"
            f"{statistics.median(pages):>10.2f}{percentile(pages, 0.95):>7.2f}{memory:>11.2f}{size:>9.0f}",
            flush=True,
        )
    return rows


def wait_for_the_rest(stream: Stream, watch: Watch) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while watch.look() < stream.sent and time.monotonic() < deadline:
        time.sleep(0.2)


def conclude(
    settings: Settings,
    stream: Stream,
    watch: Watch,
    readers: Readers | None,
    rows: Sequence[tuple[float, float, float]],
    before: dict[str, int],
) -> None:
    waits = watch.waits(stream.landed)
    third = max(len(rows) // 3, 1)
    growth = [
        statistics.median(row[column] for row in rows[-third:])
        / statistics.median(row[column] for row in rows[:third])
        for column in (0, 1)
    ]
    print(
        f"landed → visible over {len(waits)} files: p50 {statistics.median(waits):.1f} s, "
        f"p95 {percentile(waits, 0.95):.1f} s, longest {max(waits):.1f} s; last third against first: "
        f"{growth[0]:.2f} times; memory {growth[1]:.2f} times; {stream.bytes / 1e6:.0f} MB landed"
    )
    wrong = unaccounted(settings, stream, before)
    for path in [*(settings.home / "logs").rglob("*.log"), settings.home / "sustained.log"]:
        wrong += [
            f"{path.name}: {line.strip()}"
            for line in path.read_text(errors="replace").splitlines()
            if LOCK_WORDS.search(line)
        ][:3]
    if readers and readers.failed:
        wrong.append(f"{readers.failed} pages did not open")
    if left := [path.name for path in settings.landing.iterdir() if path.is_file()]:
        wrong.append(f"{len(left)} files are still landed")
    print("\n".join(wrong) if wrong else "every line is accounted for; no error of a lock; every page opened")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
