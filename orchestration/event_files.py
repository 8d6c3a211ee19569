"""Landed files: find, open, read to the end, and retire them.

Why it exists: the landing folder belongs to others. Only regular, complete files with a known ending are
read, opened without following links, hashed while they are read, and moved only after their events are
committed. Pure of Dagster and DuckDB; a landed name never becomes SQL or a pattern.
Not here: what a line means (`admission.py`), what is loaded already (`raw_events.py`).
"""

import contextlib
import gzip
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal, get_args

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from orchestration.admission import MAX_LINE_BYTES
from orchestration.privacy import mask_text

RefusalReason = Literal[
    "no_json",
    "damaged_compression",
    "damaged_parquet",
    "too_large",
    "too_many_lines",
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
    "changed_while_read": "it changed while it was read; it stays where it is and is tried again",
    "not_a_regular_file": "it is a link, a pipe or a device; land a regular file",
    "unreadable": "the system refused to read it; check its permissions",
    "unexpected_error": "it made the load fail in a way nobody foresaw; please report it, and keep the file",
}

PLAIN_ENDINGS: Final = (".ndjson", ".jsonl", ".json", ".parquet")
ENDINGS: Final = tuple(plain + packed for plain in PLAIN_ENDINGS for packed in ("", ".gz", ".zst"))
OWN_FOLDERS: Final = frozenset({"loaded", "refused", "catalog"})
UNFINISHED_ENDINGS: Final = (".tmp", ".part")

MAX_FILE_BYTES: Final = 64 << 30
MAX_FILE_LINES: Final = 500_000_000
# A JSON array or pretty-printed objects are parsed whole, so their size is bounded.
MAX_DOCUMENT_BYTES: Final = 256 << 20
_BLOCK_BYTES: Final = 4 << 20
# Names up to 255 bytes are what file systems take; `.reason` and a prefix must fit in.
_MAX_NAME_BYTES: Final = 230
_OBJECT_START: Final = re.compile(rb"^[ \t\xef\xbb\xbf]*\{[ \t\r]*(?:\"|\}|$)", re.MULTILINE)


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
        """Whether the path still names the same bytes."""
        try:
            now = self.path.stat(follow_symlinks=False)
        except OSError:
            return False
        return (now.st_ino, now.st_size, now.st_mtime_ns) == (self.inode, self.byte_count, self.modified_ns)


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

    A file is complete when it did not change for `quiet_seconds` before `now` (seconds of the epoch).
    """
    view = LandingView([], [], [])
    _look_into(landing, landing / subfolder if subfolder else landing, view, quiet_seconds, now)
    view.complete.sort(key=lambda file: (file.modified_ns, file.name))
    return view


def _look_into(landing: Path, folder: Path, view: LandingView, quiet_seconds: float, now: float) -> None:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if folder != landing or entry.name not in OWN_FOLDERS:
                _look_into(landing, Path(entry.path), view, quiet_seconds, now)
            continue
        name = str(Path(entry.path).relative_to(landing))
        lower = entry.name.lower()
        if lower.endswith(UNFINISHED_ENDINGS):
            continue
        if not lower.endswith(ENDINGS) or not entry.is_file(follow_symlinks=False):
            view.ignored.append(printable(name))
            continue
        try:
            seen = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        file = LandedFile(
            Path(entry.path), name, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino
        )
        # The change time moves with every write and cannot be set back, as `cp -p` does with the other.
        quiet_since = seen.st_ctime_ns / 1e9
        (view.complete if now - quiet_since >= quiet_seconds else view.growing).append(file)


class LineReader:
    """Reads one landed file to its end: `for number, line in reader`, then `content_hash`, `byte_count`.

    Lines come without their end, blank ones are left out, numbers begin at 1. A JSON array or
    pretty-printed objects give one "line" an element. Raises `FileRefused`; only when the loop has ended
    without it is the file known to be whole.
    """

    def __init__(self, file: LandedFile) -> None:
        self.file = file
        self.content_hash = ""
        self.byte_count = 0
        self._digest = hashlib.sha256()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        with open_regular(self.file.path) as landed:
            try:
                yield from self._numbered_lines(landed)
            except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
                raise FileRefused("damaged_compression") from error
            except (pa.ArrowException, pa.ArrowInvalid) as error:
                raise FileRefused("damaged_parquet") from error
            now = os.fstat(landed.fileno())
            if (now.st_size, now.st_mtime_ns) != (self.file.byte_count, self.file.modified_ns):
                raise FileRefused("changed_while_read")
        self.content_hash = self._digest.hexdigest()

    def _numbered_lines(self, landed: IO[bytes]) -> Iterator[tuple[int, bytes]]:
        plain = _decompressed(landed)
        first = plain.read(_BLOCK_BYTES)
        if first[:4] == b"PAR1":
            yield from self._parquet_rows(first, plain)
            return
        blocks = self._hashed(first, plain)
        opening = first.removeprefix(b"\xef\xbb\xbf").lstrip()
        if opening[:1] == b"[" or _is_pretty_printed(opening):
            yield from self._document_elements(blocks)
            return
        if opening and not _has_json_line(opening):
            raise FileRefused("no_json")
        yield from _split_lines(blocks)

    def _hashed(self, first: bytes, plain: IO[bytes]) -> Iterator[bytes]:
        block = first
        while block:
            self.byte_count += len(block)
            if self.byte_count > MAX_FILE_BYTES:
                raise FileRefused("too_large")
            self._digest.update(block)
            yield block
            block = plain.read(_BLOCK_BYTES)

    def _document_elements(self, blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
        content = bytearray()
        for block in blocks:
            content += block
            if len(content) > MAX_DOCUMENT_BYTES:
                if content.lstrip()[:1] == b"[":
                    raise FileRefused("too_large")
                # A torn first line looked like a pretty-printed object: these are lines after all.
                yield from _split_lines(itertools.chain([bytes(content)], blocks))
                return
        text = bytes(content).removeprefix(b"\xef\xbb\xbf")
        elements = _elements(text)
        if elements is None:
            yield from _split_lines(iter([text]))
            return
        yield from enumerate(elements, start=1)

    def _parquet_rows(self, first: bytes, plain: IO[bytes]) -> Iterator[tuple[int, bytes]]:
        # Parquet is read from its end, so a compressed one is unpacked to memory first.
        content = io.BytesIO()
        for block in self._hashed(first, plain):
            content.write(block)
            if content.tell() > MAX_DOCUMENT_BYTES:
                raise FileRefused("too_large")
        content.seek(0)
        number = 0
        for batch in pq.ParquetFile(content).iter_batches(batch_size=10_000):
            for row in batch.to_pylist():
                number += 1
                yield number, _row_as_line(row)


def open_regular(path: Path) -> IO[bytes]:
    """Opens a regular file for reading, without following a link and without waiting on a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise FileRefused("changed_while_read") from error
    except OSError as error:
        raise FileRefused("not_a_regular_file" if path.is_symlink() else "unreadable") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileRefused("not_a_regular_file")
    return os.fdopen(descriptor, "rb")


