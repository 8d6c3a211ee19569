"""Whether a zstd file is whole, told from its frames and blocks without unpacking them (RFC 8878).

Why it exists: the zstd reader ends silently where a file was cut, so half a file would pass for all of it.
What is inside the blocks, and the checksum, the reader itself verifies.
"""

from typing import IO, Final

FRAME_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_MAGIC: Final = b"\x2a\x4d\x18"
_DICTIONARY_BYTES: Final = (0, 1, 2, 4)
_RUN: Final = 1
_RESERVED: Final = 3


def is_whole(packed: IO[bytes]) -> bool:
    """Reads from the start of a file to its end, block header by block header; leaves it at its end."""
    end = packed.seek(0, 2)
    packed.seek(0)
    while packed.tell() < end:
        if not _pass_frame(packed, end):
            return False
    return True


def _pass_frame(packed: IO[bytes], end: int) -> bool:
    magic = packed.read(4)
    if magic[1:] == _SKIPPABLE_MAGIC and magic[0] >> 4 == 5:
        return _skip(packed, int.from_bytes(packed.read(4), "little"), end)
    descriptor = packed.read(1)
    if magic != FRAME_MAGIC or not descriptor:
        return False
    flags = descriptor[0]
    is_single_segment = bool(flags & 0x20)
    content_size_bytes = (1 if is_single_segment else 0, 2, 4, 8)[flags >> 6]
    header_rest = (not is_single_segment) + _DICTIONARY_BYTES[flags & 3] + content_size_bytes
    if not _skip(packed, header_rest, end):
        return False
    while True:
        header = packed.read(3)
        if len(header) < 3:
            return False
        block = int.from_bytes(header, "little")
        is_last, kind, size = block & 1, block >> 1 & 3, block >> 3
        if kind == _RESERVED or not _skip(packed, 1 if kind == _RUN else size, end):
            return False
        if is_last:
            has_checksum = bool(flags & 4)
            return _skip(packed, 4, end) if has_checksum else True


def _skip(packed: IO[bytes], byte_count: int, end: int) -> bool:
    return packed.seek(byte_count, 1) <= end
