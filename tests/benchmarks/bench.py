"""`make bench`: every cost with its budget, in one table.

python -m tests.benchmarks.bench [--sizes 0.5M,5M] [--parts batch,pages] [--folder data/bench]

Builds a home with a year of so many events for each size, once; a later run uses it again. Each part runs as
a process of its own, whose memory is watched, and prints its progress on stderr. The table goes to stdout,
and to `bench.json` and `bench.md` in the folder. A part that fails costs only its own rows. Exit code 1: one
failed. Timing decides nothing: budgets that are missed are shown, no more.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import admission, erasure, micro_batch, pages, rebuild, visible
from tests.benchmarks.figures import (
    Figure,
    as_table,
    keep,
    machine,
    machine_line,
    parse_size,
    size_label,
)
from tests.benchmarks.history_plot import chart_of, rows_of
from tests.benchmarks.homes import built_of, ready_home, say
from tests.benchmarks.sustained import memory_of

ROOT = Path(__file__).parent.parent.parent
FLATNESS = 1.3


@dataclass(frozen=True, slots=True)
class Part:
    """`measure(home, history, options)`; parts without history are measured once, the others at each size."""

    name: str
    measure: Callable[[Path, int, argparse.Namespace], Iterator[Figure]]
    needs_history: bool = True
    memory_budget: float | None = None


PARTS = (
    Part("admission", lambda home, history, asked: admission.measure(asked.lines), needs_history=False),
    Part(
        "batch",
        lambda home, history, asked: micro_batch.measure(home, history, asked.batch, asked.batches),
    ),
    Part("visible", lambda home, history, asked: visible.measure(home, history, asked.files)),
    Part("pages", lambda home, history, asked: pages.measure_questions(home, history, asked.capsules)),
    Part("browser", lambda home, history, asked: pages.measure_browser(home, history)),
    Part("people", lambda home, history, asked: pages.measure_crowd(home, history, asked.people)),
    Part("rebuild", lambda home, history, asked: rebuild.measure(home, history), memory_budget=8192),
    Part("erasure", lambda home, history, asked: erasure.measure(home, history)),
    Part("size", lambda home, history, asked: rebuild.measure_size(home, history)),
)
NAMES = [part.name for part in PARTS]


@dataclass
class Peak(threading.Thread):
    """The most memory that a process and all below it held at once, in MB, shared pages counted once."""

    process: int
    megabytes: float = 0.0
    is_over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        # Looking at every process costs 50 ms: oftener it would be a tenth of what is measured.
        while not self.is_over.wait(2):
            self.megabytes = max(self.megabytes, memory_of(self.process) * 1000)


def run_part(part: Part, home: Path, history: int, words: Sequence[str]) -> list[Figure]:
    """The rows of one part, measured in a process of its own; raises `RuntimeError` when it failed."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.bench", *words]
    command += ["--run", part.name, "--home", str(home), "--history", str(history)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        peak = Peak(process.pid)
        peak.start()
        assert process.stdout is not None
        # Other lines are of libraries that print.
        rows = [line for line in process.stdout if line.startswith('{"part"')]
        code = process.wait()
        peak.is_over.set()
    found = [Figure(**json.loads(row)) for row in rows]
    if code:
        raise RuntimeError(f"{part.name} ended with {code} after {len(found)} rows")
    if part.needs_history and part.name != "size":
        found.append(
            Figure(
                part.name, "peak memory of all processes", peak.megabytes, "MB", history, part.memory_budget
            )
        )
    return found


def flatness(figures: Sequence[Figure]) -> list[Figure]:
    """What a batch costs at the longest history against the shortest; nothing with one size."""
    totals = sorted(
        (figure.history, figure.value)
        for figure in figures
        if figure.part == "batch" and figure.what.endswith("published") and figure.history
    )
    if len(totals) < 2:
        return []
    (shortest, least), (longest, most) = totals[0], totals[-1]
    what = f"a batch at {size_label(longest)} against {size_label(shortest)}"
    return [Figure("batch", what, most / least, "times", None, FLATNESS)]


def measure_all(options: argparse.Namespace, words: Sequence[str]) -> tuple[list[Figure], list[str]]:
    """The rows of every part that was asked for, in the order of `PARTS`; and what failed."""
    chosen = [part for part in PARTS if part.name in options.parts]
    homes = {}
    if any(part.needs_history for part in chosen):
        homes = {size: ready_home(options.folder, size) for size in options.sizes}
    figures: list[Figure] = []
    failed = []
    for part in chosen:
        rows: list[Figure] = []
        for size, home in homes.items() if part.needs_history else [(0, options.folder)]:
            label = f"{part.name} at {size_label(size)}" if size else part.name
            say(f"── {label} ──")
            began = time.monotonic()
            built = built_of(home)
            try:
                rows += run_part(part, home, built.event_count if built else 0, words)
            except RuntimeError as error:
                failed.append(f"{label}: {error}")
                say(failed[-1])
            say(f"{label}: {time.monotonic() - began:.0f} s")
        figures += rows + (flatness(rows) if part.name == "batch" else [])
    return figures, failed


def _names(text: str) -> list[str]:
    found = text.split(",")
    if unknown := [name for name in found if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no part. There are: {', '.join(NAMES)}")
    return found


def _sizes(text: str) -> list[int]:
    try:
        return sorted({parse_size(size) for size in text.split(",")})
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def options_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for; ends with code 2 and a sentence when it makes no sense."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=_sizes, default="0.5M", help="events of history, such as 0.5M,5M,50M")
    parser.add_argument("--parts", type=_names, default=",".join(NAMES), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--folder", type=Path, default=ROOT / "data" / "bench", help="homes and results")
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines that are admitted")
    parser.add_argument("--batch", type=int, default=2_000, help="events of a batch")
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--files", type=int, default=20, help="files that land while it runs")
    parser.add_argument("--capsules", type=int, default=5, help="whose pages are asked for, one by one")
    parser.add_argument("--people", type=int, default=10)
    for hidden, kind in (("--run", str), ("--home", Path), ("--history", int)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> None:
    words = sys.argv[1:]
    options = options_of(words)
    if options.run:
        (part,) = (part for part in PARTS if part.name == options.run)
        for figure in part.measure(options.home, options.history, options):
            print(json.dumps(asdict(figure)), flush=True)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    on, when = machine(), datetime.now(UTC)
    say(machine_line(on))
    figures, failed = measure_all(options, words)
    keep(options.folder, figures, on, when)
    print(f"machine: {machine_line(on)}")
    print(as_table(figures))
    print(f"\nKept in {options.folder / 'bench.json'} and bench.md")
    rows = rows_of(figures)
    if len({row["events"] for row in rows}) > 1:
        chart_of(rows).save(options.folder / "batch-cost.svg")
        print("The cost of a batch against history is drawn in batch-cost.svg there")
    if failed:
        print("\n".join(("", "Not measured:", *failed)))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
