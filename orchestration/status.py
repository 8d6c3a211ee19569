"""The state of an installation, read from the current publication and the folders; never the warehouse.

Not here: printing (`printing.py`), the queries about lines (`line_accounting.py`).
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from orchestration.erasure_requests import request_state
from orchestration.line_accounting import (
    line_totals,
    lines_by_day,
    newest_files,
    rejected_by_reason,
    unaccounted,
)
from orchestration.micro_batch import LandingMissing, view_pending
from orchestration.publication import MARTS_FILE, current_manifest
from orchestration.quality import last_results
from orchestration.settings import Settings

# As JSON; the text shows some of them. Older ones are in marts.event_files.
_LAST_FILES: Final = 1000
_LAST_BATCHES: Final = 5
_NOTHING_LOADED: Final[dict[str, Any]] = {
    "accounting": None,
    "accounting_by_day": [],
    "unaccounted": {"days": [], "file_ids": []},
    "rejected_by_reason": {},
    "last_batches": [],
    "last_files": [],
}


def state_of(settings: Settings, now: datetime) -> dict[str, Any]:
    """What `engagement status` shows. Ages in seconds, sizes in bytes, instants UTC."""
    manifest = current_manifest(settings.published)
    marts = settings.published / manifest.id / MARTS_FILE if manifest else None
    publication = None
    if manifest:
        published_at = datetime.fromisoformat(manifest.published_at)
        publication = {
            "id": manifest.id,
            "published_at": manifest.published_at,
            "as_of": manifest.as_of,
            "age_seconds": round((now.astimezone(UTC) - published_at).total_seconds(), 1),
            "accepted_count": manifest.accepted_count,
        }
    return {
        "publication": publication,
        "landing": _landing(settings),
        **_lines(marts),
        "quality": _quality(settings),
        "erasures": request_state(settings, now),
        "disk_bytes": {
            folder.name: _folder_bytes(folder)
            for folder in (settings.landing, settings.archive, settings.warehouse_file.parent,
                           settings.published)
        },
    }  # fmt: skip


def _quality(settings: Settings) -> dict[str, Any] | None:
    """The last run of the quality suite: counts and what does not hold; null before the first."""
    results = last_results(settings)
    if results is None:
        return None
    judged = [check for check in results["checks"] if check["passed"] is not None]
    return {
        "checked_at": results["checked_at"],
        "first_batch": results["first_batch"],
        "last_batch": results["last_batch"],
        "looked_at": results["looked_at"],
        "judged_count": len(judged),
        "failed": [check for check in judged if not check["passed"]],
        "data_docs": str(settings.quality / "data_docs" / "index.html"),
    }


def _landing(settings: Settings) -> dict[str, Any]:
    refused = settings.landing / "refused"
    count = sum(entry.name.endswith(".reason") for entry in _files_below(refused))
    try:
        view = view_pending(settings)
    except LandingMissing:
        return {"folder": str(settings.landing), "exists": False, "pending": 0, "growing": 0, "refused": 0}
    return {
        "folder": str(settings.landing),
        "exists": True,
        "pending": len(view.complete),
        "growing": len(view.growing),
        "refused": count,
    }


def _lines(marts: Path | None) -> dict[str, Any]:
    """What the current publication says of loaded lines."""
    if marts is None:
        return _NOTHING_LOADED
    with duckdb.connect(str(marts), read_only=True) as connection:
        return {
            "accounting": line_totals(connection),
            "accounting_by_day": lines_by_day(connection),
            "unaccounted": unaccounted(connection),
            "rejected_by_reason": rejected_by_reason(connection),
            "last_batches": _batches(connection),
            "last_files": newest_files(connection, _LAST_FILES),
        }


def _batches(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"""select batch_id, max(loaded_at), count(*), sum(received_count)::bigint,
            sum(accepted_count)::bigint
        from marts.event_files group by batch_id order by batch_id desc limit {_LAST_BATCHES}"""
    ).fetchall()
    return [
        {
            "batch_id": batch_id,
            "loaded_at": f"{loaded_at:%Y-%m-%dT%H:%M:%SZ}",
            "file_count": file_count,
            "received_count": received_count,
            "accepted_count": accepted_count,
        }
        for batch_id, loaded_at, file_count, received_count, accepted_count in rows
    ]


def _folder_bytes(folder: Path) -> int:
    return sum(entry.stat(follow_symlinks=False).st_size for entry in _files_below(folder))


def _files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Regular files; not by recursion, since strangers may nest folders deeper than Python's stack."""
    waiting = [str(folder)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry
