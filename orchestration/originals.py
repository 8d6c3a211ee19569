"""Landed files after they were read: moved aside, watched, read again when somebody wrote to them, deleted.

Why it exists: a writer that pauses for longer than the quiet time goes on writing into a file that was
loaded, or refused as cut short, and moved away; those bytes must not be lost. So the size and the
modification time of every file as it was read are on disk before it is moved, and a file that no longer
looks like that waits to be loaded again. Lines that were there before are duplicates then.
Not here: reading files (`line_reader.py`), the order of steps (`micro_batch.py`).
"""

import contextlib
import fcntl
import os
import re
import signal
import stat
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from orchestration.event_files import (
    ENDINGS,
    FileRefused,
    LandedFile,
    LandingView,
    is_own_folder,
    printable,
    reason_file,
    refuse,
    retire,
    write_reason,
)
from orchestration.masking import MASK, mask_text
from orchestration.settings import Settings

LOADED: Final = "loaded"
REFUSED: Final = "refused"
# Where the system can't say whether a file is open for writing, it is kept for this long at least.
_UNKNOWN_WRITER_SECONDS: Final = 3600
_LINES_BEFORE_SHRINKING: Final = 1000
# What `retire` puts before a name that was taken.
_PREFIX: Final = re.compile(r"^[0-9a-f]{12}-")

# Inode → size, modification and change time (ns) as it was read. The change time, which nobody can set back,
# moves with the file: it is noted afterwards, and 0 until then. No names: they may hold personal data.
Ledger = dict[int, tuple[int, int, int]]


def remember(settings: Settings, files: Sequence[LandedFile]) -> None:
    """Notes durably how files looked when they were read; comes before they are moved."""
    if files:
        with _appended_ledger(settings) as ledger:
            ledger.writelines(_note(file, 0) for file in files)
            ledger.flush()
            os.fsync(ledger.fileno())


def remember_moved(settings: Settings, moved: Sequence[tuple[LandedFile, Path | None]]) -> None:
    """Notes the change time of files where they lie now; null: it was not moved.

    A crash before this leaves size and modification time to tell by.
    """
    with _appended_ledger(settings) as ledger:
        for file, path in moved:
            with contextlib.suppress(FileNotFoundError):
                if path:
                    ledger.write(_note(file, path.stat(follow_symlinks=False).st_ctime_ns))


def _appended_ledger(settings: Settings) -> TextIO:
    ledger = _ledger_file(settings).open("a", encoding="ascii")
    # In case a crash cut the last line short.
    ledger.write("\n")
    return ledger


def _note(file: LandedFile, changed_ns: int) -> str:
    return f"{file.inode} {file.byte_count} {file.modified_ns} {changed_ns}\n"


def _is_as_read(seen: os.stat_result, was: tuple[int, int, int]) -> bool:
    byte_count, modified_ns, changed_ns = was
    is_same = (seen.st_size, seen.st_mtime_ns) == (byte_count, modified_ns)
    return is_same and changed_ns in (0, seen.st_ctime_ns)


