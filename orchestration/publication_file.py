"""The file of a publication: written anew, or taken over from the one before and renewed.

Why it exists: writing every mart anew takes 13 s at five million events, whatever came in. So the file of the
last publication is copied, and in the copy only what was renewed since is replaced. dbt's strategy `touched`
writes down which days of which capsule it renews in a mart (`raw.renewed_days`, counted from the publication
in `raw.last_publication`); a mart of which nothing is written down is replaced as a whole. The file stays
complete by itself: any DuckDB client reads it.

**In doubt everything is written into a new file**, and the manifest says why: after a full refresh, when the
closed days moved, when the file has grown by half, when a mart would have another number of rows than the
warehouse, and whenever events were removed, because a deleted row leaves its bytes behind.
Not here: when to publish, the pointer and the manifest (`publication.py`).
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from orchestration.kept_figures import closed_before, published_rows

# Not `marts.duckdb`: the file would name its catalog like the schema, which DuckDB calls ambiguous.
MARTS_FILE: Final = "publication.duckdb"
# Replaced rows leave holes: a file that has grown by more than this factor and these bytes since it was
# written whole is written whole. (Of a small file a handful of blocks is the half.)
LARGEST_GROWTH: Final = 1.5
GROWTH_BYTES: Final = 16 * 2**20


class NotRenewable(Exception):
    """The file of the last publication can't be taken over; the text says why."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """`tables`: rows by mart. `anew_because`: why nothing was taken over; null when it was.

    `whole_bytes`: the size of the file when it was last written whole.
    """

    tables: dict[str, int]
    anew_because: str | None
    whole_bytes: int


@dataclass(frozen=True, slots=True)
class _Base:
    """The file of the last publication."""

    file: Path
    whole_bytes: int


def write_marts(
    connection: duckdb.DuckDBPyConnection, archive: Path, published: Path, target: Path, *, anew: bool
) -> WrittenFile:
    """Writes schema `marts` and the reference tables into `target`. `anew`: whatever may be taken over."""
    try:
        if anew:
            raise NotRenewable("deleted rows are to leave no byte behind")
        base = _last_publication(connection, archive, published)
        tables = take_over_marts(connection, archive, base.file, target)
        return WrittenFile(tables, None, base.whole_bytes)
    except (NotRenewable, duckdb.Error) as error:
        # A damaged file is no reason not to publish; what ails the warehouse or the disk comes again below.
        why = str(error) if isinstance(error, NotRenewable) else f"taking over failed: {type(error).__name__}"
        for path in target.parent.glob(f"{target.name}*"):
            path.unlink()
    tables = copy_marts(connection, archive, target)
    return WrittenFile(tables, why, target.stat().st_size)


def remember_publication(
    connection: duckdb.DuckDBPyConnection, publication_id: str, archive: Path, whole_bytes: int, now: datetime
) -> None:
    """From now on renewed days count from this publication. A crash before only renews them once more."""
    connection.execute("begin transaction")
    try:
        connection.execute("delete from raw.last_publication")
        connection.execute(
            "insert into raw.last_publication values (?, ?, ?, ?)",
            [publication_id, closed_before(archive), whole_bytes, now.replace(tzinfo=None)],
        )
        connection.execute("delete from raw.renewed_days")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _last_publication(connection: duckdb.DuckDBPyConnection, archive: Path, published: Path) -> _Base:
    row = connection.execute(
        "select publication_id, first_kept_date, whole_bytes from raw.last_publication"
    ).fetchone()
    if row is None:
        raise NotRenewable("nothing was published since the models were last built in full")
    publication_id, first_kept, whole_bytes = row
    file = published / publication_id / MARTS_FILE
    if not file.is_file():
        raise NotRenewable(f"the publication {publication_id} is gone")
    if first_kept != closed_before(archive):
        raise NotRenewable("days have left the retention window")
    if connection.execute("select 1 from raw.renewed_days where table_name is null").fetchone():
        raise NotRenewable("events were removed since, and deleted rows would leave their bytes behind")
    if file.stat().st_size > LARGEST_GROWTH * whole_bytes + GROWTH_BYTES:
        raise NotRenewable("the file has grown by half since it was last written whole")
    return _Base(file, whole_bytes)


def copy_marts(connection: duckdb.DuckDBPyConnection, archive: Path, target: Path) -> dict[str, int]:
    """Writes every mart into the new file `target`; returns rows by mart."""
    with _attached(connection, target):
        for schema, table in _tables_to_publish(connection):
            _write_table(connection, archive, schema, table)
        connection.execute("checkpoint publication")
        return _counts(connection)


def take_over_marts(
    connection: duckdb.DuckDBPyConnection, archive: Path, base: Path, target: Path
) -> dict[str, int]:
    """Copies the file `base` to `target` and replaces what was renewed; returns rows by mart.

    Raises `NotRenewable` when it is not known what was renewed, and when a mart has another number of rows
    afterwards than the warehouse.
    """
    day_columns = dict(
        connection.execute("select distinct table_name, day_column from raw.renewed_days").fetchall()
    )
    if not day_columns:
        raise NotRenewable("no build wrote down since what it renewed")
    shutil.copyfile(base, target)
    with _attached(connection, target):
        listed = _tables_to_publish(connection)
        published = _published_columns(connection)
        connection.execute("begin transaction")
        try:
            for schema, table in listed:
                is_tracked = schema == "marts" and table in day_columns
                if is_tracked and published.get((schema, table)) == _columns(connection, f'marts."{table}"'):
                    _renew_days(connection, archive, table, day_columns[table])
                else:
                    _write_table(connection, archive, schema, table)
            for schema, table in published.keys() - set(listed):
                connection.execute(f'drop table publication."{schema}"."{table}"')
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("checkpoint publication")
        return _counts(connection)


def _renew_days(connection: duckdb.DuckDBPyConnection, archive: Path, table: str, day_column: str) -> None:
    """Replaces the rows of the capsules' days that were renewed."""
    is_renewed = f"""(capsule_id, {day_column}) in (
        select (capsule_id, renewed_date) from raw.renewed_days
        where table_name = '{table}' and renewed_date is not null
    )"""
    rows = published_rows(connection, archive, table)
    connection.execute(f'delete from publication.marts."{table}" where {is_renewed}')
    connection.execute(
        f'insert into publication.marts."{table}" by name select * from ({rows}) where {is_renewed}'
    )
    found, expected = _count(connection, f'publication.marts."{table}"'), _count(connection, f"({rows})")
    if found != expected:
        raise NotRenewable(f"{table} would have had {found:,} rows, not {expected:,}")


