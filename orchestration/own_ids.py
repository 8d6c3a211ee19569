"""The ids of the events of a table: of users, visitors, sessions and of the events themselves.

Why it exists: no kept text repeats an id of its own event, and ids that are not plain are trimmed or
rejected line by line. Not here: what becomes of an id (`column_keys.py`).
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.event_columns import Answers
from orchestration.event_fields import MAX_ID_CHARACTERS
from orchestration.leaf_columns import Column, Flags, Integers, texts_of
from orchestration.masking import mask_own_ids
from orchestration.repeated_ids import KeptTexts

_QUOTE: Final = ord('"')


class OwnIds:
    """`event_at`: for each line the place of its event id in `event_ids`, or -1; only plain ones are there.

    `is_plain`: whether a line has a plain event id or none.
    """

    def __init__(
        self, persons: Sequence[Column | Answers], events: pa.StringArray | None, count: int
    ) -> None:
        self._persons = persons
        self.event_at: Integers = np.full(count, -1, np.int32)
        self.event_ids: list[str] = []
        self.is_plain: Flags = np.ones(count, np.bool_)
        self._sent = texts_of(events) if events is not None else None
        if self._sent is None:
            return
        sent = self._sent
        is_sent = sent.lengths > 0
        are_plain = _are_plain_ids(sent.data, sent.offsets)
        self.is_plain = ~is_sent | are_plain
        self._rows = np.flatnonzero(is_sent & are_plain)
        self.event_at[self._rows] = np.arange(len(self._rows))
        self._starts = sent.offsets[:-1][self._rows] + 1
        self._ends = sent.offsets[1:][self._rows] - 1
        # Ids that are plain are ASCII: there a sign is a byte.
        whole = sent.data.tobytes().decode("latin-1")
        spans = zip(self._starts.tolist(), self._ends.tolist(), strict=True)
        self.event_ids = [whole[start:end] for start, end in spans]

    def of(self, row: int) -> list[str]:
        """The ids of one line, but its capsule's."""
        ids = [column.values[at] for column in self._persons if (at := column.codes[row]) >= 0]
        if (event := self.event_at[row]) >= 0:
            ids.append(self.event_ids[event])
        return [own for own in ids if own]

    def leave_repeated(self, texts: Sequence[Answers], is_fit: Flags) -> None:
        """Leaves the lines of which one of these texts repeats an own id."""
        kept = KeptTexts({text for answers in texts for text in answers.values if text})
        # First which ids stand in any text of all lines: few do.
        is_asked = np.zeros(len(is_fit), np.bool_)
        for column in self._persons:
            if found := kept.which_of(column.values):
                is_asked |= np.isin(column.codes, np.array(found))
        if self._sent is not None:
            is_asked[self._rows[kept.which(self._sent.data, self._starts, self._ends)]] = True
        for row in np.flatnonzero(is_asked & is_fit).tolist():
            own = self.of(row)
            said = [answers.values[at] for answers in texts if (at := answers.codes[row]) >= 0]
            is_fit[row] = not any(text and mask_own_ids(text, own) != text for text in said)


def is_plain_id(value: Any) -> bool:
    """Whether an id is hashed and compared as it was sent."""
    return (
        type(value) is str
        and value.isprintable()
        and value.strip() == value
        and 0 < len(value) <= MAX_ID_CHARACTERS
    )


def _are_plain_ids(data: npt.NDArray[np.uint8], offsets: Integers) -> Flags:
    """As `is_plain_id`, of JSON texts `data[offsets[i] : offsets[i + 1]]`."""
    starts, ends = offsets[:-1], offsets[1:]
    last = len(data) - 1
    space = ord(" ")
    good = (ends - starts > 2) & (ends - starts <= MAX_ID_CHARACTERS + 2)
    good &= (data[np.minimum(starts, last)] == _QUOTE) & (data[np.minimum(starts + 1, last)] != space)
    good &= data[np.maximum(ends - 2, 0)] != space
    odd = (data < space) | (data > ord("~")) | (data == ord("\\"))
    if odd.any():
        counted = np.append(0, np.cumsum(odd))
        good &= counted[ends] == counted[starts]
    return good
