"""Bytes of a file are cut into blocks of whole lines.

Why it exists: lines are admitted by the block, by more than one process, and a block must be bounded
whatever a file holds. Pure. Not here: where the bytes come from (`line_reader.py`), what a line means.
"""

from collections.abc import Generator, Iterable, Iterator
from typing import Final, NamedTuple

# Big enough that values repeat and that a block costs little besides its lines, small enough for memory.
BLOCK_BYTES: Final = 4 << 20
# Of lines of a byte or none a block of bytes would hold millions.
BLOCK_LINES: Final = 100_000
BLANK: Final = b" \t\r"


class LineBlock(NamedTuple):
    """Whole lines of a file, the first of which has the given number (from 1)."""

    first_number: int
    data: bytes

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Number and text of each line that is not blank, without white space around it."""
        for number, line in enumerate(self.data.split(b"\n"), self.first_number):
            if stripped := line.strip(BLANK):
                yield number, stripped


def cut_into_blocks(
    chunks: Iterable[bytes], max_line_bytes: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[LineBlock]:
    """Blocks of about `block_bytes` of the lines in `chunks`.

    Of a line longer than `max_line_bytes` one byte more than that is kept, so that it shows.
    """
    number = 1
    whole: list[bytes] = []
    whole_bytes = 0
    rest = b""
    for chunk in chunks:
        start = 0
        if len(rest) > max_line_bytes:
            start = chunk.find(b"\n")
            if start < 0:
                continue
        end = chunk.rfind(b"\n") + 1
        if end == 0:
            rest = (rest + chunk)[: max_line_bytes + 1]
            continue
        whole.append(rest + chunk[start:end])
        whole_bytes += len(whole[-1])
        rest = chunk[end:]
        if whole_bytes >= block_bytes:
            data = b"".join(whole)
            number = yield from _of_few_lines(number, data[:-1])
            whole, whole_bytes = [], 0
    yield from _of_few_lines(number, b"".join([*whole, rest]))


def _of_few_lines(number: int, data: bytes) -> Generator[LineBlock, None, int]:
    """Yields the lines as blocks; returns the number of the line behind them."""
    line_ends = data.count(b"\n")
    for _ in range(line_ends // BLOCK_LINES):
        *lines, data = data.split(b"\n", BLOCK_LINES)
        yield LineBlock(number, b"\n".join(lines))
        number += BLOCK_LINES
    yield LineBlock(number, data)
    return number + line_ends % BLOCK_LINES + 1


def block_of_lines(first_number: int, lines: Iterable[bytes]) -> LineBlock:
    """One block of lines that are held one by one; none of them holds a line end."""
    return LineBlock(first_number, b"\n".join(lines))
