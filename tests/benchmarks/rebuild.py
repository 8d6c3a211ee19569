"""What a full rebuild of every model costs, all checks included, and what an event takes on disk."""

import time
from collections.abc import Iterator
from pathlib import Path

from orchestration.dbt_runner import build
from orchestration.publication import current_manifest
from orchestration.publication_file import MARTS_FILE
from orchestration.warehouse import compact, open_warehouse, writer_lock
from tests.benchmarks.figures import Figure
from tests.benchmarks.homes import built_of, home_settings, say
from tests.benchmarks.micro_batch import SLOWEST


def measure(home: Path, history: int) -> Iterator[Figure]:
    """`engagement rebuild` without its publication."""
    settings = home_settings(home)
    started = time.perf_counter()
    outcome = build(settings, full_refresh=True)
    seconds = time.perf_counter() - started
    if outcome.failures:
        raise RuntimeError(f"The rebuild failed: {outcome.failures}")
    for name, taken in sorted(outcome.node_seconds.items(), key=lambda one: -one[1])[:SLOWEST]:
        say(f"  {taken:6.2f} s  {name}")
    yield Figure("rebuild", "all models and tests", seconds, "s", history)
    yield Figure(
        "rebuild", "events a second", history / seconds, "events/s", history, budget=150_000, side="at least"
    )


def measure_size(home: Path, history: int) -> Iterator[Figure]:
    """Bytes an event, in a file without deleted rows; how fast the year came in."""
    settings = home_settings(home)
    with writer_lock(settings):
        say("size: writing the warehouse anew, without deleted rows")
        compact(settings)
        with open_warehouse(settings) as connection:
            row = connection.execute("select count(*) from raw.events").fetchone()
    count = int(row[0]) if row else 1
    manifest = current_manifest(settings.published)
    assert manifest is not None
    published = (settings.published / manifest.id / MARTS_FILE).stat().st_size
    archived = sum(file.stat().st_size for file in settings.archive.glob("*.parquet"))
    size = settings.warehouse_file.stat().st_size
    yield Figure("size", "warehouse: raw and marts, an event", size / count, "bytes", history, 100)
    yield Figure("size", "publication, an event", published / count, "bytes", history)
    yield Figure("size", "sealed archive, an event", archived / count, "bytes", history)
    if built := built_of(home):
        rate = built.line_count / built.load_seconds
        yield Figure("back-fill", "a year of files loaded in one go", rate, "events/s", history)
        yield Figure(
            "back-fill", "landed bytes, a line", built.landed_bytes / built.line_count, "bytes", history
        )
