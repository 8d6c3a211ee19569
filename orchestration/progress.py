"""How far a load is, for whoever waits for a back-fill of a year's files.

Why it exists: hundreds of files take minutes; the share of their bytes and an estimate are worth more than
the number of a file. Pure: the clock is a parameter.
Not here: who hears it (`printing.py`, Dagster's log).
"""

import time
from collections.abc import Callable
from typing import Final

Say = Callable[[str], None]

_BAR_SIGNS: Final = 20
# A line every two seconds, of a long load every ten.
_EARLY_SECONDS: Final = 60.0
_EARLY_PAUSE: Final = 2.0
_LATE_PAUSE: Final = 10.0
# Before that an estimate jumps about.
_ESTIMATE_AFTER_SECONDS: Final = 5.0


class Progress:
    """Says the first thing at once and then one every few seconds, not a line a file.

    `file_count`, `byte_count`: of everything that this load takes.
    """

    def __init__(
        self, say: Say, file_count: int, byte_count: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self._clock = say, clock
        self._file_count, self._byte_count = file_count, byte_count
        self._begun = clock()
        self._silent_until = self._begun
        self._number = 0
        self._bytes_before = 0

    def begin_file(self, byte_count: int) -> None:
        """The next file is sealed now; those before are done."""
        self._number += 1
        now = self._clock()
        if now >= self._silent_until:
            elapsed = now - self._begun
            self._silent_until = now + (_EARLY_PAUSE if elapsed < _EARLY_SECONDS else _LATE_PAUSE)
            self._say(f"Sealing file {self._number:,} of {self._file_count:,}{self._share(elapsed)}")
        self._bytes_before += byte_count

    def _share(self, elapsed: float) -> str:
        """A bar, percent of the bytes and, when some time passed, how long the rest takes at this rate."""
        if self._number == 1:
            return ""
        share = self._bytes_before / max(self._byte_count, 1)
        filled = int(share * _BAR_SIGNS)
        bar = "#" * filled + "." * (_BAR_SIGNS - filled)
        if elapsed < _ESTIMATE_AFTER_SECONDS or not self._bytes_before:
            return f"  [{bar}] {share:.0%}"
        return f"  [{bar}] {share:.0%}, {_about(elapsed * (1 - share) / share)} left"


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(round(seconds / 5) * 5, 5)} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
