"""Many lines at once: the outcomes of `admission.admit_line`, several times as fast.

Why it exists: admission keeps half the rate of a bare reader that checks nothing. Nearly all lines of a file
have one of a few hundred *shapes* (event type, keys, keys of `metadata`), and their values repeat. So lines
are grouped by shape, what a shape means is worked out once (`event_shapes.py`), and values are read column
by column through the same rules as line by line, each distinct text once.

No rule is written here a second time. A line whose answer would need one (it is not strict JSON, has nested
objects, a blank or very long id, an opt-out, an unusual timestamp, …) goes to `admit_line`. A test holds
both to the same outcomes on generated dirty files.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from orchestration.admission import (
    FUTURE_TOLERANCE,
    Accepted,
    AdmissionRules,
    Rejected,
    Suppressed,
    admit_line,
    epoch_milliseconds,
)
from orchestration.event_shapes import Columns, EventShape, Memos, Shape
from orchestration.line_blocks import BLANK, LineBlock
from orchestration.timestamps import plain_instants

# A group of fewer lines costs more by shape than line by line.
_SMALLEST_GROUP: Final = 3
_NOTHING: Final[dict[str, Any]] = {}


class BlockAdmission:
    """Admits blocks of lines; remembers shapes and values from block to block, within bounds."""

    def __init__(self, rules: AdmissionRules) -> None:
        self._rules = rules
        self._memos = Memos(rules.keyring)
        self._shapes: dict[Shape, EventShape] = {}
        oldest = None if rules.oldest is None else -(-_microseconds(rules.oldest) // 1000)
        self._window = (oldest, epoch_milliseconds(rules.now + FUTURE_TOLERANCE))

    def admit(self, block: LineBlock) -> tuple[int, Columns]:
        """Row count and columns of a block: what is sealed of each of its lines that is not blank.

        Columns are those of `archive.SEAL_COLUMNS` and of `raw_schema.EVENT_COLUMNS` but `event_date`, with
        `occurred_at` in milliseconds since 1970, and `refused_user_key`, `refused_visitor_key`, which are
        never written. Rows are in no particular order.
        """
        found = _FoundLines(block, self._rules.limits.keys, self._rules.limits.line_bytes)
        instants = plain_instants(found.timestamps())
        rows = _Rows(found.count)
        by_line = found.others
        for shape, positions in found.shapes.items():
            event_shape = self._event_shape(shape)
            if len(positions) < _SMALLEST_GROUP or not event_shape.is_plain:
                by_line += positions
                continue
            read = event_shape.read(
                [found.events[at] for at in positions], [instants[at] for at in positions], self._window
            )
            by_line += [positions[row] for row in read.unfit]
            if read.columns:
                rows.add_group([block.first_number + positions[row] for row in read.fit], read.columns)
        for at in by_line:
            outcome = admit_line(found.lines[at].strip(BLANK), self._rules)
            rows.add_outcome(block.first_number + at, outcome)
        return rows.count, rows.columns

    def _event_shape(self, shape: Shape) -> EventShape:
        known = self._shapes.get(shape)
        if known is None:
            if len(self._shapes) > 20_000:
                self._shapes.clear()
            known = self._shapes[shape] = EventShape(shape, self._memos)
        return known


def _microseconds(instant: datetime) -> int:
    return epoch_milliseconds(instant) * 1000 + instant.microsecond % 1000


class _FoundLines:
    """The lines of a block by position, grouped by the shape of their event; `others` have none."""

    def __init__(self, block: LineBlock, max_keys: int, max_line_bytes: int) -> None:
        self.lines = block.data.split(b"\n")
        self.events: list[dict[str, Any]] = []
        self.shapes: dict[Shape, list[int]] = {}
        self.others: list[int] = []
        self._max_keys = max_keys
        self._max_line_bytes = max_line_bytes
        self._group(_lines_holding(_DOUBTFUL, block.data))

    @property
    def count(self) -> int:
        """Lines that are not blank."""
        return sum(map(len, self.shapes.values())) + len(self.others)

    def timestamps(self) -> list[str]:
        """The text of each position's timestamp; empty where there is none."""
        sent = [event.get("timestamp") for event in self.events]
        return [text if type(text) is str else "" for text in sent]

    def _group(self, doubtful: set[int]) -> None:
        """Parses every line. This loop runs once a line: each of its steps costs a tenth of a microsecond."""
        shapes, events, loads = self.shapes, self.events, orjson.loads
        max_keys, max_bytes = self._max_keys, self._max_line_bytes
        for at, line in enumerate(self.lines):
            if line:
                try:
                    event = loads(line)
                    metadata = event.get("metadata", _NOTHING)
                    key_count = len(event) + len(metadata)
                    # As many colons behind a quote as keys: no key comes twice, no object lies deeper.
                    if (
                        line.count(b'":') == key_count <= max_keys
                        and type(metadata) is dict
                        and len(line) <= max_bytes
                        and at not in doubtful
                    ):
                        if b"null" in line:
                            event, metadata = _without_nulls(event, metadata)
                        shape = (event["eventType"], *event, None, *metadata)
                        if shape in shapes:
                            shapes[shape].append(at)
                        else:
                            shapes[shape] = [at]
                        events.append(event)
                        continue
                except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
                    # No JSON, no object, no event type, or one that is no text.
                    pass
                if line.strip(BLANK):
                    self.others.append(at)
            events.append(_NOTHING)


