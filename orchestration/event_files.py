"""Landed files: find and retire them.

Why it exists: the landing folder belongs to others. Only regular, complete files with a known ending are
taken, and moved only after their events are committed. Pure of Dagster and DuckDB; a landed name never
becomes SQL or a pattern.
Not here: reading (`line_reader.py`), what a line means (`admission.py`), what is loaded already
(`raw_events.py`).
"""

import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from orchestration.masking import mask_text

RefusalReason = Literal[
    "no_json",
    "damaged_compression",
    "damaged_parquet",
    "too_large",
    "too_many_lines",
    "unread_requests",
    "changed_while_read",
    "not_a_regular_file",
    "unreadable",
    "unexpected_error",
]
REFUSAL_REASONS: Final[tuple[str, ...]] = get_args(RefusalReason)
REFUSAL_SENTENCES: Final[dict[RefusalReason, str]] = {
    "no_json": "no line of it is JSON; event files hold one JSON object a line",
    "damaged_compression": "its compressed data is cut short or damaged; write it again and land it anew",
    "damaged_parquet": "it is no readable Parquet file; write it again and land it anew",
    "too_large": "it holds more bytes than one file may after decompression; split it",
    "too_many_lines": "it holds more lines than one file may; split it",
    "unread_requests": "these lines of it do not say who wants what; mend them and land them there again",
    "changed_while_read": "it changed while it was read; it stays where it is and is tried again",
    "not_a_regular_file": "it is a link, a pipe or a device; land a regular file",
    "unreadable": "the system refused to read it; check its permissions",
    "unexpected_error": "it made the load fail in a way nobody foresaw; please report it, and keep the file",
}

PLAIN_ENDINGS: Final = (".ndjson", ".jsonl", ".json", ".parquet")
ENDINGS: Final = tuple(plain + packed for plain in PLAIN_ENDINGS for packed in ("", ".gz", ".zst"))
OWN_FOLDERS: Final = frozenset({"loaded", "refused", "catalog", "requests", "opt-outs"})
UNFINISHED_ENDINGS: Final = (".tmp", ".part")

# Names up to 255 bytes are what file systems take; `.reason` and a prefix must fit in.
_MAX_NAME_BYTES: Final = 230
# A path has 4,095 bytes at most; deeper files lie beside the others once they are moved.
_MAX_FOLDER_BYTES: Final = 1500


class FileRefused(Exception):
    """A file that is not loaded: a reason of `RefusalReason`."""

    def __init__(self, reason: RefusalReason, detail: str = "") -> None:
        super().__init__(REFUSAL_SENTENCES[reason] + (f" ({detail})" if detail else ""))
        self.reason: RefusalReason = reason


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A file as it was seen: `name` is its path inside the landing folder."""

    path: Path
    name: str
    byte_count: int
    modified_ns: int
    changed_ns: int
    inode: int

    @property
    def shown_name(self) -> str:
        """The name for people and for the manifest: masked, without bytes or signs a text can't hold."""
        return mask_text(printable(self.name))

    def is_unchanged(self) -> bool:
        """Whether the path still names the same bytes; the change time tells what `cp -p` sets back."""
        try:
            now = self.path.stat(follow_symlinks=False)
        except OSError:
            return False
        return self.is_state(now)

    def is_state(self, now: os.stat_result) -> bool:
        """Whether a file that looks like this is the one that was seen, as it was seen."""
        then = (self.inode, self.byte_count, self.modified_ns, self.changed_ns)
        return (now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns) == then


