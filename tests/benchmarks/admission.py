"""How fast lines are admitted, against a bare typed `read_ndjson` of the same file in the same run.

python -m tests.benchmarks.admission [--events 200000]
"""

import argparse
import gzip
import os
import platform
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.admission import AdmissionRules
from orchestration.archive import seal
from orchestration.event_files import view_landing
from orchestration.privacy import Keyring
from orchestration.sample_events.stream import write_sample

COLUMNS = {
    "eventId": "varchar",
    "eventType": "varchar",
    "capsuleId": "varchar",
    "sessionId": "varchar",
    "userId": "varchar",
    "timestamp": "varchar",
    "metadata": "json",
}


def one_file_of(folder: Path, event_count: int) -> Path:
    """The valid lines of a sample stream in one plain file."""
    landing = folder / "landing"
    days = max(event_count // 4 // 1000, 1)
    write_sample(
        landing, folder / "truth.json", day_count=min(days, 390), events_per_day=1000, now=datetime.now(UTC)
    )
    joined = folder / "joined.ndjson"
    with joined.open("wb") as target:
        for path in sorted(landing.glob("events-*.gz")):
            with gzip.open(path) as lines:
                # A bare reader refuses the whole file for one line that is no JSON or no UTF-8.
                target.writelines(line for line in lines if is_plain(line))
    return joined


def is_plain(line: bytes) -> bool:
    """Whether any JSON reader takes the line."""
    return line.startswith(b"{") and line.endswith(b"}\n") and line.isascii() and b"NaN" not in line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        joined = one_file_of(folder, arguments.events)
        inbox = folder / "inbox"
        inbox.mkdir()
        joined.rename(inbox / "joined.ndjson")
        with (inbox / "joined.ndjson").open("rb") as file:
            lines = sum(1 for _ in file)
        started = time.perf_counter()
        with duckdb.connect(str(folder / "bare.duckdb"), config={"threads": os.cpu_count() or 2}) as bare:
            bare.execute(
                "create table events as select * from read_ndjson(?, columns = ?, ignore_errors = true)",
                [str(inbox / "joined.ndjson"), COLUMNS],
            )
        bare_rate = lines / (time.perf_counter() - started)
        now = datetime.now(UTC)
        rules = AdmissionRules(Keyring(folder / "secrets", now), now, None)
        (landed,) = view_landing(inbox, 0, time.time()).complete
        started = time.perf_counter()
        seal(landed, rules, folder / "archive", folder / "tmp")
        rate = lines / (time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(f"lines {lines:,}; bare read_ndjson {bare_rate:,.0f}/s; admission {rate:,.0f}/s")
    print(f"ratio {rate / bare_rate:.3f} (budget 0.5); peak memory of both {peak:,.0f} MB")


if __name__ == "__main__":
    main()
