"""Columns of events: for each line of a table what was made of its values.

Why it exists: reading values (`column_rules.py`), ids (`own_ids.py`) and keys (`column_keys.py`) agree on it.
Not here: any rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.leaf_columns import Column, Flags, Integers, distinct_numbers


@dataclass(frozen=True, slots=True)
class Answers:
    """A column of events: for each line the place of its value in `values`, or -1."""

    codes: Integers
    values: list[Any] | pa.Array


@dataclass(slots=True)
class EventColumns:
    """`is_fit`: whether all that is said of a line holds; the others are to be admitted by themselves."""

    is_fit: Flags
    answers: dict[str, Answers] = field(default_factory=dict)
    numbers: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def leave(self, codes: Integers, problems: Sequence[int]) -> None:
        """Leaves out the lines that have one of these codes."""
        if problems:
            self.is_fit &= ~np.isin(codes, np.array(problems))


def combined(columns: Sequence[Column]) -> tuple[Integers, list[list[Any]]]:
    """The distinct combinations of some columns: for each line its place, and for each column the values.

    A value that a line does not have is null.
    """
    codes, parts = np.zeros(len(columns[0].codes), np.int64), list[npt.NDArray[np.int64]]()
    for column in columns:
        size = len(column.values) + 1
        places, both = distinct_numbers(codes * size + column.codes + 1)
        codes = places.astype(np.int64)
        before, last = np.divmod(both, size)
        parts = [part[before] for part in parts] + [last - 1]
    values = [
        [column.values[at] if at >= 0 else None for at in part.tolist()]
        for column, part in zip(columns, parts, strict=True)
    ]
    return codes.astype(np.int32), values
