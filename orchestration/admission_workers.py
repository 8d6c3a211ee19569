"""Blocks of lines are admitted by as many processes as there are cores, in the order of the file.

Why it exists: Python admits lines on one core only; a big file deserves all of them. A small file is
admitted where it is read, because a process takes half a second to start. The rows are the same either way.
Not here: what is decided of a line (`column_admission.py`, `admission.py`).
"""

import gc
import os
import signal
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
from orchestration.line_blocks import LineBlock
from orchestration.privacy import Keyring
from orchestration.sealed_rows import suppress_refused

# Blocks admitted by the reading process itself before others are started: two seconds of work.
_OWN_BLOCKS: Final = 8


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
    blocks: Iterable[LineBlock], rules: AdmissionRules, processes: int | None = None
) -> Iterator[pa.Table]:
    """A table of `SEALED_SCHEMA` for each block, in the order of the blocks.

    `processes`: how many may admit at once; by default one a core. Raises `WorkersLost`.
    """
    for table in _tables(iter(blocks), rules, processes or _core_count()):
        yield suppress_refused(suppress_erased(table, rules.erased), rules.opt_outs)


def _core_count() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tables(blocks: Iterator[LineBlock], rules: AdmissionRules, processes: int) -> Iterator[pa.Table]:
    here = BlockAdmission(rules)
    for admitted, block in enumerate(blocks, start=1):
        yield _admit(here, block)
        if processes > 1 and admitted == _OWN_BLOCKS:
            break
    # What it remembers is of no more use, and takes memory.
    del here
    yield from _shared(blocks, rules, processes)


def _shared(blocks: Iterator[LineBlock], rules: AdmissionRules, processes: int) -> Iterator[pa.Table]:
    first = next(blocks, None)
    if first is None:
        return
    recipe = _Recipe(rules.keyring.folder, rules.now, rules.oldest, rules.limits)
    pending: deque[Future[pa.Table]] = deque()
    # Not forked: the reading process has threads.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _start, (recipe,))
    try:
        pending.append(pool.submit(_admit_there, first))
        for block in blocks:
            pending.append(pool.submit(_admit_there, block))
            # One block more than there are processes, so that none waits and memory stays bounded.
            if len(pending) > processes + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise WorkersLost(
            "A process that admitted lines was ended from outside, probably for lack of memory. Nothing of "
            "the file was loaded; free memory and load again."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


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
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _there = BlockAdmission(recipe.rules())


def _end_with_the_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _admit_there(block: LineBlock) -> pa.Table:
    return _admit(_there, block)
