"""Homes with a year of history, built the real way once and kept for the next run.

Why it exists: a year of five million events takes minutes to land, admit, build and publish; what is measured
over it takes seconds. A home is built anew when its generator or the raw tables changed since.
Not here: the lines (`year.py`), measuring over a home.
"""

import fcntl
import hashlib
import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from orchestration.dbt_runner import build
from orchestration.micro_batch import load_pending
from orchestration.publication import publish
from orchestration.settings import PROJECT_ROOT, Settings, load_settings
from orchestration.state_folder import create_state_folders
from orchestration.warehouse import open_warehouse, writer_lock
from tests.benchmarks.figures import size_label
from tests.benchmarks.year import write_year

# So much is landed before it is loaded; a larger year goes in parts, or it would need the disk twice.
LANDED_BYTES: Final = 4 << 30
DAYS: Final = 365
PERSON_SESSIONS: Final = 12


@dataclass(frozen=True, slots=True)
class Built:
    """How a home came to be: what it holds and what each step took, in seconds."""

    generator: str
    event_count: int
    landed_bytes: int
    line_count: int
    write_seconds: float
    load_seconds: float
    build_seconds: float
    publish_seconds: float


def home_settings(home: Path) -> Settings:
    """Settings of a home of a benchmark: files are complete at once, of any age, and not kept."""
    return load_settings(
        home=home, landing=home / "landing", quiet_seconds=0, accept_any_age=True, keep_loaded_days=0
    )


def ready_home(folder: Path, event_count: int) -> Path:
    """The home of that size below `folder`, built when there is none or it is of another generator."""
    home = (folder / size_label(event_count)).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{home.name}.lock").open("w", encoding="utf-8") as lock:
        # Another bench may be building it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _ready(home, event_count)


def _ready(home: Path, event_count: int) -> Path:
    built = built_of(home)
    if built and built.generator == _generator():
        say(f"{size_label(event_count)}: the home {home} is used as it is")
        return home
    if built or home.exists():
        say(f"{size_label(event_count)}: {home} is unfinished or of another generator, and is built anew")
        shutil.rmtree(home)
    home.mkdir(parents=True)
    found = _build(home, event_count)
    (home / "built.json").write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    return home


def built_of(home: Path) -> Built | None:
    """What is known of a home that was built to the end."""
    file = home / "built.json"
    return Built(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def say(text: str) -> None:
    """Progress, on stderr."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", file=sys.stderr, flush=True)


def _generator() -> str:
    digest = hashlib.sha256()
    for file in (Path(__file__).with_name("year.py"), PROJECT_ROOT / "orchestration" / "raw_schema.py"):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _build(home: Path, event_count: int) -> Built:
    settings, label = home_settings(home), size_label(event_count)
    create_state_folders(settings)
    now = datetime.now(UTC)
    seconds = dict.fromkeys(("write", "load", "build", "publish"), 0.0)
    lines = landed = waiting = 0
    began = time.perf_counter()

    def load_waiting() -> None:
        nonlocal waiting
        started = time.perf_counter()
        load_pending(settings)
        seconds["load"] += time.perf_counter() - started
        waiting = 0
        say(f"{label}: {lines:,} lines loaded, {lines / max(seconds['load'], 1e-9):,.0f} a second")

    for file in write_year(
        settings.landing, event_count=event_count, last_day=now.date() - timedelta(days=1)
    ):
        lines += file.line_count
        size = file.path.stat().st_size
        landed, waiting = landed + size, waiting + size
        if waiting > LANDED_BYTES:
            load_waiting()
    seconds["write"] = time.perf_counter() - began - seconds["load"]
    say(f"{label}: {lines:,} lines, {landed / 1e6:,.0f} MB written in {seconds['write']:.0f} s")
    load_waiting()
    started = time.perf_counter()
    outcome = build(settings, full_refresh=True)
    if outcome.failures:
        raise RuntimeError(f"The history of {label} was not built: {outcome.failures}")
    seconds["build"] = time.perf_counter() - started
    say(f"{label}: built and tested in {seconds['build']:.0f} s")
    started = time.perf_counter()
    with writer_lock(settings), open_warehouse(settings) as connection:
        publish(connection, settings, datetime.now(UTC))
        row = connection.execute("select count(*) from raw.events").fetchone()
    seconds["publish"] = time.perf_counter() - started
    say(f"{label}: published in {seconds['publish']:.0f} s")
    return Built(
        _generator(), int(row[0]) if row else 0, landed, lines,
        **{f"{name}_seconds": round(taken, 2) for name, taken in seconds.items()},
    )  # fmt: skip


def land_person(settings: Settings, name: str, now: datetime) -> None:
    """One person in twelve sessions of the year, four events each, every other one without a user."""
    rows = [
        orjson.dumps(
            {
                "eventId": f"{name}-{session}-{place}",
                "eventType": "view" if place == 0 else "interaction",
                "capsuleId": f"capsule-{session:03d}",
                "sessionId": f"{name}-{session}",
                "timestamp": (
                    now - timedelta(days=1 + session * (DAYS - 5) / PERSON_SESSIONS, seconds=-30 * place)
                ).isoformat(),
                "metadata": {"action": "message", "role": "user"} if place else {},
                **({"userId": name} if place % 2 else {}),
            }
        )
        for session in range(PERSON_SESSIONS)
        for place in range(4)
    ]
    (settings.landing / f"{name}.ndjson").write_bytes(b"\n".join(rows) + b"\n")
