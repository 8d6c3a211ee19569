"""What a batch reads and writes, counted by DuckDB statement by statement.

Why it exists: a model that looks through all history, or is built whole, costs nothing that a test would
notice while histories are short. Rows are counted, not time, and row groups are small, so that a history of
some ten thousand events already shows what grows with it.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmarks.raw_history import add_batch, write_history
from tests.compiled_models import CompiledModels

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
# The least DuckDB takes, against 122,880: a day of a small history then has row groups of its own.
ROW_GROUP_ROWS = 2048


@dataclass
class Touched:
    """Rows read and written by the statements of each model; of deletes the rows that went."""

    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)


class Counting:
    """A connection that counts what its statements touch under the name of the model at work."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.touched = Touched()
        self.name = ""
        connection.execute("pragma enable_profiling = 'no_output'")

    def execute(self, statement: str, *parameters: Any) -> duckdb.DuckDBPyConnection:
        found = self._connection.execute(statement, *parameters)
        profile = json.loads(self._connection.get_profiling_information(format="json"))
        for operator in operators_of(profile):
            kind = operator["type"]
            if kind == "TABLE_SCAN":
                self.touched.read[self.name] += operator.get("rows_scanned", 0)
            elif kind in ("INSERT", "BATCH_INSERT", "DELETE", "CREATE_TABLE_AS", "BATCH_CREATE_TABLE_AS"):
                # The operator itself gives one row, its input the rows it writes.
                self.touched.written[self.name] += sum(
                    child["intermediate_rows"] for child in operator["children"]
                )
        return found


def operators_of(profile: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operator of a profile."""
    waiting = list(profile.get("operator", []))
    while waiting:
        operator = waiting.pop()
        waiting += operator.get("children", [])
        yield operator


@contextmanager
def in_small_row_groups(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens a warehouse whose tables are written in row groups of the least size from here on."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse}' as {warehouse.stem} (row_group_size {ROW_GROUP_ROWS})")
        connection.execute(f"use {warehouse.stem}")
        yield connection


def touched_by_a_batch(
    compiled: CompiledModels, warehouse: Path, event_count: int, day_count: int, batch: int
) -> Touched:
    """What a batch of so many events touches after a history of so many days, built in full before it."""
    shutil.copyfile(compiled.empty_warehouse, warehouse)
    with in_small_row_groups(warehouse) as connection:
        write_history(connection, event_count, NOW, day_count)
        compiled.build(connection, full_refresh=True)
        connection.execute("checkpoint")
        add_batch(connection, batch, NOW)
        counting = Counting(connection)
        for model in compiled.models:
            counting.name = model.name
            # It asks a connection for nothing but to execute.
            model.build_batch(counting)  # type: ignore[arg-type]
    return counting.touched
