"""Asks whether the seeds can be read as their yml says, before dbt reads them.

Why it exists: people edit seeds in spreadsheets. Of a file with semicolons dbt says which column a test
does not find, of a cell too many a line that is not the file's, and a quote that is never closed passes
without a word. Each is named here with file, line and what would be right.
Not here: what a readable seed may hold, which its tests say (`seed_mistakes.py`).
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_NAMED: Final = 3
_SAVE_AS: Final = "save it as CSV UTF-8, separated by commas"


def unreadable_seeds(project: Path, nodes: Mapping[str, Any]) -> str | None:
    """`seeds/x.csv, line 12: …; seeds/y.csv, line 3: …`; None when every seed can be read.

    `project`: the folder of the dbt project. `nodes`: those of its manifest.
    """
    said = [
        mistake
        for node in nodes.values()
        if str(node.resource_type) == "seed"
        for mistake in _first(
            seed_file_mistakes(
                node.original_file_path,
                (project / node.original_file_path).read_bytes(),
                dict(node.config.column_types),
            )
        )
    ]
    return "; ".join(said) or None


def seeds_not_utf8(project: Path) -> str | None:
    """The same for what dbt can't even parse: seeds in another encoding."""
    said = [
        mistake
        for path in sorted((project / "seeds").glob("*.csv"))
        if (mistake := _not_utf8(f"seeds/{path.name}", path.read_bytes()))
    ]
    return "; ".join(said) or None


def seed_file_mistakes(name: str, content: bytes, column_types: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with one file, line by line.

    `column_types`: every column of the seed with its type: string, bigint or boolean. Empty cells and empty
    lines are no matter of the form; a byte order mark and line ends of other systems are none at all.
    """
    if mistake := _not_utf8(name, content):
        yield mistake
        return
    rows = _rows(content.decode("utf-8-sig"))
    try:
        _, header = next(rows, (1, []))
        if sorted(header) != sorted(column_types):
            yield f"{name}, line 1: {_wrong_header(header, list(column_types))}"
            return
        for number, cells in rows:
            if not cells:
                continue
            if any("\n" in cell or "\r" in cell for cell in cells):
                yield f"{name}, line {number}: a quote is not closed in its line"
                return
            if len(cells) != len(header):
                yield (
                    f"{name}, line {number}: has {_cells(len(cells))}, must have {len(header)} "
                    f"({', '.join(header)}); a text with a comma stands in quotes"
                )
                continue
            for column, cell in zip(header, cells, strict=True):
                if why := _wrong_type(column_types[column], cell):
                    yield f"{name}, line {number}: {column} {cell!r} {why}"
    except _QuoteError as error:
        yield f"{name}, line {error.line}: a quote is not closed in its line, or text stands behind it"


class _QuoteError(ValueError):
    """`line`: where the row with the quote begins."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of the line it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        first_line = reader.line_num + 1
        try:
            yield first_line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _QuoteError(first_line) from error


def _first(mistakes: Iterable[str]) -> list[str]:
    found = list(mistakes)
    more = [f"and {len(found) - _NAMED} more there"] if len(found) > _NAMED else []
    return [*found[:_NAMED], *more]


def _not_utf8(name: str, content: bytes) -> str | None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"{name}, line {line}: is not UTF-8; {_SAVE_AS}"
    return None


def _wrong_header(header: Sequence[str], expected: Sequence[str]) -> str:
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and sorted(header[0].split(separator)) == sorted(expected):
            return f"the columns are separated by {word}; {_SAVE_AS}"
    return f"the columns are {', '.join(header) or 'missing'}, must be {', '.join(expected)}"


def _wrong_type(type_name: str, cell: str) -> str | None:
    if not cell or type_name == "string":
        return None
    if type_name == "boolean":
        return None if cell.lower() in ("true", "false") else "is neither true nor false"
    return None if re.fullmatch(r"[+-]?[0-9]+", cell.strip()) else "is no whole number"


def _cells(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"
