"""Looks for erased people in every byte of an installation, after they were erased.

Why it exists: a receipt that says "done" must rest on what is on the disk, not on what was meant to happen.
Databases are read table by table, sealed files and packed files unpacked, everything else searched as it is.
Not here: removing anything (`erasure.py`).
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.erased_originals import readable_parts
from orchestration.mentions import Mentions
from orchestration.places import COLUMNS, place_of, state_files
from orchestration.settings import Settings

_SEARCHED: Final = frozenset({"key", "linked"})
# Keys of people are searched for in raw bytes, however many; of their sessions and events so many.
_KEYS_AS_BYTES: Final = 20
# What tells names of files, where an id may be joined to other words.
_TELLING_NAMES: Final = ("archive/batches/", "logs/", "dbt/", "dagster/")


def left_of(
    settings: Settings, ids: Mentions, keys: Sequence[str], capsule_ids: Collection[str] = ()
) -> dict[str, int]:
    """Where ids or keys still stand: pattern of the place → rows or files; empty when nothing is left.

    An id that is short or a word like others is looked for only in what people sent: elsewhere it says
    nothing of anybody, and a person is known by keys. `capsule_ids` are none of a person and passed over in
    what is ours; columns of texts are read by themselves (`mentions_left`), without passing over anything.
    The caller holds the writer lock and has closed the warehouse. Open requests and the list of erased
    people in `secrets/` are left out: the ones are deleted with the receipt, the others are no keys.
    """
    as_bytes = Mentions(keys[:_KEYS_AS_BYTES])
    telling = ids.telling(capsule_ids)
    left: dict[str, int] = {}
    for name, path in state_files(settings):
        place = place_of(name)
        pattern = place.pattern if place else "not listed"
        if name.startswith("secrets/") or path.is_symlink() or not path.is_file():
            continue
        count = _rows_with(path, keys)
        asked = ids if name.startswith("landing/") else telling
        is_within = asked.within_log if name.startswith(_TELLING_NAMES) else asked.within
        if asked.within_name(name.encode("utf-8", "surrogateescape")) or any(
            is_within(part) or as_bytes.within(part) for part in readable_parts(path)
        ):
            count = max(count, 1)
        if count:
            left[pattern] = left.get(pattern, 0) + count
    return left


def _rows_with(path: Path, keys: Sequence[str]) -> int:
    if not keys:
        return 0
    if path.suffix == ".duckdb":
        return rows_of_file(path, keys)
    if path.suffix == ".parquet" and path.read_bytes()[:4] == b"PAR1":
        return _parquet_rows(path, keys)
    return 0


def rows_of_file(path: Path, keys: Iterable[str]) -> int:
    """Rows of any table of a DuckDB file that hold any of the keys."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return sum(rows_with_keys(connection, keys).values())


def rows_with_keys(connection: duckdb.DuckDBPyConnection, keys: Iterable[str]) -> dict[str, int]:
    """`schema.table` → rows that hold any of the keys, of the tables that have some."""
    columns = connection.execute(
        """select schema_name || '.' || table_name, list(column_name) from duckdb_columns()
        where database_name = current_database() and data_type = 'VARCHAR' and not internal
            and table_oid in (select table_oid from duckdb_tables() where database_name = current_database())
        group by all order by 1"""
    ).fetchall()
    listed = list(keys)
    found = {}
    for table, names in columns:
        searched = [name for name in names if COLUMNS.get(name, "linked") in _SEARCHED]
        if searched:
            schema, _, plain = table.partition(".")
            condition = " or ".join(f'"{name}" in (select unnest($keys::varchar[]))' for name in searched)
            row = connection.execute(
                f'select count(*) from "{schema}"."{plain}" where {condition}', {"keys": listed}
            ).fetchone()
            if row and row[0]:
                found[table] = int(row[0])
    return found


def _parquet_rows(path: Path, keys: Sequence[str]) -> int:
    count = 0
    with pq.ParquetFile(path) as file:
        names = [
            field.name
            for field in file.schema_arrow
            if pa.types.is_string(field.type) and COLUMNS.get(field.name, "linked") in _SEARCHED
        ]
        wanted = pa.array(list(keys), pa.string())
        if not names:
            return 0
        for batch in file.iter_batches(columns=names):
            mask = pc.is_in(batch.column(0), wanted)
            for at in range(1, len(names)):
                mask = pc.or_(mask, pc.is_in(batch.column(at), wanted))
            count += pc.sum(mask).as_py() or 0
    return count
