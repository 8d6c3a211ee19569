"""Says which line of a seed a failed test is about, and what would be right.

Why it exists: analysts edit seeds by hand, and dbt's own message names a test and a number of rows.
Not here: whether the file can be read at all (`seed_files.py`); running the tests (`dbt_runner.py`); which
tests a seed has (`seeds/*.yml`).
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_LINES_NAMED: Final = 3

# A line of a seed as it stands in the file: its number, and its values by column.
Line = tuple[int, Mapping[str, str]]


def seed_mistake(project: Path, test: Any, nodes: Mapping[str, Any]) -> str | None:
    """`seeds/x.csv, line 12: …` for a failed generic test of a seed; None where that says nothing.

    `project`: the folder of the dbt project. `test`: the node of the test. `nodes`: those of its manifest.
    """
    seed = nodes.get(getattr(test, "attached_node", None) or "")
    metadata = getattr(test, "test_metadata", None)
    if seed is None or str(seed.resource_type) != "seed" or metadata is None:
        return None
    arguments, column = metadata.kwargs, test.column_name or ""
    if metadata.name == "accepted_values":
        allowed = [str(value) for value in arguments["values"]]
        wrong, why = _not_among(allowed), f"is none of {', '.join(allowed)}"
    elif metadata.name == "relationships":
        other = next(node for node in nodes.values() if node.unique_id in test.depends_on.nodes
                     and node.unique_id != seed.unique_id)  # fmt: skip
        known = [line[arguments["field"]] for _, line in _lines(project / other.original_file_path)]
        wrong, why = _not_among(known), f"is not in {other.original_file_path}"
    elif metadata.name == "not_null":
        wrong, why = (lambda value: not value), "is empty"
    elif metadata.name in ("unique", "unique_combination"):
        return _repeated(project, seed.original_file_path, arguments.get("columns") or [column])
    else:
        return None
    lines = [line for line in _lines(project / seed.original_file_path) if wrong(line[1].get(column) or "")]
    return _listed(seed.original_file_path, [
        (number, f"{column} {values.get(column) or ''!r} {why}") for number, values in lines
    ])  # fmt: skip


def _not_among(allowed: Sequence[str]) -> Callable[[str], bool]:
    return lambda value: bool(value) and value not in allowed


def _repeated(project: Path, path: str, columns: Sequence[str]) -> str | None:
    first: dict[tuple[str, ...], int] = {}
    found: list[tuple[int, str]] = []
    for number, values in _lines(project / path):
        key = tuple(values.get(column) or "" for column in columns)
        if key in first:
            shown = ", ".join(f"{column} {value!r}" for column, value in zip(columns, key, strict=True))
            found.append((number, f"{shown} stands in line {first[key]} already"))
        first.setdefault(key, number)
    return _listed(path, found)


def _listed(path: str, found: Sequence[tuple[int, str]]) -> str | None:
    if not found:
        return None
    more = f"; and {len(found) - _LINES_NAMED} more" if len(found) > _LINES_NAMED else ""
    return f"{path}, " + "; ".join(f"line {number}: {what}" for number, what in found[:_LINES_NAMED]) + more


def _lines(path: Path) -> list[Line]:
    # Spreadsheets put a byte order mark before the first column's name.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        return [(reader.line_num, values) for values in reader]
