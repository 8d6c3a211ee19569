"""How fast lines are admitted, against a bare typed `read_ndjson` of the same file in the same run.

The bare reader gives every key of `metadata` its typed column, as admission does, and checks nothing else. A
second one leaves `metadata` as unread JSON text, which is less than what is compared. Both are run as
processes of their own, in turns, and the best of three counts: these machines are shared. Where dlt is
installed, it loads the first lines of the same file into DuckDB as well.
"""

import argparse
import contextlib
import gzip
import importlib.util
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
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
from tests.benchmarks.figures import Figure
from tests.benchmarks.homes import say

OWN_KEYS = ("eventId", "eventType", "capsuleId", "sessionId", "userId", "timestamp")
TYPED_METADATA = f"struct({', '.join(f'{name} varchar' for name in sorted(KNOWN_KEYS))})"
READERS = {"typed": TYPED_METADATA, "metadata as JSON text": "json"}
ROUNDS = 3
# dlt takes some thousand lines a second.
DLT_LINES = 50_000


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


def load_with_dlt(path: Path) -> None:
    """Loads the file as the guide of dlt shows it: a resource of parsed lines into a DuckDB file."""
    import dlt
    import orjson

    @dlt.resource(name="events", max_table_nesting=0)
    def events() -> Iterator[dict[str, object]]:
        with path.open("rb") as lines:
            yield from map(orjson.loads, lines)

    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(path.with_name("pipelines")),
        destination=dlt.destinations.duckdb(str(path.with_name("dlt.duckdb"))),
        dataset_name="landed",
    )
    pipeline.run(events())


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
    elif what == "dlt":
        load_with_dlt(path)
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


def measure(event_count: int) -> Iterator[Figure]:
    """Rates over one file, best of three, and the memory of admission."""
    with tempfile.TemporaryDirectory() as name:
        path = one_file_of(Path(name), event_count)
        with path.open("rb") as file:
            lines = sum(1 for _ in file)
        best: dict[str, dict[str, float]] = {}
        for round_ in range(ROUNDS):
            for what in (*READERS, "admission"):
                found = measured(path, what)
                known = best.get(what, found)
                best[what] = {key: min(known[key], value) for key, value in found.items()}
                say(f"admission: {what}, round {round_ + 1} of {ROUNDS}: {found['seconds']:.1f} s")
        size = path.stat().st_size / 1e6
        rates = {what: lines / found["seconds"] for what, found in best.items()}
        yield Figure(
            "admission", f"{lines:,} lines, {size:,.0f} MB, all checks", rates["admission"], "events/s"
        )
        for what in READERS:
            yield Figure("admission", f"bare read_ndjson, {what}", rates[what], "events/s")
        yield Figure(
            "admission", "rate against the typed reader", rates["admission"] / rates["typed"], "times",
            budget=0.5, side="at least",
        )  # fmt: skip
        processor = best["typed"]["processor"] / best["admission"]["processor"]
        yield Figure("admission", "the same by processor time", processor, "times")
        yield Figure(
            "admission", "memory of all its processes", best["admission"]["megabytes"], "MB", budget=1000
        )
        if importlib.util.find_spec("dlt") is None:
            say("admission: dlt is not installed, so it is not compared (pip install dlt)")
            return
        with path.open("rb") as whole, path.with_name("first.ndjson").open("wb") as first:
            first.writelines(itertools.islice(whole, DLT_LINES))
        count = min(lines, DLT_LINES)
        found = measured(path.with_name("first.ndjson"), "dlt")
        yield Figure(
            "admission", f"dlt into DuckDB, first {count:,} lines", count / found["seconds"], "events/s"
        )


def main() -> None:
    """One measured run; `measure` starts it as a process of its own."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--run", choices=["admission", "dlt", *READERS], required=True)
    parser.add_argument("--file", type=Path, required=True)
    arguments = parser.parse_args()
    run(arguments.run, arguments.file)


if __name__ == "__main__":
    main()
