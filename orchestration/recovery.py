"""Rebuilds the warehouse from the archive.

Why it exists: the warehouse file can be deleted, cut short or have a damaged log; the sealed files and the
journal of batches hold everything that was ever committed. Not here: building the models and publishing,
which the command does afterwards as in any load.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.archive import sealed_path
from orchestration.catalog import archived_catalogue_path, load_catalogue
from orchestration.event_files import wipe_folder
from orchestration.journal import BatchRecord, JournalFile, read_records, wipe_drafts
from orchestration.raw_events import load_batch
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock

Say = Callable[[str], None]


class RecoveryRefused(RuntimeError):
    """The archive can't give the warehouse back whole; the text names what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was replayed, and where the old warehouse file is now (null when there was none)."""

    batch_count: int
    file_count: int
    accepted_count: int
    set_aside: Path | None


def recover(settings: Settings, say: Say = lambda text: None) -> Recovery:
    """Sets the warehouse file aside and replays the journal; wipes left-over temporary files.

    Raises `RecoveryRefused` before anything is touched when a sealed file of the journal is missing.
    """
    with writer_lock(settings, say):
        records = list(read_records(settings.archive))
        missing = [file.name for record in records for file in record.files if not _is_kept(settings, file)]
        if missing:
            raise RecoveryRefused(
                f"The archive lacks the sealed content of {len(missing)} files, first {missing[0]}. Restore "
                f"{settings.archive} from a backup and try again; nothing was changed."
            )
        wipe_folder(settings.tmp)
        wipe_drafts(settings.archive)
        set_aside = _set_aside(settings)
        accepted = 0
        with open_warehouse(settings) as connection:
            for number, record in enumerate(records, start=1):
                if number % 50 == 1:
                    say(f"Replaying batch {number} of {len(records)}")
                if _is_catalogue(record):
                    load_catalogue(connection, settings.archive, record)
                else:
                    accepted += load_batch(connection, settings.archive, record).accounting.accepted
        return Recovery(len(records), sum(len(record.files) for record in records), accepted, set_aside)


def _is_catalogue(record: BatchRecord) -> bool:
    return bool(record.files) and record.files[0].kind != "events"


def _is_kept(settings: Settings, file: JournalFile) -> bool:
    if file.status != "loaded" or file.content_hash is None:
        return True
    path_of = sealed_path if file.kind == "events" else archived_catalogue_path
    return path_of(settings.archive, file.content_hash).exists()


def _set_aside(settings: Settings) -> Path | None:
    """Moves the warehouse file and its log into a folder of their own, for whoever wants to look."""
    files = [settings.warehouse_file, settings.warehouse_file.with_name("warehouse.duckdb.wal")]
    present = [path for path in files if path.exists()]
    if not present:
        return None
    folder = settings.warehouse_file.parent / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    folder.mkdir()
    for path in present:
        path.replace(folder / path.name)
    return folder
