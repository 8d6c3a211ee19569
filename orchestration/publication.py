"""Publications: complete, tested states of the marts that readers open.

Why it exists: readers never touch the warehouse file. A publication is a new folder with new files; the
pointer `CURRENT` is replaced atomically, so a reader sees the old state or the new one, never a half.
Not here: how readers open it (`app/publications.py`), what its file holds (`publication_file.py`), whether it
may be published (the checks before it).
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from orchestration.kept_figures import closed_before
from orchestration.publication_file import MARTS_FILE, remember_publication, write_marts
from orchestration.raw_events import last_batch_id
from orchestration.settings import Settings
from orchestration.shortage import shortages_named

# A reader that opened a publication goes on reading it; one more is kept for those who are just opening.
KEPT_PUBLICATIONS: Final = 2


@dataclass(frozen=True, slots=True)
class PublicationManifest:
    """What a publication says of itself, in `manifest.json`. Instants are ISO 8601 with Z.

    `tables`: rows by mart. `anew_because`: why nothing was taken over from the publication before; null when
    it was.
    """

    id: str
    published_at: str
    as_of: str | None
    timezone: str
    first_event_date: str | None
    last_event_date: str | None
    batch_id: int
    accepted_count: int
    tables: dict[str, int]
    anew_because: str | None = None


def publish(
    connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime, *, anew: bool = False
) -> PublicationManifest:
    """Puts schema `marts` (and the reference tables a reader shows names from) into a new publication.

    `now`: UTC. `anew`: nothing is taken over from the publication before, so no byte of a deleted row is. The
    caller holds the writer lock and has seen every blocking check pass.
    """
    batch_id = last_batch_id(connection)
    publication_id = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{batch_id}"
    draft = settings.published / f".{publication_id}.tmp"
    _wipe_drafts(settings.published)
    try:
        with shortages_named("the publication", settings.published):
            draft.mkdir(parents=True)
            written = write_marts(
                connection, settings.archive, settings.published, draft / MARTS_FILE, anew=anew
            )
            manifest = _manifest(
                connection,
                publication_id,
                settings.timezone,
                now,
                batch_id,
                written.tables,
                closed_before(settings.archive),
                written.anew_because,
            )
            _write_durably(draft / "manifest.json", json.dumps(asdict(manifest), indent=2) + "\n")
            draft.replace(settings.published / publication_id)
            pointer = settings.published / ".CURRENT.tmp"
            _write_durably(pointer, f"{publication_id}\n")
            pointer.replace(settings.published / "CURRENT")
    except BaseException:
        # A full disk should not stay full of what nobody will read.
        _wipe_drafts(settings.published)
        raise
    remember_publication(connection, publication_id, settings.archive, written.whole_bytes, now)
    remove_unused(settings.published, publication_id)
    return manifest


def current_manifest(published: Path) -> PublicationManifest | None:
    """The manifest of the current publication; null before the first."""
    try:
        publication_id = (published / "CURRENT").read_text(encoding="utf-8").strip()
        content = json.loads((published / publication_id / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return PublicationManifest(**content)


def remove_unused(published: Path, current_id: str) -> None:
    """Deletes all but the newest publications, and drafts a crash left behind."""
    folders = sorted(path for path in published.iterdir() if path.is_dir())
    complete = [path for path in folders if not path.name.startswith(".")]
    kept = {current_id, *(path.name for path in complete[-KEPT_PUBLICATIONS:])}
    for path in folders:
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def remove_all_but_current(published: Path) -> int:
    """Deletes every publication but the current one, for older ones hold what is gone; returns how many."""
    current = (published / "CURRENT").read_text(encoding="utf-8").strip()
    others = [path for path in published.iterdir() if path.is_dir() and path.name != current]
    for path in others:
        shutil.rmtree(path, ignore_errors=True)
    return len(others)


def _wipe_drafts(published: Path) -> None:
    for draft in published.glob(".*.tmp"):
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)


def _manifest(
    connection: duckdb.DuckDBPyConnection,
    publication_id: str,
    timezone: str,
    now: datetime,
    batch_id: int,
    tables: dict[str, int],
    first_kept: date | None,
    anew_because: str | None,
) -> PublicationManifest:
    row = connection.execute("select max(occurred_at), count(*) from raw.events").fetchone()
    newest, accepted_count = row if row else (None, 0)
    days = connection.execute(
        """select min(activity_date), max(activity_date) from marts.session_activity_hourly
        where activity_date >= ?""",
        [first_kept or date.min],
    ).fetchone()
    return PublicationManifest(
        id=publication_id,
        published_at=instant_text(now),
        as_of=instant_text(newest.replace(tzinfo=UTC)) if newest else None,
        timezone=timezone,
        first_event_date=_day_text(days[0]) if days else None,
        last_event_date=_day_text(days[1]) if days else None,
        batch_id=batch_id,
        accepted_count=accepted_count,
        tables=tables,
        anew_because=anew_because,
    )


def instant_text(instant: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and Z."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _day_text(day: Any) -> str | None:
    return None if day is None else str(day)


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
