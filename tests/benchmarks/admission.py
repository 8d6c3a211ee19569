"""How fast lines are admitted, against a bare typed `read_ndjson` of the same file in the same run.

python -m tests.benchmarks.admission [--events 1000000]

The bare reader gives every key of `metadata` its typed column, as admission does, and checks nothing else. A
second one leaves `metadata` as unread JSON text, which is less than what is compared. Both are run as
processes of their own, in turns, and the best of three counts: these machines are shared.
"""

import argparse
import contextlib
import gzip
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.admission import AdmissionRules
from orchestration.archive import draft_sealed, keep_sealed
from orchestration.event_fields import KNOWN_KEYS
from orchestration.event_files import view_landing
from orchestration.journal import make_durable
from orchestration.privacy import Keyring
from orchestration.sample_events.stream import write_sample

OWN_KEYS = ("eventId", "eventType", "capsuleId", "sessionId", "userId", "timestamp")
TYPED_METADATA = f"struct({', '.join(f'{name} varchar' for name in sorted(KNOWN_KEYS))})"
READERS = {"typed": TYPED_METADATA, "metadata as JSON text": "json"}
ROUNDS = 3


def one_file_of(folder: Path, event_count: int) -> Path:
    """The valid lines of a sample stream in one plain file."""
    landing = folder / "landing"
    days = max(event_count // 4 // 1000, 1)
    write_sample(
        landing, folder / "truth.json", day_count=min(days, 390), events_per_day=1000, now=datetime.now(UTC)
    )
    joined = folder / "inbox" / "joined.ndjson"
    joined.parent.mkdir()
    with joined.open("wb") as target:
        for path in sorted(landing.glob("events-*.gz")):
            with gzip.open(path) as lines:
                # A bare reader refuses the whole file for one line that is no JSON or no UTF-8.
                target.writelines(line for line in lines if is_plain(line))
    return joined


def is_plain(line: bytes) -> bool:
    """Whether any JSON reader takes the line."""
    return line.startswith(b"{") and line.endswith(b"}\n") and line.isascii() and b"NaN" not in line


def read_bare(path: Path, metadata: str) -> None:
    """Reads the file into a new table, with every core."""
    columns = dict.fromkeys(OWN_KEYS, "varchar") | {"metadata": metadata}
    with duckdb.connect(str(path.with_name("bare.duckdb")), config={"threads": cores()}) as bare:
        bare.execute(
            "create table events as select * from read_ndjson(?, columns = ?, ignore_errors = true)",
            [str(path), columns],
        )
    path.with_name("bare.duckdb").unlink()


def admit(path: Path) -> None:
    """Seals the file: every check, every reduction, Parquet on disk."""
    folder = path.parent.parent
    now = datetime.now(UTC)
    rules = AdmissionRules(Keyring(folder / "secrets", now), now, None)
    (landed,) = view_landing(path.parent, 0, time.time()).complete
    draft = folder / "tmp" / "sealed.parquet"
    sealed = draft_sealed(landed, rules, draft)
    keep_sealed(draft, sealed.content_hash, rules.erased, folder / "archive")
    make_durable(folder / "archive")


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0))


def measured(path: Path, what: str) -> dict[str, float]:
    """Seconds, processor seconds and peak megabytes (all processes together) of one run."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.admission", "--run", what, "--file", str(path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(answer.stdout)  # type: ignore[no-any-return]


def note_memory(peaks: dict[str, int]) -> None:
    """Notes the peak kilobytes of this process and of its children, by process."""
    own = str(os.getpid())
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
            if own in (process.name, found["PPid"].strip()) and "VmHWM" in found:
                peaks[process.name] = int(found["VmHWM"].split()[0])


def watch_memory(peaks: dict[str, int]) -> None:
    """Notes it four times a second, because a child that ended has none."""
    while True:
        note_memory(peaks)
        time.sleep(0.25)


def run(what: str, path: Path) -> None:
    """One measured run, in this process."""
    started, worked = time.perf_counter(), time.process_time()
    peaks: dict[str, int] = {}
    threading.Thread(target=watch_memory, args=(peaks,), daemon=True).start()
    if what == "admission":
        admit(path)
    else:
        read_bare(path, READERS[what])
    seconds = time.perf_counter() - started
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    note_memory(peaks)
    print(json.dumps({
        "seconds": seconds,
        "processor": time.process_time() - worked + children.ru_utime + children.ru_stime,
        "megabytes": sum(peaks.values()) / 1024,
    }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--run", choices=["admission", *READERS])
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    if arguments.run:
        run(arguments.run, arguments.file)
        return
    with tempfile.TemporaryDirectory() as name:
        path = one_file_of(Path(name), arguments.events)
        with path.open("rb") as file:
            lines = sum(1 for _ in file)
        size = path.stat().st_size
        best: dict[str, dict[str, float]] = {}
        for _ in range(ROUNDS):
            for what in (*READERS, "admission"):
                found = measured(path, what)
                known = best.get(what, found)
                best[what] = {key: min(known[key], value) for key, value in found.items()}
    print(f"machine: {cores()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(f"file: {lines:,} lines, {size / 1e6:,.0f} MB")
    rate = lines / best["admission"]["seconds"]
    print(
        f"admission: {rate:,.0f} lines/s, peak memory {best['admission']['megabytes']:,.0f} MB (budget 1,000)"
    )
    for what in READERS:
        bare = lines / best[what]["seconds"]
        processor = best[what]["processor"] / best["admission"]["processor"]
        print(
            f"read_ndjson, {what}: {bare:,.0f} lines/s; ratio {rate / bare:.3f} "
            f"(by processor time {processor:.3f})" + (" (budget 0.5)" if what == "typed" else "")
        )


if __name__ == "__main__":
    main()
