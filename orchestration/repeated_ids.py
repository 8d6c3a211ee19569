"""Which of many ids stand in any of many texts.

Why it exists: no kept text repeats an id of its own event (`masking.mask_own_ids`). By column that is asked
of all ids and all texts of a block at once; where the answer is yes, the line is admitted by itself. Pure.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

import numpy as np
import numpy.typing as npt

from orchestration.masking import KNOWN_WORDS, SHORTEST_ID_IN_TEXT

_Bytes = npt.NDArray[np.uint8]
_SLOTS: Final = 1 << 18
# Fibonacci hashing: the upper bits of the product depend on all four bytes.
_FACTOR: Final = np.uint32(2654435769)
_SHIFT: Final = np.uint32(32 - 18)
# Makes ASCII letters small; other signs change too, in ids and in texts alike.
_SMALL: Final = np.uint8(0x20)


class KeptTexts:
    """The texts of a block that may repeat an id."""

    def __init__(self, texts: Iterable[str]) -> None:
        lower: set[str] = set()
        for text in texts:
            if text not in KNOWN_WORDS:
                lower.add(text.lower())
                if "%" in text or "+" in text:
                    lower.add(unquote_plus(text).lower())
        self._whole = lower
        self._joined = "\n".join(sorted(lower))
        # Which groups of four bytes occur: an id of which the first or the last does not is in no text.
        self._slots = np.zeros(_SLOTS, np.bool_)
        signs = np.frombuffer(self._joined.encode("utf-8", "surrogatepass"), np.uint8) | _SMALL
        if len(signs) >= SHORTEST_ID_IN_TEXT:
            self._slots[_slot(signs, np.arange(len(signs) - 3))] = True

    def which(self, data: _Bytes, starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32]) -> list[int]:
        """Which of the ids `data[start:end]` (ASCII, not empty) may stand in a text."""
        is_short = ends - starts < SHORTEST_ID_IN_TEXT
        small = data | _SMALL
        last = np.where(is_short, 0, ends - SHORTEST_ID_IN_TEXT)
        first = np.where(is_short, 0, starts)
        if len(data) < SHORTEST_ID_IN_TEXT:
            asked = np.arange(len(starts))
        else:
            asked = np.flatnonzero(
                is_short | (self._slots[_slot(small, first)] & self._slots[_slot(small, last)])
            )
        return [row for row in asked.tolist() if self.holds(data[starts[row] : ends[row]].tobytes().decode())]

    def which_of(self, ids: Sequence[Any]) -> list[int]:
        """The places of the ids that may stand in a text; what is no text is no id."""
        asked = [at for at, own in enumerate(ids) if type(own) is str and own]
        if not (joined := "".join([ids[at] for at in asked])).isascii():
            return [at for at in asked if self.holds(ids[at])]
        ends = np.cumsum([len(ids[at]) for at in asked], dtype=np.int32)
        starts = np.append(np.zeros(1, np.int32), ends[:-1])
        found = self.which(np.frombuffer(joined.encode(), np.uint8), starts, ends) if asked else []
        return [asked[at] for at in found]

    def holds(self, own: str) -> bool:
        """Whether an id is a text, or, of four signs or more, stands in one."""
        wanted = own.lower()
        return wanted in self._whole if len(wanted) < SHORTEST_ID_IN_TEXT else wanted in self._joined


def _slot(signs: _Bytes, at: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """The slot of the four bytes from each place on."""
    four = signs[at].astype(np.uint32)
    for step in (1, 2, 3):
        four |= signs[at + step].astype(np.uint32) << np.uint32(8 * step)
    return (four * _FACTOR) >> _SHIFT
