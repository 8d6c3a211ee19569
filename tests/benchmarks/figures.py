"""What a benchmark found: one figure a row, with its budget and whether it was met.

Why it exists: every part of `make bench` says what it measured in the same words, so one table holds all.
Not here: measuring, and which parts there are (`bench.py`).
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

Side = Literal["at most", "at least"]
_NUMBERS: Final = {
    "events/s": "{:,.0f}",
    "MB": "{:,.0f}",
    "bytes": "{:,.0f}",
    "s": "{:,.2f}",
    "times": "{:,.2f}",
}
_SMALLEST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    `part`: of `make bench`; `history`: events in the warehouse, null where they don't matter; `unit`: one of
    `_NUMBERS`, a name in the plural for counts. `budget`: null where DESIGN sets none.
    """

    part: str
    what: str
    value: float
    unit: str
    history: int | None = None
    budget: float | None = None
    side: Side = "at most"

    @property
    def is_met(self) -> bool | None:
        """Whether the budget is kept; null without one."""
        if self.budget is None:
            return None
        return self.value <= self.budget if self.side == "at most" else self.value >= self.budget

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, history, measured, budget and verdict, as text."""
        verdict = {None: "", True: "met", False: "MISSED"}[self.is_met]
        budget = "" if self.budget is None else f"{self.side} {_number(self.budget, self.unit)}"
        history = "" if self.history is None else size_label(self.history)
        return self.what, history, f"{_number(self.value, self.unit)} {self.unit}", budget, verdict


def _number(value: float, unit: str) -> str:
    return _NUMBERS.get(unit, "{:,.0f}").format(value)


def size_label(events: int) -> str:
    """5000000 → 5M, 499826 → 0.5M, 20000 → 20k."""
    if events >= 100_000:
        return f"{events / 1e6:.2g}M"
    return f"{events / 1e3:.2g}k"


def parse_size(text: str) -> int:
    """0.5M → 500000; raises `ValueError` that says how sizes are written."""
    unit = {"k": 1_000, "M": 1_000_000}.get(text[-1:], 1)
    try:
        size = round(float(text.rstrip("kM")) * unit)
    except ValueError:
        size = 0
    if size < _SMALLEST:
        raise ValueError(f"{text!r} is no size. Write 20k, 0.5M, 5M or a number of at least {_SMALLEST:,}.")
    return size


def machine() -> dict[str, Any]:
    """What was measured on: cores, memory, kind, versions, and how busy others keep it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory, 1),
        "kind": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
        "commit": _commit(),
    }


def _commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent, check=False, capture_output=True, text=True,
    )  # fmt: skip
    return answer.stdout.strip() or "unknown"


def machine_line(found: Mapping[str, Any]) -> str:
    """The machine in one line."""
    return (
        f"{found['cores']} cores, {found['memory_gb']} GB, {found['kind']}, Python {found['python']}, "
        f"commit {found['commit']}, load {found['load_before']} when it began"
    )


def as_table(figures: Iterable[Figure]) -> str:
    """Aligned columns for a terminal, a heading a part."""
    lines, part = [], None
    for figure in figures:
        if figure.part != part:
            part = figure.part
            lines += ["", part.upper()]
        what, history, value, budget, verdict = figure.cells()
        lines.append(f"  {what:<62}{history:>6}{value:>19}   {budget:<18}{verdict}".rstrip())
    return "\n".join(lines)


def as_markdown(figures: Iterable[Figure]) -> str:
    """The table for a README."""
    rows = ["| part | what | history | measured | budget | |", "|---|---|---|---|---|---|"]
    rows += [f"| {figure.part} | {' | '.join(figure.cells())} |" for figure in figures]
    return "\n".join(rows) + "\n"


def keep(folder: Path, figures: Sequence[Figure], on: Mapping[str, Any], when: datetime) -> None:
    """Writes `bench.json` and `bench.md` into the folder."""
    said = {"measured_at": when.isoformat(timespec="seconds"), "machine": dict(on)}
    rows = [{**asdict(figure), "is_met": figure.is_met} for figure in figures]
    (folder / "bench.json").write_text(
        json.dumps({**said, "figures": rows}, indent=1) + "\n", encoding="utf-8"
    )
    (folder / "bench.md").write_text(f"{machine_line(on)}\n\n{as_markdown(figures)}", encoding="utf-8")


def read_kept(file: Path) -> list[Figure]:
    """The figures of a `bench.json`."""
    rows = json.loads(file.read_text(encoding="utf-8"))["figures"]
    return [Figure(**{name: row[name] for name in Figure.__dataclass_fields__}) for row in rows]
