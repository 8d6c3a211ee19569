"""Opens publications: the only way from the dashboard and the command line to the marts.

Why it exists: a publication is immutable and read by many threads, and a query must not be able to
leave it. Every connection is read-only, has no access to files or the network, and cannot be
reconfigured; every query gets a cursor of its own, because one connection shared by threads
returns other threads' rows (measured: 421 of 1,800 queries).
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

DATABASE_NAME: Final = "publication.duckdb"
MANIFEST_NAME: Final = "manifest.json"
CURRENT_NAME: Final = "CURRENT"

# The current publication and the one before it, which a query of another thread may still read.
OPEN_PUBLICATIONS_LIMIT: Final = 2

# Attached under a name of our own: DuckDB names a catalogue after its file, and calls one that has
# the name of its schema (`marts`) ambiguous.
CATALOG: Final = "publication"
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
    """What the manifest of one publication says. Instants are aware and UTC.

    `first_event_date` and `last_event_date` are days of `timezone`; `tables` are row counts.
    """

    id: str
    folder: Path
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


def read_publication(folder: Path) -> Publication:
    """The publication in `folder`; PublicationMissing when its manifest or database is unreadable."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        published_at = _instant(manifest["published_at"])
        assert published_at is not None
        publication = Publication(
            id=manifest["id"],
            folder=folder,
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


def current_publication(published: Path) -> Publication:
    """The publication that `CURRENT` names; PublicationMissing, in plain words, when there is none."""
    for _ in range(3):
        name = current_publication_id(published)
        if name is None:
            break
        if (published / name).is_dir():
            return read_publication(published / name)
        # The pointer moved and the old folder went away between the two looks: look again.
    raise PublicationMissing(
        "Nothing has been published yet. Drop event files into the landing folder and run "
        "`engagement load`, or start everything with `engagement up`."
    )


_connections: dict[Path, duckdb.DuckDBPyConnection] = {}
_connections_lock = threading.Lock()


def _connect(publication: Publication) -> duckdb.DuckDBPyConnection:
    """A hardened connection with the publication attached, read-only, as `publication`."""
    connection = duckdb.connect()
    quoted = str(publication.database).replace("'", "''")
    try:
        connection.execute(f"attach '{quoted}' as {CATALOG} (read_only)")
        for statement in HARDENING:
            connection.execute(statement)
    except duckdb.Error as error:
        connection.close()
        raise PublicationMissing(
            f"The publication {publication.id} could not be opened. It may have just been "
            "replaced: try again. If it stays so, run `engagement rebuild`."
        ) from error
    return connection


def _connection(publication: Publication) -> duckdb.DuckDBPyConnection:
    """The one connection of a publication; those of publications older than the last two close."""
    connection = _connections.pop(publication.folder, None) or _connect(publication)
    _connections[publication.folder] = connection
    while len(_connections) > OPEN_PUBLICATIONS_LIMIT:
        _connections.pop(next(iter(_connections))).close()
    return connection


@contextmanager
def open_cursor(publication: Publication) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor of its own for one query or a few; closed at the end."""
    with _connections_lock:
        cursor = _connection(publication).cursor()
    try:
        # Of the cursor, not of the connection: `marts.fct_sessions` is then enough.
        cursor.execute(f"use {CATALOG}")
        yield cursor
    finally:
        cursor.close()


def close_publications() -> None:
    """Closes every connection: for tests and for a clean end of a process."""
    with _connections_lock:
        while _connections:
            _connections.popitem()[1].close()
