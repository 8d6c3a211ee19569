"""Sealing of a batch's files: each becomes a sealed file, or is told from what need not be loaded.

Why it exists: one file, whatever is in it, must never keep the others from being loaded.
Not here: how one file is sealed (`archive.py`), what is committed (`micro_batch.py`).
"""

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestration.admission import AdmissionRules
from orchestration.archive import SealedFile, draft_sealed, keep_sealed
from orchestration.event_files import FileRefused, LandedFile
from orchestration.journal import BatchRecord, FileStatus, JournalFile, make_durable
from orchestration.originals import is_original
from orchestration.progress import Progress
from orchestration.settings import Settings
from orchestration.shortage import DiskFull, MemoryShort, shortages_named

# Content hashes → (masked name, moment) of those among them that were loaded before.
LoadedBefore = Callable[[Collection[str]], dict[str, tuple[str, datetime]]]

_GROUP_FILES: Final = 256
_GROUP_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Sealing:
    """What became of the files of a part. `leftovers` were committed before and not yet moved."""

    sealed: list[SealedFile] = field(default_factory=list)
    repeated: list[SealedFile] = field(default_factory=list)
    leftovers: list[SealedFile] = field(default_factory=list)
    refused: list[tuple[LandedFile, FileRefused]] = field(default_factory=list)
    changed: list[LandedFile] = field(default_factory=list)

    def record(self, batch_id: int, now: datetime) -> BatchRecord | None:
        """What the transaction is about to write; null when that is nothing."""
        files = (
            *(_journal_file(one, "loaded") for one in self.sealed),
            *(_journal_file(one, "repeated") for one in self.repeated),
            *(
                JournalFile(file.shown_name, "events", "refused", file.byte_count, None, why.reason)
                for file, why in self.refused
            ),
        )
        return BatchRecord(batch_id, now, files) if files else None


def seal_all(
    settings: Settings,
    files: Sequence[LandedFile],
    rules: AdmissionRules,
    loaded: LoadedBefore,
    progress: Progress,
) -> Sealing:
    """Seals files one after another; what `loaded` knows of is loaded already.

    Such a content keeps the sealed file it was loaded from: sealed again later, its events would have lost
    their daily identity. A file that can't be sealed costs the others nothing; raises only for what is wrong
    with this machine. What comes back as sealed is on disk, its name included.
    """
    found = Sealing()
    known: dict[str, tuple[str, datetime]] = {}
    number = 0
    for group in _groups(files):
        drafts: list[tuple[SealedFile, Path]] = []
        for file in group:
            number += 1
            progress.begin_file(file.byte_count)
            draft = settings.tmp / f"seal-{number:06}-{os.getpid()}.parquet"
            with _refused_alone(found, file, settings):
                drafts.append((draft_sealed(file, rules, draft), draft))
        known |= loaded({one.content_hash for one, _ in drafts} - known.keys())
        for one, draft in drafts:
            with _refused_alone(found, one.file, settings):
                _settle(one, draft, known, found, rules, settings)
            draft.unlink(missing_ok=True)
    if found.sealed:
        # Once for all files: half the time of a crowd of small ones was spent on it.
        with shortages_named("sealing", settings.archive):
            make_durable(settings.archive)
    return found


def _groups(files: Sequence[LandedFile]) -> Iterator[list[LandedFile]]:
    """Files whose contents are looked up together: one by one costs more than sealing a tiny file."""
    group: list[LandedFile] = []
    filled = 0
    for file in files:
        if group and (len(group) == _GROUP_FILES or filled + file.byte_count > _GROUP_BYTES):
            yield group
            group, filled = [], 0
        group.append(file)
        filled += file.byte_count
    if group:
        yield group


@contextlib.contextmanager
def _refused_alone(found: Sealing, file: LandedFile, settings: Settings) -> Iterator[None]:
    """Takes note of a file that can't be sealed; a lack of this machine is raised."""
    try:
        # A full disk, too little memory: of this machine, so the file is innocent and waits.
        with shortages_named(f"sealing {file.shown_name}", settings.archive):
            yield
    except FileRefused as refusal:
        if refusal.reason == "changed_while_read":
            found.changed.append(file)
        else:
            found.refused.append((file, refusal))
    except (DiskFull, MemoryShort, OSError):
        raise
    except Exception as error:  # noqa: BLE001 (one file must never keep the others from being loaded)
        found.refused.append((file, FileRefused("unexpected_error", type(error).__name__)))


def _settle(
    one: SealedFile,
    draft: Path,
    known: dict[str, tuple[str, datetime]],
    found: Sealing,
    rules: AdmissionRules,
    settings: Settings,
) -> None:
    if one.content_hash not in known:
        keep_sealed(draft, one.content_hash, rules.erased, settings.archive)
        known[one.content_hash] = (one.shown_name, rules.now)
        found.sealed.append(one)
    elif is_original(one.file, settings) or _is_leftover(one, *known[one.content_hash]):
        found.leftovers.append(one)
    else:
        found.repeated.append(one)


def _is_leftover(one: SealedFile, loaded_name: str, loaded_at: datetime) -> bool:
    """Whether this is the very file that was loaded, still here because a crash came before it was moved."""
    is_older = one.file.changed_ns / 1e9 <= loaded_at.timestamp()
    return is_older and one.shown_name == loaded_name


def _journal_file(one: SealedFile, status: FileStatus) -> JournalFile:
    return JournalFile(one.shown_name, "events", status, one.byte_count, one.content_hash)