def _decompressed(landed: IO[bytes]) -> IO[bytes]:
    """Unpacks by what the bytes are, not by what the name says. Layers: at most one."""
    magic = landed.read(4)
    landed.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=landed)  # type: ignore[return-value]
    if magic == b"\x28\xb5\x2f\xfd":
        return zstandard.ZstdDecompressor().stream_reader(landed, read_across_frames=True)
    return landed


def _split_lines(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 0
    rest = b""
    is_first = True
    for block in blocks:
        if is_first:
            block, is_first = block.removeprefix(b"\xef\xbb\xbf"), False
        lines = (rest + block).split(b"\n") if len(rest) <= MAX_LINE_BYTES else _split_long(rest, block)
        rest = lines.pop()
        for line in lines:
            number += 1
            if number > MAX_FILE_LINES:
                raise FileRefused("too_many_lines")
            if stripped := line.strip(b" \t\r"):
                yield number, stripped
    if stripped := rest.strip(b" \t\r"):
        yield number + 1, stripped


def _split_long(rest: bytes, block: bytes) -> list[bytes]:
    """Keeps only the beginning of a line that is over the limit already, so that memory stays bounded."""
    kept = rest[: MAX_LINE_BYTES + 1]
    end = block.find(b"\n")
    return [kept] if end < 0 else [kept, *block[end + 1 :].split(b"\n")]


def _has_json_line(opening: bytes) -> bool:
    """Whether any of the first lines begins like a JSON object; a picture or a page of prose has none."""
    return _OBJECT_START.search(opening) is not None


def _is_pretty_printed(opening: bytes) -> bool:
    first_line = opening.split(b"\n", 1)[0].rstrip()
    return first_line[:1] == b"{" and not first_line.endswith(b"}") and b'"eventType"' not in first_line


def _elements(text: bytes) -> list[bytes] | None:
    """The elements of a JSON array, or of objects written one after another; null when it is neither."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        return None
    decoder = json.JSONDecoder()
    found: list[Any] = []
    position = 0
    try:
        while True:
            while position < len(decoded) and decoded[position] in " \t\r\n,":
                position += 1
            if position == len(decoded):
                break
            value, position = decoder.raw_decode(decoded, position)
            found.extend(value if isinstance(value, list) else [value])
    except (ValueError, RecursionError):
        return None
    return [json.dumps(element, ensure_ascii=True).encode() for element in found]


def _row_as_line(row: dict[str, Any]) -> bytes:
    """A Parquet row as the JSON line it stands for; `metadata` may be a struct or JSON text."""
    metadata = row.get("metadata")
    if isinstance(metadata, str):
        with contextlib.suppress(orjson.JSONDecodeError):
            row["metadata"] = orjson.loads(metadata)
    present = {name: value for name, value in row.items() if value is not None}
    return orjson.dumps(present, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def retire(file: LandedFile, folder: Path, content_hash: str) -> Path:
    """Moves a file into `folder` under a name that never overwrites another; returns where it is now."""
    target = folder / file.name
    if len(os.fsencode(target.name)) > _MAX_NAME_BYTES:
        # The end of the name holds its ending; bytes are cut, so that no file system says no.
        target = target.with_name(os.fsdecode(os.fsencode(target.name)[-_MAX_NAME_BYTES // 2 :]))
    if os.path.lexists(target):
        target = target.with_name(f"{content_hash[:12]}-{target.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    file.path.replace(target)
    return target


def refuse(file: LandedFile, landing: Path, refusal: FileRefused) -> Path:
    """Moves a file to `refused/` with a `.reason` beside it that says why and what to do."""
    target = retire(file, landing / "refused", f"{file.inode:012x}")
    reason_file = target.with_name(f"{target.name}.reason")
    reason_file.write_text(f"{refusal.reason}: {refusal}\n", encoding="utf-8")
    return target


def delete_retired(folder: Path, keep_days: int, now: float) -> int:
    """Deletes files of `folder` that were moved there more than `keep_days` ago; returns how many."""
    deleted = 0
    for path in sorted(folder.rglob("*"), reverse=True):
        seen = os.lstat(path)
        if stat.S_ISDIR(seen.st_mode):
            if not any(path.iterdir()):
                path.rmdir()
        elif now - seen.st_ctime >= keep_days * 86_400:
            path.unlink()
            deleted += 1
    return deleted


def wipe_folder(folder: Path) -> None:
    """Empties a folder of temporary files, which may hold plain text of an interrupted run."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
