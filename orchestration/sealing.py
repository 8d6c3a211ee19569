"""Sealing of a batch's files: each becomes a sealed file, or is told from what need not be loaded.

Why it exists: one file, whatever is in it, must never keep the others from being loaded.
Not here: how one file is sealed (`archive.py`), what is committed (`micro_batch.py`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestration.admission import AdmissionRules
from orchestration.archive import SealedFile, seal
from orchestration.event_files import FileRefused, LandedFile
from orchestration.journal import BatchRecord, FileStatus, JournalFile, make_durable
from orchestration.originals import is_original
from orchestration.settings import Settings
from orchestration.shortage import DiskFull, MemoryShort, shortages_named

Say = Callable[[str], None]


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
    known: dict[str, tuple[str, datetime]],
    say: Say,
) -> Sealing:
    """Seals files one after another; `known`: content hash → (masked name, moment) of what is loaded.

    A file that can't be sealed costs the others nothing; raises only for what is wrong with this machine.
    What comes back as sealed is on disk, its name included.
    """
    found = Sealing()
    progress = _Progress(say)
    for number, file in enumerate(files, start=1):
        progress.say(f"Sealing file {number} of {len(files)}")
        try:
            # A full disk, too little memory: of this machine, so the file is innocent and waits.
            with shortages_named(f"sealing {file.shown_name}", settings.archive):
                one = seal(file, rules, settings.archive, settings.tmp, known)
        except FileRefused as refusal:
            if refusal.reason == "changed_while_read":
                found.changed.append(file)
            else:
                found.refused.append((file, refusal))
            continue
        except (DiskFull, MemoryShort, OSError):
            raise
        except Exception as error:  # noqa: BLE001 (one file must never keep the others from being loaded)
            found.refused.append((file, FileRefused("unexpected_error", type(error).__name__)))
            continue
        if one.content_hash not in known:
            known[one.content_hash] = (file.shown_name, rules.now)
            found.sealed.append(one)
        elif is_original(file, settings) or _is_leftover(one, *known[one.content_hash]):
            found.leftovers.append(one)
        else:
            found.repeated.append(one)
    if found.sealed:
        # Once for all files: half the time of a crowd of small ones was spent on it.
        with shortages_named("sealing", settings.archive):
            make_durable(settings.archive)
    return found


def _is_leftover(one: SealedFile, loaded_name: str, loaded_at: datetime) -> bool:
    """Whether this is the very file that was loaded, still here because a crash came before it was moved."""
    is_older = one.file.changed_ns / 1e9 <= loaded_at.timestamp()
    return is_older and one.file.shown_name == loaded_name


def _journal_file(one: SealedFile, status: FileStatus) -> JournalFile:
    return JournalFile(one.file.shown_name, "events", status, one.byte_count, one.content_hash)


class _Progress:
    """Says the first thing at once and then one every two seconds, not a line a file."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._silent_until = 0.0

    def say(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + 2
            self._say(text)
