"""A landed file is read to its end: opened safely, unpacked, hashed, cut into blocks of whole lines.

Why it exists: what a file is shows in its bytes, not in its name; whether it is whole, only at its end.
Memory stays bounded whatever the file holds. Pure of Dagster and DuckDB.
Not here: which files there are (`event_files.py`), what a line means (`admission.py`).
"""

import codecs
import gzip
import hashlib
import io
import itertools
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.event_files import FileRefused, LandedFile
from orchestration.json_documents import elements
from orchestration.limits import DEFAULT_LIMITS, Limits
from orchestration.line_blocks import BLOCK_BYTES, LineBlock, block_of_lines, cut_into_blocks
from orchestration.text_forms import (
    BOM,
    has_object,
    has_old_line_ends,
    is_json,
    is_pretty_printed,
    line_end_of_objects,
    with_line_ends,
    without_marks,
)

_READ_BYTES: Final = 4 << 20
_ROWS_A_BLOCK: Final = 10_000
_ROWS_A_STEP: Final = 500
_UNREADABLE_ROW: Final = (ValueError, TypeError, OverflowError, KeyError, pa.ArrowInvalid)


class LineReader:
    """Reads one landed file to its end: `for block in reader.blocks()`, then `content_hash`, `byte_count`.

    A JSON array, pretty-printed objects or Parquet give one line an element or row. Raises `FileRefused`;
    only when the loop has ended without it is the file known to be whole.
    """

    def __init__(self, file: LandedFile, limits: Limits = DEFAULT_LIMITS) -> None:
        self.file = file
        self.content_hash = ""
        self.byte_count = 0
        self._limits = limits
        self._digest = hashlib.sha256()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for block in self.blocks():
            yield from block.lines()

    def blocks(self) -> Iterator[LineBlock]:
        """The lines of the file, block by block."""
        with open_regular(self.file.path) as landed:
            try:
                for block in self._blocks(landed):
                    if _is_beyond(block, self._limits.file_lines):
                        raise FileRefused("too_many_lines")
                    self._check_growth(landed)
                    yield block
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise FileRefused("damaged_compression") from error
            except OSError as error:
                if not _is_arrows(error):
                    raise
                raise FileRefused("damaged_compression") from error
            if not self.file.is_state(os.fstat(landed.fileno())):
                raise FileRefused("changed_while_read")
        self.content_hash = self._digest.hexdigest()

    def _blocks(self, landed: IO[bytes]) -> Iterator[LineBlock]:
        plain = _decompressed(landed)
        first = plain.read(_READ_BYTES)
        if first[:4] == b"PAR1":
            yield from self._parquet_rows(first, plain)
            return
        opening = first.removeprefix(BOM).lstrip()
        is_old = has_old_line_ends(opening)
        opening = opening.replace(b"\r", b"\n") if is_old else opening
        is_document = opening[:1] == b"[" or is_pretty_printed(opening)
        if opening and not is_document and not has_object(opening):
            # However long the nonsense is that a file begins with, it costs no line behind it.
            line_end = line_end_of_objects(self._all_of(first, plain, landed))
            if line_end is None:
                is_wide = opening.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                raise FileRefused("no_json", "it is UTF-16; write it as UTF-8" if is_wide else "")
            is_old = line_end == b"\r"
            landed.seek(0)
            plain = _decompressed(landed)
            first = plain.read(_READ_BYTES)
        chunks = self._hashed(first, plain)
        if is_old:
            chunks = (chunk.replace(b"\r", b"\n") for chunk in chunks)
        yield from self._document_elements(chunks) if is_document else self._lines(chunks)

    def _lines(self, chunks: Iterable[bytes]) -> Iterator[LineBlock]:
        without_bom = (
            chunk.removeprefix(BOM) if number == 0 else chunk for number, chunk in enumerate(chunks)
        )
        for block in cut_into_blocks(with_line_ends(without_bom), self._limits.line_bytes):
            data = block.data if block.first_number == 1 else block.data.removeprefix(BOM)
            yield block._replace(data=without_marks(data))

    def _all_of(self, first: bytes, plain: IO[bytes], landed: IO[bytes]) -> Iterator[bytes]:
        """What was unpacked, to its end, as long as it is within the limits; nothing of it is kept."""
        chunk, byte_count = first, 0
        while chunk:
            byte_count += len(chunk)
            if byte_count > self._limits.file_bytes:
                raise FileRefused("too_large")
            self._check_growth(landed)
            yield chunk
            chunk = plain.read(_READ_BYTES)

    def _check_growth(self, landed: IO[bytes]) -> None:
        """A file that grows as fast as it is read would never end."""
        if os.lseek(landed.fileno(), 0, os.SEEK_CUR) > self.file.byte_count:
            raise FileRefused("changed_while_read")

    def _hashed(self, first: bytes, plain: IO[bytes]) -> Iterator[bytes]:
        chunk = first
        while chunk:
            self.byte_count += len(chunk)
            if self.byte_count > self._limits.file_bytes:
                raise FileRefused("too_large")
            self._digest.update(chunk)
            yield chunk
            chunk = plain.read(_READ_BYTES)

    def _document_elements(self, chunks: Iterator[bytes]) -> Iterator[LineBlock]:
        content = bytearray()
        for chunk in chunks:
            content += chunk
            if len(content) > self._limits.document_bytes:
                if content.lstrip()[:1] == b"[" and not _second_line_is_whole(content):
                    raise FileRefused("too_large")
                # A torn first line looked like the beginning of a document: these are lines after all.
                yield from self._lines(itertools.chain([bytes(content)], chunks))
                return
        yield from _in_blocks(elements(bytes(content).removeprefix(BOM)))

    def _checked_parquet(self, content: io.BytesIO) -> pq.ParquetFile:
        """The opened file, which its footer says to be within the limits."""
        file = pq.ParquetFile(content)
        groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > self._limits.file_bytes:
            raise FileRefused("too_large")
        if file.metadata.num_rows > self._limits.file_lines:
            raise FileRefused("too_many_lines")
        if len(set(file.schema_arrow.names)) < len(file.schema_arrow.names):
            raise FileRefused("damaged_parquet", "a column name comes twice")
        return file

    def _counted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines, as long as all of them are no more bytes than a file may have."""
        byte_count = 0
        for text in lines:
            byte_count += len(text)
            if byte_count > self._limits.file_bytes:
                raise FileRefused("too_large")
            yield text

    def _parquet_rows(self, first: bytes, plain: IO[bytes]) -> Iterator[LineBlock]:
        # Parquet is read from its end, so a compressed one is unpacked to memory first.
        content = io.BytesIO()
        for chunk in self._hashed(first, plain):
            content.write(chunk)
            if content.tell() > self._limits.document_bytes:
                raise FileRefused("too_large")
        content.seek(0)
        try:
            yield from _in_blocks(self._counted(_parquet_lines(self._checked_parquet(content))))
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and not _is_arrows(error):
                raise
            raise FileRefused("damaged_parquet") from error


def _second_line_is_whole(content: bytearray) -> bool:
    """Whether it is an object by itself; in an array that has a line for each element, a comma follows it."""
    first_end = content.find(b"\n")
    second = bytes(content[first_end + 1 : content.find(b"\n", first_end + 1)]).strip()
    return second[:1] == b"{" and is_json(second)


def _parquet_lines(file: pq.ParquetFile) -> Iterator[bytes]:
    # Small steps: a value that is stored once may stand in every row.
    for batch in file.iter_batches(batch_size=_ROWS_A_STEP):
        try:
            yield from [_row_as_line(row) for row in batch.to_pylist(maps_as_pydicts="strict")]
        except _UNREADABLE_ROW:
            yield from (_one_row_as_line(batch, at) for at in range(batch.num_rows))


def _one_row_as_line(batch: pa.RecordBatch, at: int) -> bytes:
    """A row by itself; where that can't be read (no UTF-8, a year beyond 9999), a line that is rejected."""
    try:
        return _row_as_line(batch.slice(at, 1).to_pylist(maps_as_pydicts="strict")[0])
    except UnicodeDecodeError:
        return b"\xff"
    except _UNREADABLE_ROW:
        return b"unreadable"


