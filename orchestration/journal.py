"""The journal of batches: what every transaction was about to write, kept beside the sealed files.

Why it exists: `engagement recover` replays it, so that a warehouse rebuilt from the archive has the same
batches, file ids and load times as the one that was lost. A record is on disk before its transaction and is
never replaced; one whose transaction never committed is committed by the next load, before anything else.
Not here: the transaction itself (`raw_events.py`, `catalog.py`), what is replayed when (`recovery.py`).
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


class JournalDamaged(RuntimeError):
    """A record can't be read, or its number is taken; the text names the file and what to do."""


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
    """Writes a record durably, whole or not at all, and never over another one.

    Raises `JournalDamaged` when the number has a record of other content.
    """
    folder = archive / "batches"
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{record.batch_id:08d}.tmp"
    text = json.dumps(asdict(record) | {"loaded_at": record.loaded_at.isoformat()}, ensure_ascii=False)
    with draft.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    target = folder / f"{record.batch_id:08d}.json"
    try:
        # A hard link fails when the name is taken; a rename would replace what is there.
        target.hardlink_to(draft)
    except FileExistsError:
        if target.read_text(encoding="utf-8") != text + "\n":
            raise JournalDamaged(
                f"The record {target} exists with another content, so nothing was committed. "
                "`engagement recover` rebuilds the warehouse from all records; then load again."
            ) from None
    finally:
        draft.unlink()
    make_durable(folder)


def wipe_drafts(archive: Path) -> None:
    """Removes what a crash left half written, here and among the sealed files."""
    for folder in (archive, archive / "batches"):
        for pattern in (".*.tmp", "*.tmp"):
            for draft in folder.glob(pattern):
                draft.unlink(missing_ok=True)


def newest_record_id(archive: Path) -> int:
    """The number of the newest record, 0 before the first."""
    return max((int(path.stem) for path in (archive / "batches").glob("*.json")), default=0)


def read_records(archive: Path, from_batch: int = 0) -> Iterator[BatchRecord]:
    """All records in the order of their batches, the older ones than `from_batch` left out.

    Raises `JournalDamaged` for one that can't be read.
    """
    for path in sorted((archive / "batches").glob("*.json")):
        if int(path.stem) >= from_batch:
            yield _read_record(path)


def _read_record(path: Path) -> BatchRecord:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        record = BatchRecord(
            found["batch_id"],
            datetime.fromisoformat(found["loaded_at"]),
            tuple(JournalFile(**file) for file in found["files"]),
        )
        is_whole = record.batch_id == int(path.stem)
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise JournalDamaged(
            f"The record {path} is damaged. Restore it from a backup of the archive and try again; nothing "
            "was changed."
        )
    return record


def make_durable(path: Path) -> None:
    """Waits until a file or the entries of a folder are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(draft: Path, target: Path) -> None:
    """A whole draft takes the place of a file: its bytes are on disk before its name is, and then that."""
    make_durable(draft)
    draft.replace(target)
    make_durable(target.parent)