def _lines_holding(signs: tuple[bytes, ...], data: bytes) -> set[int]:
    """Positions of the lines that hold one of the signs; asked of the whole block, because most hold none."""
    found: set[int] = set()
    for sign in signs:
        line = counted = 0
        at = data.find(sign)
        while at >= 0:
            line += data.count(b"\n", counted, at)
            counted = at
            found.add(line)
            end = data.find(b"\n", at)
            at = data.find(sign, end) if end >= 0 else -1
    return found


# White space behind a quote (a key may have it before its colon), and NUL in a text.
_DOUBTFUL: Final = (b'" ', b'"\t', b'"\r', b"\\u0000")


def _without_nulls(event: dict[str, Any], metadata: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    if None in metadata.values():
        metadata = {name: value for name, value in metadata.items() if value is not None}
        event["metadata"] = metadata
    if None in event.values():
        event = {name: value for name, value in event.items() if value is not None}
    return event, metadata


class _Rows:
    """Columns that are filled group by group."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.columns: Columns = {}
        self._filled = 0

    def _column(self, name: str) -> list[Any]:
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = [None] * self.count
        return column

    def add_group(self, numbers: Sequence[int], columns: Columns) -> None:
        """Adds accepted events."""
        start, end = self._filled, self._filled + len(numbers)
        for name, values in columns.items():
            self._column(name)[start:end] = values
        self._column("line_number")[start:end] = numbers
        self._column("outcome")[start:end] = ["accepted"] * len(numbers)
        self._column("is_opt_in")[start:end] = [False] * len(numbers)
        self._filled = end

    def add_outcome(self, number: int, outcome: Accepted | Rejected | Suppressed) -> None:
        """Adds what was decided of one line."""
        row: dict[str, Any] = {"line_number": number, "is_opt_in": False}
        match outcome:
            case Accepted(event, is_opt_in, refused_keys):
                row |= event | {"outcome": "accepted", "is_opt_in": is_opt_in}
                row["refused_user_key"], row["refused_visitor_key"] = refused_keys
            case Suppressed(event):
                row |= event | {"outcome": "suppressed"}
            case Rejected(reason, field, capsule_id, excerpt):
                row |= {"outcome": "rejected", "reason": reason, "field": field}
                row |= {"capsule_id": capsule_id, "excerpt": excerpt}
        for name, value in row.items():
            if value is not None and name != "event_date":
                if name == "occurred_at":
                    value = epoch_milliseconds(value.replace(tzinfo=UTC))
                self._column(name)[self._filled] = value
        self._filled += 1
