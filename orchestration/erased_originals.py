"""Landed files without the lines of erased people.

Why it exists: files are kept as they were sent for some days, and those who could not be read until somebody
looks; both hold raw ids. Lines are known from the sealed file of the same content, and by the id itself in
lines that were rejected. Not here: what is kept for how long (`originals.py`).
"""

import contextlib
import gzip
import io
import os
import re
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.archive import sealed_path
from orchestration.erasure_list import ErasureList
from orchestration.event_files import FileRefused, LandedFile, reason_file
from orchestration.file_names import name_parts
from orchestration.line_reader import LineReader, open_regular
from orchestration.mentions import Mentions, plain_words
from orchestration.originals import may_be_written_to, originals, remember
from orchestration.settings import Settings

_CHUNK: Final = 4 << 20
# Of a file that can't be read as lines, words are compared with the list: 2 hashes each, so up to a size.
_WORDS_BYTES: Final = 256 << 20
_WORD: Final = re.compile(rb"[^\s\"\\,;:/?&=<>(){}\[\]\x00]{1,256}")
_QUOTED: Final = re.compile(rb'"((?:[^"\\]|\\.){1,512})"')

# `open`: somebody has the file open for writing, so it can't be replaced yet.
Cleaning = Literal["clean", "rewritten", "removed", "open"]


def clean_originals(
    settings: Settings, mentions: Mentions, would_go: Mapping[str, Sequence[int]] | None = None
) -> dict[str, int]:
    """Writes every original anew that holds somebody erased; counts by what became of the files.

    `would_go`: changes nothing and says what would become of them when these lines of sealed contents go.
    """
    counts = {"rewritten": 0, "removed": 0, "open": 0}
    for _, path, _ in list(originals(settings)):
        outcome = clean_original(settings, path, mentions, would_go=would_go)
        if outcome != "clean":
            counts[outcome] += 1
    return counts


def clean_original(
    settings: Settings,
    path: Path,
    mentions: Mentions,
    erased: ErasureList | None = None,
    would_go: Mapping[str, Sequence[int]] | None = None,
) -> Cleaning:
    """Takes the lines of erased people out of one file under `loaded/` or `refused/`, in its own format.

    `erased`: also look for whoever is on the list, in lines of which no key was kept and in the name. A
    file that can't be read as lines and names somebody is removed. A JSON document becomes its lines.
    `would_go`: as of `clean_originals`.
    """
    try:
        seen = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return "clean"
    file = _as_seen(path, seen)
    named = mentions
    if erased:
        met = erased.erased_ids(name_parts(str(path.relative_to(settings.landing))))
        named = Mentions(met, plain_words(settings, met))
    is_dry = would_go is not None
    try:
        gone = _lines_to_go(file, settings, mentions, erased, would_go or {})
    except FileRefused:
        if not _is_named_within(path, mentions, erased):
            return _rename(path, settings, named, is_dry)
        if may_be_written_to(path, 0):
            return "open"
        if not is_dry:
            path.unlink()
            reason_file(path).unlink(missing_ok=True)
        return "removed"
    if not gone:
        return _rename(path, settings, named, is_dry)
    if may_be_written_to(path, 0):
        return "open"
    if not is_dry:
        _write_without(file, gone, settings)
        _rename(path, settings, named, is_dry)
    return "rewritten"