def view_written_since(settings: Settings, now: float) -> LandingView:
    """Originals that somebody wrote to after they were read; `name` is what they landed as."""
    view = LandingView([], [], [])
    ledger = _read_ledger(settings)
    for folder, path, seen in originals(settings):
        was = ledger.get(seen.st_ino)
        if was is None or _is_as_read(seen, was) or not path.name.lower().endswith(ENDINGS):
            continue
        landed_as = path.relative_to(folder)
        landed_as = landed_as.with_name(_PREFIX.sub("", landed_as.name))
        file = LandedFile(path, str(landed_as), seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
        is_quiet = now - seen.st_ctime_ns / 1e9 >= settings.quiet_seconds
        (view.complete if is_quiet else view.growing).append(file)
    return view


def is_original(file: LandedFile, settings: Settings) -> bool:
    """Whether it was read before and somebody wrote to it since."""
    return file.path != settings.landing / file.name


def put_away(file: LandedFile, settings: Settings, content_hash: str) -> Path | None:
    """Moves a loaded, remembered file to `loaded/`; returns where it is, null when it stays.

    A file that somebody wrote to after it was read stays: its new content is loaded next time.
    """
    folder = settings.landing / LOADED
    if not file.is_unchanged():
        return None
    if file.path.is_relative_to(folder):
        return file.path
    moved = retire(file, folder, content_hash)
    if is_original(file, settings):
        reason_file(file.path).unlink(missing_ok=True)
    return moved


def put_away_refused(file: LandedFile, settings: Settings, refusal: FileRefused) -> Path:
    """Moves a refused, remembered file to `refused/` with its `.reason` beside it; returns where it is."""
    if file.path.is_relative_to(settings.landing / REFUSED):
        write_reason(file.path, refusal)
        return file.path
    return refuse(file, settings.landing, refusal)


def delete_old(settings: Settings, now: float) -> int:
    """Deletes loaded originals after their days, but none that is or was written to; returns how many."""
    ledger = _read_ledger(settings)
    deleted = 0
    for folder, path, seen in originals(settings):
        was = ledger.get(seen.st_ino)
        days_old = (now - seen.st_ctime) / 86_400
        if (
            folder.name == LOADED
            and days_old >= settings.keep_loaded_days
            and (was is None or _is_as_read(seen, was))
            and not may_be_written_to(path, now - seen.st_ctime)
        ):
            path.unlink(missing_ok=True)
            deleted += 1
    if deleted:
        _remove_empty_folders(settings.landing / LOADED)
    return deleted


def delete_before(settings: Settings, moment: datetime) -> int:
    """Deletes originals, refused ones too, that have lain there since before a moment; returns how many."""
    old = [path for _, path, seen in originals(settings) if seen.st_ctime < moment.timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
        reason_file(path).unlink(missing_ok=True)
    return len(old)


def delete_loaded(settings: Settings, names: Collection[str]) -> int:
    """Deletes loaded originals by the masked names that they landed under; returns how many.

    What is masked in a name may have been anything: one original too many is deleted rather than one too few.
    """
    deleted = 0
    landed_under = re.compile("|".join(re.escape(name).replace(re.escape(MASK), ".+") for name in names))
    for folder, path, _ in originals(settings):
        landed_as = path.relative_to(folder)
        landed_as = landed_as.with_name(_PREFIX.sub("", landed_as.name))
        if folder.name == LOADED and names and landed_under.fullmatch(mask_text(printable(str(landed_as)))):
            path.unlink(missing_ok=True)
            deleted += 1
    return deleted


def shrink_ledger(settings: Settings) -> None:
    """Forgets files that are gone, now and then; the caller holds the writer lock."""
    path = _ledger_file(settings)
    if not path.exists():
        return
    ledger = _read_ledger(settings)
    present = {seen.st_ino for _, _, seen in originals(settings)}
    with path.open("rb") as lines:
        line_count = sum(1 for _ in lines)
    if line_count > 2 * len(present) + _LINES_BEFORE_SHRINKING:
        draft = path.with_suffix(".tmp")
        kept = (
            f"{inode} {size} {modified} {changed}\n"
            for inode, (size, modified, changed) in ledger.items()
            if inode in present
        )
        with draft.open("w", encoding="ascii") as file:
            file.writelines(kept)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


def _ledger_file(settings: Settings) -> Path:
    return settings.warehouse_file.with_name("originals.txt")


def _read_ledger(settings: Settings) -> Ledger:
    """The newest note of every inode; a line that a crash cut short is none."""
    try:
        text = _ledger_file(settings).read_text(encoding="ascii")
    except FileNotFoundError:
        return {}
    found: Ledger = {}
    for line in text.split("\n")[:-1]:
        match line.split(" "):
            case [inode, size, modified_ns]:
                found[int(inode)] = (int(size), int(modified_ns), 0)
            case [inode, size, modified_ns, changed_ns]:
                found[int(inode)] = (int(size), int(modified_ns), int(changed_ns))
    return found


def originals(settings: Settings) -> Iterator[tuple[Path, Path, os.stat_result]]:
    """Regular files under `loaded/` and `refused/`: that folder, path, state. Links are not followed."""
    for name in (LOADED, REFUSED):
        folder = settings.landing / name
        waiting = [str(folder)] if is_own_folder(folder) else []
        while waiting:
            try:
                entries = list(os.scandir(waiting.pop()))
            except OSError:
                continue
            for entry in entries:
                try:
                    seen = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if stat.S_ISDIR(seen.st_mode):
                    waiting.append(entry.path)
                elif stat.S_ISREG(seen.st_mode) and not entry.name.endswith(".reason"):
                    yield folder, Path(entry.path), seen


def may_be_written_to(path: Path, age_seconds: float) -> bool:
    """Whether some process has the file open for writing: then the system grants no lease on it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return age_seconds < _UNKNOWN_WRITER_SECONDS
    try:
        # Whoever opens the file in between makes the system signal us: with one that is ignored by default.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):
        return age_seconds < _UNKNOWN_WRITER_SECONDS
    finally:
        os.close(descriptor)
    return False


def _remove_empty_folders(folder: Path) -> None:
    """Not by recursion: see `_originals`. A folder that holds something stays."""
    waiting, found = [folder], []
    while waiting:
        with contextlib.suppress(OSError):
            inner = [
                Path(entry.path) for entry in os.scandir(waiting.pop()) if entry.is_dir(follow_symlinks=False)
            ]
            found.extend(inner)
            waiting.extend(inner)
    for path in reversed(found):
        with contextlib.suppress(OSError):
            path.rmdir()
