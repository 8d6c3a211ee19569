"""Sealed files of a load that broke off before its record was written: no batch will ever name them.

Why it exists: when their landed files come again they are sealed anew over them, but a landed file may be
taken back or changed by its sender, and then its reduced events would lie in the archive for ever.
Not here: records that were written and not committed (`recovery.py` commits them), drafts (`journal.py`).
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestration.journal import JournalDamaged, make_durable, read_records
from orchestration.raw_events import last_batch_id, listed_content
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

Say = Callable[[str], None]


@contextlib.contextmanager
def sealing_noted(archive: Path) -> Iterator[None]:
    """Leaves a mark in the archive until what is sealed inside stands in a record; an error leaves it there.

    The caller holds the writer lock and writes the record inside.
    """
    mark = _mark_of(archive)
    archive.mkdir(parents=True, exist_ok=True)
    # An older one stands for files of an earlier load, and its time is the earliest that these can have.
    is_older = mark.exists()
    if not is_older:
        mark.touch()
    yield
    if not is_older:
        mark.unlink()


def remove_unfinished(settings: Settings, say: Say = lambda text: None) -> int:
    """Removes sealed files that a broken-off load left and no batch names; returns how many.

    The caller holds the writer lock and has committed what the journal holds, so no transaction is under
    way. Nothing is removed without a mark, from before the mark, or while the journal has gaps or is not of
    one length with the warehouse: then a file without a record may be one whose record was lost.
    """
    mark = _mark_of(settings.archive)
    if not mark.exists():
        return 0
    try:
        records = list(read_records(settings.archive))
    except JournalDamaged:
        return 0
    with open_warehouse(settings) as connection:
        last, named = last_batch_id(connection), listed_content(connection)
    if [record.batch_id for record in records] != list(range(1, last + 1)):
        return 0
    named |= {file.content_hash for record in records for file in record.files if file.content_hash}
    marked_at = mark.stat().st_mtime_ns
    unfinished = [
        path
        for path in settings.archive.glob("*.parquet")
        if path.stem not in named and path.stat().st_mtime_ns >= marked_at
    ]
    for path in unfinished:
        path.unlink()
    make_durable(settings.archive)
    mark.unlink()
    if unfinished:
        say(f"Removed {len(unfinished):,} sealed files of a load that broke off before its record")
    return len(unfinished)


def _mark_of(archive: Path) -> Path:
    # Made before the files it stands for, in their folder: a file system that has their names has this one.
    return archive / "sealing"