def printable(name: str) -> str:
    """A file name as one line of valid text: a byte that is no UTF-8, a line end … become escapes."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def shown_path(path: Path, folder: Path) -> str:
    """A path inside a folder, for people."""
    return mask_text(printable(str(path.relative_to(folder))))


@dataclass(frozen=True, slots=True)
class LandingView:
    """`complete`: to be loaded now; `growing`: still written to; `ignored`: no event file by its name."""

    complete: list[LandedFile]
    growing: list[LandedFile]
    ignored: list[str]


def view_landing(landing: Path, quiet_seconds: float, now: float, *, subfolder: str = "") -> LandingView:
    """Looks through the landing folder (or its `catalog/`), sub-folders included, links never followed.

    A file is complete when it did not change for `quiet_seconds` before `now` (seconds of the epoch). What
    the system refuses to show is named among the ignored, with its reason.
    """
    view = LandingView([], [], [])
    root = landing / subfolder
    # Not by recursion: folders may be nested deeper than Python's stack.
    waiting = [root] if is_own_folder(root) or root == landing else []
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            continue
        except OSError as error:
            view.ignored.append(_ignored(folder, landing, error))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if folder != landing or entry.name not in OWN_FOLDERS:
                    waiting.append(Path(entry.path))
                continue
            _look_at(entry, landing, view, quiet_seconds, now)
    view.complete.sort(key=lambda file: (file.modified_ns, file.name))
    return view


def _look_at(
    entry: os.DirEntry[str], landing: Path, view: LandingView, quiet_seconds: float, now: float
) -> None:
    path = Path(entry.path)
    lower = entry.name.lower()
    if lower.endswith(UNFINISHED_ENDINGS):
        return
    if not lower.endswith(ENDINGS) or not entry.is_file(follow_symlinks=False):
        view.ignored.append(_ignored(path, landing))
        return
    try:
        seen = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        view.ignored.append(_ignored(path, landing, error))
        return
    name = str(path.relative_to(landing))
    file = LandedFile(path, name, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
    # The change time moves with every write and cannot be set back, as `cp -p` does with the other.
    quiet_since = seen.st_ctime_ns / 1e9
    (view.complete if now - quiet_since >= quiet_seconds else view.growing).append(file)


def _ignored(path: Path, landing: Path, error: OSError | None = None) -> str:
    name = shown_path(path, landing)
    if len(name) > _MAX_NAME_BYTES:
        name = f"{name[: _MAX_NAME_BYTES // 2]}…{name[-_MAX_NAME_BYTES // 2 :]}"
    return f"{name} ({error.strerror})" if error else name


def is_own_folder(folder: Path) -> bool:
    """Whether it is a folder and no link to one."""
    return folder.is_dir() and not folder.is_symlink()


def retire(file: LandedFile, folder: Path, content_hash: str) -> Path:
    """Moves a file into `folder` under a name that is free, whatever is in the way; returns where it is now.

    Never overwrites, never goes through a link.
    """
    for target in _names_for(file, folder, content_hash):
        try:
            if _has_way(folder, target.parent) and not _is_taken(target):
                file.path.replace(target)
                return target
        except OSError as error:
            if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
                raise
    raise AssertionError("names never end")


def _names_for(file: LandedFile, folder: Path, content_hash: str) -> Iterator[Path]:
    """As it landed; with a part of the hash; then that beside all others, with a number if need be."""
    target = folder / file.name
    # The end of the name holds its ending; bytes are cut, so that no file system says no.
    is_long = len(os.fsencode(target.name)) > _MAX_NAME_BYTES
    short = os.fsdecode(os.fsencode(target.name)[-_MAX_NAME_BYTES // 2 :]) if is_long else target.name
    prefixed = f"{content_hash[:12]}-{short}"
    if len(os.fsencode(str(target.parent))) <= _MAX_FOLDER_BYTES:
        yield target.with_name(short)
        yield target.with_name(prefixed)
    yield folder / prefixed
    for number in itertools.count(2):
        yield folder / f"{content_hash[:12]}-{number}-{short}"


def _has_way(folder: Path, inner: Path) -> bool:
    """Makes the folders down to `inner`; false when a file or a link is in the way."""
    folder.mkdir(exist_ok=True)
    for part in inner.relative_to(folder).parts:
        folder = folder / part
        if os.path.lexists(folder) and not is_own_folder(folder):
            return False
        folder.mkdir(exist_ok=True)
    return True


def _is_taken(target: Path) -> bool:
    return os.path.lexists(target) or os.path.lexists(reason_file(target))


def refuse(file: LandedFile, landing: Path, refusal: FileRefused) -> Path:
    """Moves a file to `refused/` with a `.reason` beside it that says why and what to do."""
    target = retire(file, landing / "refused", f"{file.inode:012x}")
    write_reason(target, refusal)
    return target


def reason_file(path: Path) -> Path:
    """Where it is said why a file was refused."""
    return path.with_name(f"{path.name}.reason")


def write_reason(path: Path, refusal: FileRefused) -> None:
    """Says beside a refused file why; a link in its place is removed, not followed."""
    reason = reason_file(path)
    reason.unlink(missing_ok=True)
    with reason.open("x", encoding="utf-8") as text:
        text.write(f"{refusal.reason}: {refusal}\n")


def wipe_folder(folder: Path) -> None:
    """Empties a folder of temporary files, which may hold plain text of an interrupted run."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
