"""Opens publications: the only way from the dashboard and the command line to the marts.

Why it exists: a publication is immutable and read by many threads, and a query must not be able to
leave it. Every connection is read-only, has no access to files or the network, and cannot be
reconfigured; every query gets a cursor of its own, because one connection shared by threads
returns other threads' rows (measured: 421 of 1,800 queries). A publication is opened for a `Scope`: where
that is not everything, `marts.x` is a view of the rows of its capsules, whatever a query asks for.
Not here: SQL (`queries.py`) and Streamlit.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from app.scope import Scope

DATABASE_NAME: Final = "publication.duckdb"
MANIFEST_NAME: Final = "manifest.json"
CURRENT_NAME: Final = "CURRENT"

# The current publication and the one before it, which a query of another thread may still read.
OPEN_PUBLICATIONS_LIMIT: Final = 2

# Attached under a name of our own: DuckDB names a catalogue after its file, and calls one that has
# the name of its schema (`marts`) ambiguous.
CATALOG: Final = "publication"
# How lines were loaded, for the whole warehouse: whoever may see that sees these tables whole, others see the
# rows of their capsules, and nothing of those that know no capsule.
LOADING_TABLES: Final = ("event_files", "ingestion_daily", "rejected_daily", "rejected_lines")
# In this order: after the last one nothing can be attached or set again. Nothing is spilled to disk.
HARDENING: Final = (
    "set temp_directory = ''",
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set enable_external_access = false",
    "set lock_configuration = true",
)


class PublicationMissing(Exception):
    """There is nothing to read yet, or what `CURRENT` names cannot be read."""


@dataclass(frozen=True)
class Publication:
    """What the manifest of one publication says, and for whom it was opened. Instants are aware and UTC.

    `first_event_date` and `last_event_date` are days of `timezone`; `tables` are row counts. They, and
    `accepted_count`, are of the whole publication, whatever the scope.
    """

    id: str
    folder: Path
    scope: Scope
    published_at: datetime
    as_of: datetime | None
    timezone: str
    first_event_date: date | None
    last_event_date: date | None
    accepted_count: int = 0
    tables: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def database(self) -> Path:
        return self.folder / DATABASE_NAME


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def read_publication(folder: Path, scope: Scope) -> Publication:
    """The publication in `folder` for these eyes; PublicationMissing when it can't be read."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        published_at = _instant(manifest["published_at"])
        assert published_at is not None
        publication = Publication(
            id=manifest["id"],
            folder=folder,
            scope=scope,
            published_at=published_at,
            as_of=_instant(manifest.get("as_of")),
            timezone=manifest.get("timezone") or "UTC",
            first_event_date=_day(manifest.get("first_event_date")),
            last_event_date=_day(manifest.get("last_event_date")),
            accepted_count=int(manifest.get("accepted_count") or 0),
            tables=dict(manifest.get("tables") or {}),
        )
    except (OSError, ValueError, KeyError, AssertionError) as error:
        raise PublicationMissing(
            f"The publication {folder.name} has no readable {MANIFEST_NAME}. "
            "Run `engagement rebuild` to publish again."
        ) from error
    if not publication.database.is_file():
        raise PublicationMissing(
            f"The publication {folder.name} has no {DATABASE_NAME}. "
            "Run `engagement rebuild` to publish again."
        )
    return publication


def current_publication_id(published: Path) -> str | None:
    """The name in `CURRENT`, or None when nothing was published. Cheap enough to ask every second."""
    try:
        name = (published / CURRENT_NAME).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    # A pointer is a plain folder name; anything else could lead out of the folder.
    return name if name and Path(name).name == name and not name.startswith(".") else None


def current_publication(published: Path, scope: Scope) -> Publication:
    """What `CURRENT` names, for these eyes; PublicationMissing, in plain words, when there is none."""
    for _ in range(3):
        name = current_publication_id(published)
        if name is None:
            break
        if (published / name).is_dir():
            return read_publication(published / name, scope)
        # The pointer moved and the old folder went away between the two looks: look again.
    raise PublicationMissing(
        "Nothing has been published yet. Drop event files into the landing folder and run "
        "`engagement load`, or start everything with `engagement up`."
    )


