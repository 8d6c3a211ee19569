"""Many lines at once: the outcomes of `admission.admit_line`, many times as fast.

Why it exists: admission keeps half the rate of a bare reader that checks nothing. So the lines of a block are
taken apart together (`leaf_columns.py`) and read column by column through the rules that hold line by line,
each distinct value once (`column_rules.py`).

A line of which it is not certain what it says, or what becomes of it, goes to `admit_line`: what is no strict
JSON, opt-outs, rejects, padded ids, unusual timestamps … Lines that are only spelled unusually (white space
between keys, nulls, escapes) are spelled anew by the strict reader first, when there are many. A test holds
both ways to the same outcomes on generated dirty files, and to each of the guards.
"""

import logging
from datetime import datetime
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from orchestration.admission import (
    FUTURE_TOLERANCE,
    AdmissionRules,
    admit_line,
    epoch_milliseconds,
)
from orchestration.column_rules import ColumnRules
from orchestration.event_columns import EventColumns
from orchestration.leaf_columns import Integers, LeafReader, arrow_numbers
from orchestration.line_blocks import BLANK, LineBlock
from orchestration.sealed_rows import ADMITTED_SCHEMA, outcomes_table
from orchestration.strict_json import Unreadable, parse_line
from orchestration.text_forms import is_json

# Fewer lines than these cost more by column than one by one.
SMALLEST_TABLE: Final = 400
# How many lines of a block teach the names of keys when most were not read.
_TEACHERS: Final = 200
_DAY_MILLISECONDS: Final = 86_400_000

_LOG: Final = logging.getLogger(__name__)

Places = npt.NDArray[np.int64]


