"""Blocks of lines are admitted by as many processes as there are cores, in the order of the file.

Why it exists: Python admits lines on one core only; a big file deserves all of them. The reading process
admits too, and alone until another is ready, which takes a second. The rows are the same either way.
Not here: what is decided of a line (`column_admission.py`, `admission.py`).
"""

import atexit
import gc
import importlib.abc
import itertools
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Final

import pyarrow as pa

from orchestration.admission import AdmissionRules
from orchestration.column_admission import BlockAdmission
from orchestration.erased_lines import suppress_erased
from orchestration.limits import Limits
from orchestration.line_blocks import BLOCK_BYTES, LineBlock
from orchestration.privacy import Keyring
from orchestration.sealed_rows import suppress_refused

# Blocks admitted by the reading process itself before others are started: two seconds of work. A file that
# is known to be longer has them from the start, because they take a second to be ready.
_OWN_BLOCKS: Final = 12
# Of those given to another process one is being admitted and one waits.
_BLOCKS_A_PROCESS: Final = 2
# Admitted blocks that wait for one before them.
_MOST_WAITING: Final = 12


class WorkersLost(MemoryError):
    """A process that admitted lines was ended from outside, as by a lack of memory."""


@dataclass(frozen=True, slots=True)
class _Recipe:
    """`AdmissionRules` as they travel to another process; opt-outs and erasures stay with the blocks."""

    secrets: Path
    now: datetime
    oldest: datetime | None
    limits: Limits

    def rules(self) -> AdmissionRules:
        return AdmissionRules(Keyring(self.secrets, self.now), self.now, self.oldest, limits=self.limits)


def admitted_blocks(
    blocks: Iterable[LineBlock], rules: AdmissionRules, processes: int | None = None, *, byte_count: int = 0
) -> Iterator[pa.Table]:
    """A table of `SEALED_SCHEMA` for each block, in the order of the blocks.

    `processes`: how many may admit at once; by default one a core. `byte_count`: so many bytes the blocks
    have at least, as far as is known. Raises `WorkersLost`.
    """
    own_blocks = 0 if byte_count > _OWN_BLOCKS * BLOCK_BYTES else _OWN_BLOCKS
    for table in _tables(iter(blocks), rules, processes or _core_count(), own_blocks):
        yield suppress_refused(suppress_erased(table, rules.erased), rules.opt_outs)


def _core_count() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tables(
    blocks: Iterator[LineBlock], rules: AdmissionRules, processes: int, own_blocks: int
) -> Iterator[pa.Table]:
    here = BlockAdmission(rules)
    for block in itertools.islice(blocks, own_blocks if processes > 1 else None):
        yield _admit(here, block)
    first = next(blocks, None)
    if first is not None:
        yield from _shared(here, itertools.chain([first], blocks), rules, processes - 1)


def _shared(
    here: BlockAdmission, blocks: Iterable[LineBlock], rules: AdmissionRules, others: int
) -> Iterator[pa.Table]:
    """Admits blocks here and in so many other processes, whoever is free."""
    recipe = _Recipe(rules.keyring.folder, rules.now, rules.oldest, rules.limits)
    # In the order of the file: admitted ones, and those that others are at.
    waiting: deque[pa.Table | Future[pa.Table]] = deque()
    # Not forked: the reading process has threads.
    pool = ProcessPoolExecutor(others, get_context("spawn"), _start, (recipe,))
    try:
        ready = [pool.submit(_is_ready) for _ in range(others)]
        for block in blocks:
            given = sum(isinstance(one, Future) and not one.done() for one in waiting)
            if given < _BLOCKS_A_PROCESS * _count_ready(ready):
                waiting.append(pool.submit(_admit_there, block))
            else:
                waiting.append(_admit(here, block))
            while waiting and (len(waiting) > _MOST_WAITING or _is_done(waiting[0])):
                yield _table_of(waiting.popleft())
        while waiting:
            yield _table_of(waiting.popleft())
    except BrokenProcessPool as error:
        raise WorkersLost(
            "A process that admitted lines was ended from outside, probably for lack of memory. Nothing of "
            "the file was loaded; free memory and load again."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _count_ready(ready: list[Future[bool]]) -> int:
    return sum(one.done() for one in ready)


def _is_done(one: pa.Table | Future[pa.Table]) -> bool:
    return one.done() if isinstance(one, Future) else True


def _table_of(one: pa.Table | Future[pa.Table]) -> pa.Table:
    return one.result() if isinstance(one, Future) else one


def _admit(admission: BlockAdmission, block: LineBlock) -> pa.Table:
    # Tens of thousands of small objects that all go at once: looking for cycles costs half of the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return admission.admit(block)
    finally:
        if was_enabled:
            gc.enable()


_there: BlockAdmission


def _start(recipe: _Recipe) -> None:
    """Prepares a process of the pool, which ends with its parent however that ends."""
    global _there
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.meta_path.insert(0, _WithoutPandas())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _there = BlockAdmission(recipe.rules())
    # Before the interpreter takes itself down: DuckDB prints what it finds alive then.
    atexit.register(_forget)


class _WithoutPandas(importlib.abc.MetaPathFinder):
    """Arrow looks for pandas at its first array: half a second and 50 MB, which no line needs."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not used to admit lines", name=fullname)


def _end_with_the_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _forget() -> None:
    global _there
    del _there


def _is_ready() -> bool:
    return True


def _admit_there(block: LineBlock) -> pa.Table:
    return _admit(_there, block)