@dataclass
class _Opened:
    """The one connection of a publication, and the catalogue that each scope reads."""

    connection: duckdb.DuckDBPyConnection
    catalogs: dict[Scope, str] = field(default_factory=dict)


_opened: dict[Path, _Opened] = {}
_opened_lock = threading.Lock()


def _connect(publication: Publication) -> duckdb.DuckDBPyConnection:
    """A hardened connection with the publication attached, read-only, as `publication`."""
    connection = duckdb.connect()
    try:
        connection.execute(f"attach {_literal(str(publication.database))} as {CATALOG} (read_only)")
        for statement in HARDENING:
            connection.execute(statement)
    except duckdb.Error as error:
        connection.close()
        raise PublicationMissing(
            f"The publication {publication.id} could not be opened. It may have just been "
            "replaced: try again. If it stays so, run `engagement rebuild`."
        ) from error
    return connection


def _literal(text: str) -> str:
    """A text of SQL where nothing can be bound: ATTACH and CREATE VIEW."""
    return "'" + text.replace("'", "''") + "'"


def _open(publication: Publication) -> _Opened:
    """Opens once; publications older than the last two close."""
    opened = _opened.pop(publication.folder, None) or _Opened(_connect(publication))
    _opened[publication.folder] = opened
    while len(_opened) > OPEN_PUBLICATIONS_LIMIT:
        _opened.pop(next(iter(_opened))).connection.close()
    return opened


def _catalog_of(opened: _Opened, scope: Scope) -> str:
    """The catalogue that answers `marts.x` for a scope: the publication, or views of a part of it."""
    if scope.capsules is None and scope.sees_loading:
        return CATALOG
    if scope not in opened.catalogs:
        name = f"scope_{len(opened.catalogs) + 1}"
        opened.connection.execute(f"attach ':memory:' as {name}")
        for statement in _view_statements(opened.connection, scope, name):
            opened.connection.execute(statement)
        opened.catalogs[scope] = name
    return opened.catalogs[scope]


def _view_statements(connection: duckdb.DuckDBPyConnection, scope: Scope, catalog: str) -> Iterator[str]:
    """A view for every table of `reference`, which is of nobody, and for what a scope sees of `marts`."""
    tables = connection.execute(
        "select schema_name, table_name, "
        "exists (select 1 from duckdb_columns() as found where found.table_oid = listed.table_oid "
        "and found.database_name = listed.database_name and found.column_name = 'capsule_id') "
        f"from duckdb_tables() as listed where database_name = '{CATALOG}'"
    ).fetchall()
    yield f"create schema {catalog}.marts"
    yield f"create schema {catalog}.reference"
    for schema, table, has_capsule in tables:
        where = _rows_seen(schema, table, has_capsule, scope)
        if where is not None:
            source = f'{CATALOG}.{schema}."{table}"'
            yield f'create view {catalog}.{schema}."{table}" as select * from {source} where {where}'


def _rows_seen(schema: str, table: str, has_capsule: bool, scope: Scope) -> str | None:
    """The condition on the rows of a table; None hides it. What this does not know is hidden."""
    if schema == "reference" or (table in LOADING_TABLES and scope.sees_loading):
        return "true"
    if schema != "marts" or not has_capsule:
        return None
    if scope.capsules is None:
        return "true" if table not in LOADING_TABLES else "capsule_id is not null"
    if not scope.capsules:
        return "false"
    return f"capsule_id in ({', '.join(_literal(name) for name in sorted(scope.capsules))})"


@contextmanager
def open_cursor(publication: Publication) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor of its own for one query or a few, confined to the publication's scope; closed at the end."""
    with _opened_lock:
        opened = _open(publication)
        catalog = _catalog_of(opened, publication.scope)
        cursor = opened.connection.cursor()
    try:
        # Of the cursor, not of the connection: `marts.fct_sessions` is then enough.
        cursor.execute(f"use {catalog}")
        yield cursor
    finally:
        cursor.close()


def close_publications() -> None:
    """Closes every connection: for tests and for a clean end of a process."""
    with _opened_lock:
        while _opened:
            _opened.popitem()[1].connection.close()
