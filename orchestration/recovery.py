"""Brings the warehouse to what the archive holds: whole, by a command, or the last batches, before a load.

Why it exists: the warehouse file can be deleted, cut short, have a damaged log or be an older copy; the
sealed files and the journal of batches hold everything that was ever committed. What is replayed is checked
before anything is touched. Not here: building the models and publishing, which the commands do afterwards
as in any load.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.archive import sealed_path
from orchestration.catalog import archived_catalogue_path, load_catalogue
from orchestration.erased_rows import note_erased
from orchestration.erasure_list import read_erasure_list
from orchestration.erasure_returns import clean_restored_archive
from orchestration.event_files import wipe_folder
from orchestration.journal import BatchRecord, JournalFile, newest_record_id, read_records, wipe_drafts
from orchestration.privacy import Keyring
from orchestration.publication import current_manifest
from orchestration.raw_events import BatchSummary, last_batch_id, last_committed_at, load_batch
from orchestration.settings import Settings
from orchestration.warehouse import WarehouseDamaged, open_warehouse, writer_lock

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
    """Replays the journal into a new file, which takes the place of the warehouse only when it is whole.

    Sets the old file aside and wipes left-over temporary files. Raises `RecoveryRefused` or `JournalDamaged`
    when a record or a sealed file is missing or damaged; then the warehouse is as it was.
    """
    with writer_lock(settings, say):
        erased = read_erasure_list(settings, Keyring(settings.secrets, datetime.now(UTC)))
        clean_restored_archive(settings, erased)
        records = _checked_records(settings, after=0)
        wipe_folder(settings.tmp)
        wipe_drafts(settings.archive)
        fresh = settings.warehouse_file.with_name("rebuilding.duckdb")
        _remove(fresh)
        with open_warehouse(settings, fresh) as connection:
            summaries = _replay(connection, settings.archive, records, say)
            note_erased(connection, erased)
            # Merges the log, so that the one file is all of it.
            connection.execute("checkpoint")
        set_aside = _set_aside(settings)
        # A crash before this line leaves no warehouse: the next load replays the journal by itself.
        fresh.replace(settings.warehouse_file)
        accepted = sum(summary.accounting.accepted for summary in summaries)
        return Recovery(len(records), sum(len(record.files) for record in records), accepted, set_aside)


def catch_up(settings: Settings, say: Say = lambda text: None) -> list[BatchSummary]:
    """Replays the batches the warehouse lacks, before a load takes the next number; returns what they wrote.

    A load that was killed before its commit leaves one; a warehouse that was deleted, restored from an older
    copy or lost its log lacks more. The caller holds the writer lock. Raises `RecoveryRefused`,
    `JournalDamaged`, and `WarehouseDamaged` when warehouse and journal are not of one history.
    """
    newest = newest_record_id(settings.archive)
    if not newest and not settings.warehouse_file.exists():
        return []
    with open_warehouse(settings) as connection:
        last = last_batch_id(connection)
        committed_at = last_committed_at(connection)
    if last > newest:
        say(
            f"The journal {settings.archive / 'batches'} ends at batch {newest}, the warehouse at {last}: "
            "the archive can't rebuild it. Restore the archive from a backup."
        )
        return []
    if last and next(read_records(settings.archive, last)).loaded_at.replace(tzinfo=None) != committed_at:
        raise WarehouseDamaged(
            f"The warehouse and the journal {settings.archive / 'batches'} hold different batches of the "
            f"number {last}: they are not of one history. `engagement recover` rebuilds the warehouse from "
            "the archive and sets the old file aside."
        )
    records = _checked_records(settings, after=last) if newest > last else []
    if not records:
        return []
    say(f"The warehouse lacks the last {len(records)} batches of the journal; replaying them first")
    with open_warehouse(settings) as connection:
        return _replay(connection, settings.archive, records, say)


def _replay(
    connection: duckdb.DuckDBPyConnection, archive: Path, records: list[BatchRecord], say: Say
) -> list[BatchSummary]:
    summaries = []
    for number, record in enumerate(records, start=1):
        if number % 50 == 1:
            say(f"Replaying batch {number} of {len(records)}")
        if _is_catalogue(record):
            load_catalogue(connection, archive, record)
        else:
            summaries.append(load_batch(connection, archive, record))
    return summaries


def _is_catalogue(record: BatchRecord) -> bool:
    return bool(record.files) and record.files[0].kind != "events"


def _checked_records(settings: Settings, after: int) -> list[BatchRecord]:
    """The records after a batch, all of them, each of whose files is in the archive and can be read."""
    records = list(read_records(settings.archive, after + 1))
    numbers = {record.batch_id for record in records}
    # What is published was committed: the only witness of records that are missing at the end.
    published = current_manifest(settings.published)
    newest = max(0, *numbers, published.batch_id if published else 0, after)
    gaps = [number for number in range(after + 1, newest + 1) if number not in numbers]
    if gaps:
        raise RecoveryRefused(
            f"The journal lacks the records of {len(gaps)} batches, first "
            f"{settings.archive / 'batches' / f'{gaps[0]:08d}.json'}. Restore it from a backup of the "
            "archive and try again; nothing was changed."
        )
    damaged = [(file, why) for record in records for file in record.files if (why := _damage(settings, file))]
    if damaged:
        file, why = damaged[0]
        raise RecoveryRefused(
            f"The archive lacks the sealed content of {len(damaged)} files, first {file.name}: {why}. "
            f"Restore {settings.archive} from a backup and try again; nothing was changed."
        )
    return records


def _damage(settings: Settings, file: JournalFile) -> str | None:
    """What is wrong with the sealed content of a file; null when it is there and can be read."""
    if file.status != "loaded" or file.content_hash is None:
        return None
    path_of = sealed_path if file.kind == "events" else archived_catalogue_path
    path = path_of(settings.archive, file.content_hash)
    try:
        if file.kind == "events":
            # Of a sealed file that is cut short or overwritten the footer, at its end, is gone.
            pq.read_metadata(path)
        else:
            orjson.loads(path.read_bytes())["rows"]
    except FileNotFoundError:
        return f"{path.name} is missing"
    except (pa.ArrowInvalid, OSError, ValueError, KeyError, TypeError):
        return f"{path.name} is damaged"
    return None


def _remove(warehouse: Path) -> None:
    for path in (warehouse, _log_of(warehouse)):
        path.unlink(missing_ok=True)


def _log_of(warehouse: Path) -> Path:
    return warehouse.with_name(f"{warehouse.name}.wal")


def _set_aside(settings: Settings) -> Path | None:
    """Moves the warehouse file and its log into a folder of their own, for whoever wants to look."""
    files = [settings.warehouse_file, _log_of(settings.warehouse_file)]
    present = [path for path in files if path.exists()]
    if not present:
        return None
    folder = settings.warehouse_file.parent / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    folder.mkdir()
    for path in present:
        path.replace(folder / path.name)
    return folder