def _is_beyond(block: LineBlock, most_lines: int) -> bool:
    """Whether a block holds a line behind the last that a file may have; no line has less than one byte."""
    before = block.first_number - 1
    if before + len(block.data) <= most_lines:
        return False
    ended = block.data.count(b"\n")
    return before + ended + (1 if block.data and not block.data.endswith(b"\n") else 0) > most_lines


def _is_arrows(error: OSError) -> bool:
    """Whether it is Arrow's word for bytes it can't make sense of: errors of the system have a number."""
    return error.errno is None


def _in_blocks(lines: Iterable[bytes]) -> Iterator[LineBlock]:
    number, some, byte_count = 1, list[bytes](), 0
    for text in lines:
        some.append(text)
        byte_count += len(text)
        if len(some) == _ROWS_A_BLOCK or byte_count >= BLOCK_BYTES:
            yield block_of_lines(number, some)
            number += len(some)
            some, byte_count = [], 0
    if some:
        yield block_of_lines(number, some)


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
    # A frame to be skipped may come first: `pzstd` and seekable archives write such.
    is_skippable = magic[1:] == b"\x2a\x4d\x18" and magic[0] & 0xF0 == 0x50
    if magic == b"\x28\xb5\x2f\xfd" or is_skippable:
        # The zstandard package ends silently where a frame was cut; Arrow says so. It closes what it reads.
        again = os.fdopen(landed.fileno(), "rb", closefd=False)
        again.seek(0)
        return pa.CompressedInputStream(pa.PythonFile(again, mode="r"), "zstd")
    return landed


def _row_as_line(row: dict[str, Any]) -> bytes:
    """A Parquet row as the JSON line it stands for; `metadata` may be a struct, a map or JSON text."""
    present = {name: value for name, value in row.items() if value is not None}
    metadata = present.get("metadata")
    if isinstance(metadata, bytes):
        metadata = present["metadata"] = _plain(metadata)
    if not isinstance(metadata, str) or not is_json(metadata):
        return _dumped(present)
    # As it was sent: a key that comes twice must show. White space between its parts may be a line end.
    del present["metadata"]
    own = _dumped(present)
    text = metadata.replace("\n", " ").encode()
    return own[:-1] + (b"," if present else b"") + b'"metadata":' + text + b"}"


def _dumped(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    """What JSON has no type for: bytes are text or, like an object in place of an id, the wrong type."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return {}
    return str(value)