class BlockAdmission:
    """Admits blocks of lines; remembers names and values from block to block, within bounds."""

    def __init__(self, rules: AdmissionRules) -> None:
        self._rules = rules
        self._leaves = LeafReader(rules.keyring.content, rules.limits)
        # The oldest instant is a part of a millisecond older than the first whole one.
        oldest = None if rules.oldest is None else -(-_microseconds(rules.oldest) // 1000)
        self._columns = ColumnRules(rules.keyring, (oldest, epoch_milliseconds(rules.now + FUTURE_TOLERANCE)))
        self._is_respelling = False

    def admit(self, block: LineBlock) -> pa.Table:
        """A table of `ADMITTED_SCHEMA`: what is sealed of each line that is not blank, in no order."""
        lines = _Lines(block.data)
        try:
            tables, others = self._by_column(lines, block.first_number)
        except (MemoryError, OSError, duckdb.OutOfMemoryException):
            raise
        except Exception as error:  # noqa: BLE001 (a mistake of ours about one line must never cost another)
            kind, first = type(error).__name__, block.first_number
            _LOG.warning("The lines from %s on are admitted one by one, because of a %s", first, kind)
            tables, others = [], lines.filled()
        outcomes = []
        for at in others.tolist():
            if text := lines.text(at):
                outcomes.append((block.first_number + at, admit_line(text, self._rules)))
        return pa.concat_tables([*tables, outcomes_table(outcomes)])

    def _by_column(self, lines: "_Lines", first_number: int) -> tuple[list[pa.Table], Places]:
        """The events that are read by column, and the places of all other lines."""
        others = lines.filled()
        tables = []
        if len(others) >= SMALLEST_TABLE and not self._is_respelling:
            if not self._leaves.keys.keys:
                self._learn(lines, others)
            plain = lines.plain(others, self._rules.limits.line_bytes)
            table, read = self._read(lines.table(plain), plain, first_number)
            tables.append(table)
            # Most lines of a file are spelled alike.
            self._is_respelling = 2 * len(read) < len(others)
            others = np.setdiff1d(others, read, assume_unique=True)
        if len(others) >= SMALLEST_TABLE:
            table, read = self._read_respelled(lines, others, first_number)
            tables.append(table)
            others = np.setdiff1d(others, read, assume_unique=True)
        return tables, others

    def _learn(self, lines: "_Lines", places: Places) -> None:
        for at in places[:_TEACHERS].tolist():
            parsed = parse_line(lines.text(at), self._rules.limits)
            if not isinstance(parsed, Unreadable):
                self._leaves.keys.learn(parsed)

    def _read_respelled(self, lines: "_Lines", places: Places, first_number: int) -> tuple[pa.Table, Places]:
        """As `_read`, of lines that are spelled anew."""
        spelled, at_place = list[str](), list[int]()
        changed = 0
        for at in places.tolist():
            text = lines.text(at)
            # The reason why a line is no JSON is looked for once, when it is admitted.
            parsed = parse_line(text, self._rules.limits) if is_json(text) else None
            if isinstance(parsed, dict):
                anew = orjson.dumps(_without_nulls(parsed))
                changed += anew != text
                spelled.append(anew.decode() + "\n")
                at_place.append(at)
                if len(spelled) <= _TEACHERS:
                    self._leaves.keys.learn(parsed)
        self._is_respelling &= 2 * changed > len(spelled)
        return self._read(
            pa.array(spelled, pa.string()), np.array(at_place, np.int64), first_number, is_respelled=True
        )

    def _read(
        self, lines: pa.StringArray, places: Places, first_number: int, *, is_respelled: bool = False
    ) -> tuple[pa.Table, Places]:
        """The events among some lines that were read by column, and the places of those lines."""
        try:
            table = self._leaves.read(lines, is_respelled=is_respelled)
        except duckdb.InvalidInputException:
            valid = np.flatnonzero(self._leaves.valid(lines))
            lines, places = lines.take(arrow_numbers(valid, pa.int64())), places[valid]
            table = self._leaves.read(lines, is_respelled=is_respelled)
        columns = self._columns.read(table)
        return _as_table(columns, places + first_number), places[columns.is_fit]


def _without_nulls(event: dict[str, Any]) -> dict[str, Any]:
    """A key that is sent as null says as much as one that is not sent."""
    kept = {name: value for name, value in event.items() if value is not None}
    if isinstance(metadata := kept.get("metadata"), dict):
        kept["metadata"] = {name: value for name, value in metadata.items() if value is not None}
    return kept


def _as_table(columns: EventColumns, numbers: Places) -> pa.Table:
    """The lines that are fit, as rows of accepted events."""
    fit = columns.is_fit
    count = int(fit.sum())
    instants = columns.numbers["occurred_at"][fit] if count else np.zeros(0, np.int64)
    made = {
        "line_number": arrow_numbers(numbers[fit], pa.int64()),
        "outcome": _taken(["accepted"], np.zeros(count, np.int32), ADMITTED_SCHEMA.field("outcome").type),
        "is_opt_in": _taken([False], np.zeros(count, np.int32), pa.bool_()),
        "occurred_at": arrow_numbers(instants, pa.timestamp("ms")),
        "event_date": arrow_numbers((instants // _DAY_MILLISECONDS).astype(np.int32), pa.date32()),
    }
    if count:
        made["content_hash"] = arrow_numbers(columns.numbers["content_hash"][fit], pa.int64())
        for name, answers in columns.answers.items():
            if len(answers.values):
                codes = answers.codes if count == len(fit) else answers.codes[fit]
                made[name] = _taken(answers.values, codes, ADMITTED_SCHEMA.field(name).type)
    arrays = [
        made[field.name] if field.name in made else pa.nulls(count, field.type) for field in ADMITTED_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=ADMITTED_SCHEMA)


def _taken(values: list[Any] | pa.Array, codes: Integers, kind: pa.DataType) -> pa.Array:
    """The value of each line; null where its code is -1."""
    if not pa.types.is_dictionary(kind):
        known = values if isinstance(values, pa.Array) else pa.array(values, kind)
        return known.take(arrow_numbers(codes.astype(np.int32, copy=False), pa.int32(), codes >= 0))
    known = pa.array(values, kind)
    if len(known.dictionary) < len(values):
        # Several spellings mean one text, which a dictionary holds once, or one means none.
        places = known.indices.fill_null(-1).to_numpy()
        codes = np.append(places, np.int32(-1))[codes]
    indices = arrow_numbers(codes.astype(np.int32, copy=False), pa.int32(), codes >= 0)
    return pa.DictionaryArray.from_arrays(indices, known.dictionary, safe=False)


def _microseconds(instant: datetime) -> int:
    return epoch_milliseconds(instant) * 1000 + instant.microsecond % 1000


class _Lines:
    """The lines of a block by place, each up to and with its line feed."""

    def __init__(self, data: bytes) -> None:
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        self.data = data + b"\n"
        self._signs = np.frombuffer(self.data, np.uint8)
        self._offsets: Integers = np.append(0, np.flatnonzero(self._signs == ord("\n")) + 1).astype(np.int32)

    def text(self, at: int) -> bytes:
        """One line without its line feed and white space around it."""
        return self.data[self._offsets[at] : self._offsets[at + 1]].strip(BLANK + b"\n")

    def filled(self) -> Places:
        """The places of lines that have any sign."""
        return np.flatnonzero(np.diff(self._offsets) > 1)

    def plain(self, places: Places, longest: int) -> Places:
        """Those of some lines that are UTF-8 and not too long."""
        is_plain = np.diff(self._offsets)[places] <= longest + 1
        if not self.data.isascii():
            for at in np.flatnonzero(is_plain).tolist():
                text = self.data[self._offsets[places[at]] : self._offsets[places[at] + 1]]
                try:
                    text.decode("utf-8")
                except UnicodeDecodeError:
                    is_plain[at] = False
        return places[is_plain]

    def table(self, places: Places) -> pa.StringArray:
        """Some lines, which are UTF-8."""
        whole = pa.StringArray.from_buffers(
            len(self._offsets) - 1, pa.py_buffer(self._offsets), pa.py_buffer(self.data)
        )
        return whole if len(places) == len(whole) else whole.take(arrow_numbers(places, pa.int64()))