def _as_seen(path: Path, seen: os.stat_result) -> LandedFile:
    return LandedFile(path, path.name, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


def _rename(path: Path, settings: Settings, mentions: Mentions, is_dry: bool) -> Cleaning:
    """A name, of the file or of a folder it lies in, may be the id of a person."""
    folder, *below = path.relative_to(settings.landing).parts
    named = [os.fsdecode(mentions.name_without(os.fsencode(part))) for part in below]
    if named == below:
        return "clean"
    if is_dry:
        return "rewritten"
    target = settings.landing.joinpath(folder, *named)
    target.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{number}-{named[-1]}")
    seen = path.stat()
    # A new name changes the time by which it is told whether somebody wrote to it.
    remember(settings, [_as_seen(path, seen)])
    path.replace(target)
    if reason_file(path).exists():
        reason_file(path).replace(reason_file(target))
    for parent in list(path.parents)[: len(below) - 1]:
        # A folder with anything else in it stays.
        with contextlib.suppress(OSError):
            parent.rmdir()
    return "rewritten"


def _lines_to_go(
    file: LandedFile,
    settings: Settings,
    mentions: Mentions,
    erased: ErasureList | None,
    would_go: Mapping[str, Sequence[int]],
) -> set[int]:
    reader = LineReader(file, settings.limits)
    gone = set()
    for block in reader.blocks():
        if mentions.within(block.data):
            gone |= {number for number, line in block.lines() if mentions.within(line)}
    if erased:
        asked = _lines_without_key(settings.archive, reader.content_hash)
        again = LineReader(file, settings.limits) if asked is None or asked else ()
        gone |= {
            number
            for number, line in again
            if (asked is None or number in asked) and _names_erased(line, erased)
        }
    gone |= set(would_go.get(reader.content_hash, ()))
    return gone | erased_lines(settings.archive, reader.content_hash)


def _names_erased(line: bytes, erased: ErasureList) -> bool:
    """Whether any text in quotes of a line, which may be no JSON, is the id of somebody on the list."""
    texts = {found.decode("utf-8", "replace").strip() for found in _QUOTED.findall(line)}
    return bool(erased.erased_ids(texts))


def _lines_without_key(archive: Path, content_hash: str) -> set[int] | None:
    """The lines of which no key was kept: rejected ones and those of refused consent.

    Null, for all of them, of a catalogue or what was refused.
    """
    path = sealed_path(archive, content_hash)
    if not path.exists():
        return None
    table = pq.read_table(path, columns=["line_number", "outcome", "is_consent_refused"])
    mask = pc.or_kleene(pc.equal(table["outcome"], "rejected"), table["is_consent_refused"])
    return set(table.filter(pc.fill_null(mask, False))["line_number"].to_pylist())


def erased_lines(archive: Path, content_hash: str) -> set[int]:
    """The lines of a sealed content that belong to erased people: suppressed, and without their instant."""
    path = sealed_path(archive, content_hash)
    if not path.exists():
        return set()
    table = pq.read_table(path, columns=["line_number", "outcome", "occurred_at"])
    mask = pc.and_(pc.equal(table["outcome"], "suppressed"), pc.is_null(table["occurred_at"]))
    return set(table.filter(mask)["line_number"].to_pylist())


def _write_without(file: LandedFile, gone: Collection[int], settings: Settings) -> None:
    """The file anew: lines as lines, Parquet as Parquet, packed as it was. Durable, under the same name."""
    draft = file.path.with_name(f".{file.path.name[:200]}.tmp")
    with open_regular(file.path) as landed:
        magic = landed.read(4)
    packing = "gzip" if magic[:2] == b"\x1f\x8b" else "zstd" if magic == b"\x28\xb5\x2f\xfd" else None
    try:
        with draft.open("wb") as raw:
            sink = pa.CompressedOutputStream(raw, packing) if packing else raw
            table = _as_parquet(file.path, packing)
            if table is None:
                for number, line in LineReader(file, settings.limits):
                    if number not in gone:
                        sink.write(line + b"\n")
            else:
                numbers = pa.array(range(1, table.num_rows + 1))
                kept = pc.invert(pc.is_in(numbers, pa.array(sorted(gone), pa.int64())))
                pq.write_table(table.filter(kept), sink)
            if packing:
                sink.close()
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        seen = draft.stat()
        # Remembered as it is now, or it would look like one that somebody wrote to.
        remember(settings, [_as_seen(file.path, seen)])
        draft.replace(file.path)
    finally:
        draft.unlink(missing_ok=True)


def _as_parquet(path: Path, packing: str | None) -> pa.Table | None:
    with open_regular(path) as landed:
        if packing is None and landed.read(4) != b"PAR1":
            return None
    if packing:
        with pa.CompressedInputStream(pa.OSFile(str(path)), packing) as plain:
            if plain.read(4) != b"PAR1":
                return None
        with pa.CompressedInputStream(pa.OSFile(str(path)), packing) as plain:
            return pq.read_table(io.BytesIO(plain.read()))
    return pq.read_table(path)


def _is_named_within(path: Path, mentions: Mentions, erased: ErasureList | None) -> bool:
    """Whether a file that is no lines names anybody: by an id that is asked for, or one on the list."""
    words: set[str] = set()
    read = 0
    for part in readable_parts(path):
        if mentions.within(part):
            return True
        if erased and read < _WORDS_BYTES:
            read += len(part)
            new = {found.decode("utf-8", "replace").strip() for found in _WORD.findall(part)} - words
            if erased.erased_ids(new):
                return True
            words |= new
    return False


def readable_parts(path: Path) -> Iterable[bytes]:
    """The bytes of a file in overlapping parts, and unpacked as far as they can be."""
    for plain in (_stored, _unpacked):
        tail = b""
        for chunk in plain(path):
            yield tail + chunk
            tail = chunk[-4096:]


def _stored(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _unpacked(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as packed:
                while chunk := packed.read(_CHUNK):
                    yield chunk
        except (EOFError, OSError, zlib.error):
            return
    elif magic == b"\x28\xb5\x2f\xfd":
        try:
            with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as packed:
                while chunk := packed.read(_CHUNK):
                    yield chunk
        except (OSError, pa.ArrowException):
            return
