"""The journal of batches: what every transaction was about to write, kept beside the sealed files.

Why it exists: `engagement recover` replays it, so that a warehouse rebuilt from the archive has the same
batches, file ids and load times as the one that was lost. A record is on disk before its transaction; one
whose transaction never committed is overwritten by the next batch, which gets the same number.
Not here: the transaction itself (`raw_events.py`, `catalog.py`).
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

FileKind = Literal["events", "capsules", "content"]
FileStatus = Literal["loaded", "repeated", "refused"]


@dataclass(frozen=True, slots=True)
class JournalFile:
    """One landed file of a batch. `name` is masked; `content_hash` is null for a refused one."""

    name: str
    kind: FileKind
    status: FileStatus
    byte_count: int
    content_hash: str | None = None
    refused_reason: str | None = None


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One batch: its number, its moment (UTC) and its files in the order of their file ids."""

    batch_id: int
    loaded_at: datetime
    files: tuple[JournalFile, ...]

    def with_status(self, status: FileStatus) -> list[JournalFile]:
        """The files of one status, in order."""
        return [file for file in self.files if file.status == status]


def write_record(archive: Path, record: BatchRecord) -> None:
    """Writes a record durably, whole or not at all."""
    folder = archive / "batches"
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{record.batch_id:08d}.tmp"
    text = json.dumps(asdict(record) | {"loaded_at": record.loaded_at.isoformat()}, ensure_ascii=False)
    with draft.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / f"{record.batch_id:08d}.json")
    make_durable(folder)


def wipe_drafts(archive: Path) -> None:
    """Removes what a crash left half written, here and among the sealed files."""
    for folder in (archive, archive / "batches"):
        for pattern in (".*.tmp", "*.tmp"):
            for draft in folder.glob(pattern):
                draft.unlink(missing_ok=True)


def read_records(archive: Path, from_batch: int = 0) -> Iterator[BatchRecord]:
    """All records in the order of their batches, the older ones than `from_batch` left out."""
    for path in sorted((archive / "batches").glob("*.json")):
        if int(path.stem) < from_batch:
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        yield BatchRecord(
            found["batch_id"],
            datetime.fromisoformat(found["loaded_at"]),
            tuple(JournalFile(**file) for file in found["files"]),
        )


def make_durable(path: Path) -> None:
    """Waits until a file or the entries of a folder are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
