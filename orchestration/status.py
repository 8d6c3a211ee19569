"""The state of an installation, read from the current publication and the folders; never the warehouse.

Not here: printing (`printing.py`).
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from orchestration.erasure_requests import request_state
from orchestration.micro_batch import LandingMissing, view_pending
from orchestration.publication import MARTS_FILE, current_manifest
from orchestration.quality import last_results
from orchestration.settings import Settings

_LAST_FILES: Final = 10
_LAST_BATCHES: Final = 5


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
        "accounting": _accounting(marts) if marts else None,
        "rejected_by_reason": _rejected(marts) if marts else {},
        "last_batches": _batches(marts) if marts else [],
        "last_files": _files(marts) if marts else [],
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


def _accounting(marts: Path) -> dict[str, int]:
    names = ("received", "accepted", "duplicate", "rejected", "suppressed")
    sums = ", ".join(f"coalesce(sum({name}_count), 0)::bigint as {name}" for name in names)
    return _rows(marts, f"select {sums} from marts.ingestion_daily")[0]


def _rejected(marts: Path) -> dict[str, int]:
    rows = _rows(
        marts,
        """select reason, sum(rejected_count)::bigint as rejected_count from marts.rejected_daily
        group by all order by rejected_count desc, reason""",
    )
    return {row["reason"]: row["rejected_count"] for row in rows}


def _files(marts: Path) -> list[dict[str, Any]]:
    rows = _rows(
        marts,
        f"""select loaded_at, file_name, status, received_count, accepted_count, duplicate_count,
            rejected_count, suppressed_count
        from marts.event_files order by file_id desc limit {_LAST_FILES}""",
    )
    return [{**row, "loaded_at": f"{row['loaded_at']:%Y-%m-%dT%H:%M:%SZ}"} for row in rows]


def _batches(marts: Path) -> list[dict[str, Any]]:
    rows = _rows(
        marts,
        f"""select batch_id, max(loaded_at) as loaded_at, count(*) as file_count,
            sum(received_count)::bigint as received_count, sum(accepted_count)::bigint as accepted_count
        from marts.event_files group by batch_id order by batch_id desc limit {_LAST_BATCHES}""",
    )
    return [{**row, "loaded_at": f"{row['loaded_at']:%Y-%m-%dT%H:%M:%SZ}"} for row in rows]


def _rows(marts: Path, query: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(marts), read_only=True) as connection:
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


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
