"""A full disk or too little memory, told from every other error and said in words.

Why it exists: the operating system, Arrow, DuckDB, SQLite and dbt each report a shortage in their own way,
and none of them says what was being done and what to do next. Nothing is lost by one: the landed files stay
where they are until their rows are committed.
"""

import contextlib
import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_WORDS: Final = re.compile(
    r"no space left|disk quota exceeded|file too large|disk is full|failed to offload|"
    r"max_temp_directory_size",
    re.IGNORECASE,
)
# What SQLite says on a full disk, and of a broken one.
_FULL_OR_BROKEN_WORDS: Final = re.compile(r"disk i/o error", re.IGNORECASE)
_NEARLY_FULL_MEGABYTES: Final = 20
_MEMORY_WORDS: Final = re.compile(
    r"out of memory|bad allocation|bad_alloc|malloc of size|realloc of size|cannot allocate memory",
    re.IGNORECASE,
)


class DiskFull(RuntimeError):
    """The disk is full; the text names what was being done, the folder and the next step."""


class MemoryShort(RuntimeError):
    """Too little memory; the text names what was being done and the next step."""


def shortage_in(error: BaseException | str, doing: str, folder: Path) -> DiskFull | MemoryShort | None:
    """The shortage behind an error or its text, or behind its causes; null for every other error."""
    if isinstance(error, (DiskFull, MemoryShort)):
        return error
    text = str(error)
    free = _free_megabytes(folder)
    is_full = _FULL_WORDS.search(text) or (
        free < _NEARLY_FULL_MEGABYTES and _FULL_OR_BROKEN_WORDS.search(text)
    )
    if is_full or (isinstance(error, OSError) and error.errno in _FULL):
        return DiskFull(
            f"The disk is full, or a quota: no space for {doing}; {free:,.0f} MB are free in {folder}. "
            "Nothing that landed is lost. Free some space, then: engagement load"
        )
    if isinstance(error, MemoryError) or _MEMORY_WORDS.search(text):
        return MemoryShort(
            f"There is too little memory for {doing}. Nothing that landed is lost. End other programs or "
            "give this one more memory, then: engagement load"
        )
    if isinstance(error, str):
        return None
    # Cleaning up after a shortage fails too, and would hide it.
    cause = error.__cause__ or error.__context__
    return shortage_in(cause, doing, folder) if cause else None


@contextlib.contextmanager
def shortages_named(doing: str, folder: Path) -> Iterator[None]:
    """Raises `DiskFull` or `MemoryShort` in place of whatever reports one."""
    try:
        yield
    except Exception as error:
        shortage = shortage_in(error, doing, folder)
        if shortage is None or shortage is error:
            raise
        raise shortage from error


def _free_megabytes(folder: Path) -> float:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free / 1e6