def _write_table(connection: duckdb.DuckDBPyConnection, archive: Path, schema: str, table: str) -> None:
    rows = f'select * from "{schema}"."{table}"'
    if schema == "marts":
        rows = published_rows(connection, archive, table)
    connection.execute(f'create schema if not exists publication."{schema}"')
    connection.execute(f'create or replace table publication."{schema}"."{table}" as {rows}')


def _tables_to_publish(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return connection.execute(
        """select schema_name, table_name from duckdb_tables()
        where schema_name in ('marts', 'reference') and database_name = current_database()
        order by all"""
    ).fetchall()


def _published_columns(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Columns and types by table, as they are in the attached publication."""
    names = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'publication'"
    ).fetchall()
    return {
        (schema, table): _columns(connection, f'publication."{schema}"."{table}"') for schema, table in names
    }


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, *_ in connection.execute(f"describe {relation}").fetchall()]


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of each published mart."""
    names = connection.execute(
        """select table_name from duckdb_tables()
        where database_name = 'publication' and schema_name = 'marts' order by all"""
    ).fetchall()
    return {table: _count(connection, f'publication.marts."{table}"') for (table,) in names}


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    # A path can't be a bound parameter of ATTACH; quotes are doubled, and the folder name is ours.
    connection.execute(f"attach '{str(file).replace(chr(39), chr(39) * 2)}' as publication")
    try:
        yield
    finally:
        connection.execute("detach publication")
