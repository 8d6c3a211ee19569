"""Lines of a block become columns of JSON leaves, where it is certain that they say what the line says.

Why it exists: see `column_admission.py`. DuckDB's `json_transform` takes a line apart several times as fast
as Python, but it takes NaN, trailing commas, and the first of two equal keys. So a line counts as read only
when its length is the sum of what was read: every key, every value and every sign between them in the one
compact spelling. A line with anything else in it is longer; a value that may have been sent shorter than
DuckDB spells it (`1e5`) is not certain. Whatever is not certain is left to the reader of single lines.
Not here: what a key means (`column_rules.py`).
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from orchestration.admission import WITHOUT_CONTENT
from orchestration.keyed_hashes import ContentHash, Hashes, as_numbers
from orchestration.limits import Limits
from orchestration.masking import mask_text
from orchestration.strict_json import count_keys

Integers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
# Of the event itself ("own") or of its `metadata` ("inner"), and its name.
Key = tuple[str, str]

_MAX_NAMES: Final = 300
_MAX_NAME_CHARACTERS: Final = 100
_REMEMBERED: Final = 20_000
# No key of ours: an object without keys is no structure.
_NO_NAME: Final = " "
# `"name":value,` is as much longer than name and value; `"metadata":{},` in all.
_SIGNS_A_KEY: Final = len('"":,')
_QUOTE: Final = ord('"')
_METADATA_SIGNS: Final = len('"metadata":{},')
# Their values hardly repeat: to look for equal ones costs more than it saves.
UNREPEATED: Final = frozenset(
    ("inner", name) for name in ("messageId", "message_id", "replyToId", "reply_to_id", "orderId")
)


class LearnedKeys:
    """The names of keys that lines were seen to have: only these are asked for, so others show."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, str]] = {}
        self.keys: list[Key] = []
        self.structure = ""
        self._forget()

    def _forget(self) -> None:
        self._names = {"own": {"metadata": "metadata"}, "inner": {}}
        self._renew()

    def learn(self, event: Mapping[str, Any]) -> None:
        """Takes over the names of an event; a line with one that is not taken is admitted by itself."""
        metadata = event.get("metadata")
        is_new = False
        for scope, sent in (("own", event), ("inner", metadata if isinstance(metadata, dict) else {})):
            names = self._names[scope]
            for name, value in sent.items():
                # DuckDB takes two names that differ by case for one.
                if value is not None and name.lower() not in names and _is_plain_name(name):
                    names[name.lower()] = name
                    is_new = True
        if is_new:
            self._renew()
        if len(self.keys) > _MAX_NAMES:
            self._forget()

    def _renew(self) -> None:
        own = [name for name in self._names["own"].values() if name != "metadata"]
        inner = list(self._names["inner"].values())
        structure: dict[str, Any] = dict.fromkeys(own, "JSON")
        structure["metadata"] = dict.fromkeys(inner or [_NO_NAME], "JSON")
        self.structure = orjson.dumps(structure).decode()
        self.keys = [("own", name) for name in own] + [("inner", name) for name in inner]


def _is_plain_name(name: str) -> bool:
    """Whether a name is spelled as it is kept, so that nothing depends on the order of keys."""
    return (
        0 < len(name) <= _MAX_NAME_CHARACTERS
        and name.isascii()
        and name.isprintable()
        and name != _NO_NAME
        and not set('"\\') & set(name)
        and mask_text(name) == name
    )


class Leaf(NamedTuple):
    """One value as it stands in a line; `canonical` is null when it is not certain how it was sent.

    `key_count`: of the keys inside it.
    """

    value: Any
    canonical: bytes | None
    key_count: int = 0


_UNCERTAIN: Final = Leaf(None, None)


def leaf_of(text: str, nesting: int, *, is_respelled: bool) -> Leaf:
    """What a JSON text says. `is_respelled`: the line was spelled by us."""
    try:
        value = orjson.loads(text)
        if value is None or orjson.dumps(value).decode() != text:
            # NaN, 1e400, two equal keys inside, more digits than a number keeps …
            return _UNCERTAIN
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _UNCERTAIN
    if isinstance(value, (dict, list)):
        # It lies in `metadata` of the event: two levels.
        if text.count("{") + text.count("[") + 2 > nesting or (not is_respelled and _holds_floats(value)):
            return _UNCERTAIN
        return Leaf(value, orjson.dumps(value, option=orjson.OPT_SORT_KEYS), count_keys(value))
    if not is_respelled and isinstance(value, float) and may_be_shorter(text):
        return _UNCERTAIN
    return Leaf(value, text.encode())


def _holds_floats(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_floats, value.values()))
    return any(map(_holds_floats, value)) if isinstance(value, list) else isinstance(value, float)


def may_be_shorter(text: str) -> bool:
    """Whether a number with a fraction has a spelling with an exponent that takes fewer signs."""
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    return sign + len(digits) + len(f"e{exponent}") < len(text)


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one key: for each line the place of its value in `values`, or -1.

    `hashes`: of each value with its key, as part of an event's content. Null for what is so of no value:
    `doubtful`, whether it may have been sent in another spelling; `key_counts`, the keys inside it.
    """

    codes: Integers
    values: list[Any]
    hashes: Hashes
    doubtful: Flags | None = None
    key_counts: Integers | None = None


class _KeyReader:
    """Reads the leaves of one key, each distinct one once; those that repeat from block to block too."""

    def __init__(self, hash_values: Callable[[Sequence[bytes]], list[bytes]], nesting: int) -> None:
        self._hash = hash_values
        self._nesting = nesting
        # Value, hash, whether it is doubtful, number of keys.
        self._known: dict[str, tuple[Any, int, bool, int]] = {}

    def column(self, array: pa.StringArray, *, is_unrepeated: bool, is_respelled: bool) -> Column:
        """The column of an array of JSON texts."""
        sent = texts_of(array)
        is_there = sent.lengths > 0
        if is_unrepeated:
            codes = np.where(is_there, np.cumsum(is_there) - 1, -1).astype(np.int32)
            texts = array.drop_null().to_pylist()
            quoted = sent.data[sent.offsets[:-1][is_there]] == _QUOTE
            if quoted.all() and b"\\" not in sent.data.tobytes():
                hashes = as_numbers(self._hash([text.encode() for text in texts]))
                return Column(codes, [text[1:-1] for text in texts], hashes)
        else:
            encoded = array.dictionary_encode()
            codes = np.where(is_there, _numbers_of(encoded.indices, np.int32), np.int32(-1))
            texts = encoded.dictionary.to_pylist()
        return self._checked(codes, texts, is_respelled=is_respelled)

    def _checked(self, codes: Integers, texts: list[str], *, is_respelled: bool) -> Column:
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        known = {} if is_respelled else self._known
        if new := [text for text in texts if text not in known]:
            leaves = [leaf_of(text, self._nesting, is_respelled=is_respelled) for text in new]
            digests = self._hash([leaf.canonical or b"" for leaf in leaves])
            for text, leaf, digest in zip(new, leaves, digests, strict=True):
                number = int.from_bytes(digest, "big")
                known[text] = (leaf.value, number, leaf.canonical is None, leaf.key_count)
        values, hashes, doubtful, key_counts = zip(*map(known.__getitem__, texts), strict=True)
        return Column(
            codes,
            list(values),
            np.array(hashes, np.uint64),
            np.array(doubtful, np.bool_) if any(doubtful) else None,
            np.array(key_counts, np.int32) if any(key_counts) else None,
        )


def looked_up(codes: Integers, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The value of each line; zero where it has none."""
    return np.append(values, np.zeros(1, values.dtype))[codes]


def arrow_numbers(numbers: npt.NDArray[Any], kind: pa.DataType, is_there: Flags | None = None) -> pa.Array:
    """Numbers as they lie in memory; where one is not there it is null."""
    bits = None
    if is_there is not None and not is_there.all():
        bits = pa.py_buffer(np.packbits(is_there, bitorder="little"))
    return pa.Array.from_buffers(kind, len(numbers), [bits, pa.py_buffer(np.ascontiguousarray(numbers))])


def distinct_numbers(numbers: npt.NDArray[np.int64]) -> tuple[Integers, npt.NDArray[np.int64]]:
    """For each number its place among the distinct ones, and these."""
    encoded = arrow_numbers(numbers, pa.int64()).dictionary_encode()
    return _numbers_of(encoded.indices, np.int32), _numbers_of(encoded.dictionary, np.int64)


def _numbers_of(array: pa.Array, kind: type[np.generic]) -> npt.NDArray[Any]:
    """The numbers of a whole array as they lie in memory; in place of a null stands any number."""
    return np.frombuffer(array.buffers()[1] or b"", kind)[: len(array)]


class Texts(NamedTuple):
    """A column of JSON texts as Arrow holds it: text `i` lies from `offsets[i]` to `offsets[i + 1]`."""

    data: npt.NDArray[np.uint8]
    offsets: Integers

    @property
    def lengths(self) -> Integers:
        """Bytes of each text; 0 where there is none."""
        return np.diff(self.offsets)


def texts_of(column: pa.StringArray) -> Texts:
    """The buffers of a column of strings."""
    _, offsets, data = column.buffers()
    return Texts(
        np.frombuffer(data or b"", np.uint8),
        np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1],
    )


@dataclass(frozen=True, slots=True)
class LeafTable:
    """What was read of some lines. `is_certain`: whether a line says this and nothing else."""

    arrays: dict[Key, pa.StringArray]
    columns: dict[Key, Column]
    content: Hashes
    is_certain: Flags


class LeafReader:
    """Takes lines apart; remembers names and values from block to block, within bounds."""

    def __init__(self, content: ContentHash, limits: Limits) -> None:
        self.keys = LearnedKeys()
        self._content = content
        self._limits = limits
        self._readers: dict[Key, _KeyReader] = {}
        self._asked_structure = ""

    @functools.cached_property
    def _database(self) -> "duckdb.DuckDBPyConnection":
        # Not before it is asked: it took two thirds of the time of tiny files, whose lines it never sees.
        # The type stands in quotes because DuckDB prints a page when anybody still holds it at the end.
        return duckdb.connect(config={"threads": 1, "enable_external_access": False})

    def valid(self, lines: pa.StringArray) -> Flags:
        """Which lines DuckDB can take apart at all."""
        found = self._asked("select json_valid(line) from lines", lines)
        return np.array(found.column(0).to_pylist(), np.bool_)

    def _asked(self, question: str, lines: pa.StringArray) -> pa.Table:
        self._database.register("lines", pa.table({"line": lines}))
        try:
            return self._database.sql(question).to_arrow_table()
        finally:
            self._database.unregister("lines")

    def read(self, lines: pa.StringArray, *, is_respelled: bool = False) -> LeafTable:
        """The leaves of lines that end in a line feed.

        Raises `duckdb.InvalidInputException` when one of them is no JSON.
        """
        if self._asked_structure != self.keys.structure:
            # Names of keys stand in no SQL; a variable is planned as quickly as if they did.
            self._database.execute("set variable structure = $1", [self.keys.structure])
            self._asked_structure = self.keys.structure
        table = self._asked(
            "select json_transform(line, getvariable('structure')) as event from lines", lines
        )
        # Taken out of their structures here: DuckDB would copy them.
        *own, metadata = _one_chunk(table.column("event")).flatten()
        arrays = {
            key: array
            for key, array in zip(self.keys.keys, [*own, *metadata.flatten()], strict=False)
            if array.null_count < len(array)
        }
        return self._certain(lines, arrays, is_respelled=is_respelled)

    def _certain(
        self, lines: pa.StringArray, arrays: dict[Key, pa.StringArray], *, is_respelled: bool
    ) -> LeafTable:
        count = len(lines)
        sizes = {scope: np.zeros(count, np.int32) for scope in ("own", "inner")}
        key_counts = np.zeros(count, np.int32)
        doubtful = np.zeros(count, np.bool_)
        content = np.zeros(count, np.uint64)
        columns: dict[Key, Column] = {}
        for key, array in arrays.items():
            scope, name = key
            lengths = texts_of(array).lengths
            is_there = lengths > 0
            sizes[scope] += lengths + is_there * np.int32(len(name) + _SIGNS_A_KEY)
            key_counts += is_there
            if scope == "own" and name in WITHOUT_CONTENT:
                continue
            column = columns[key] = self._reader_of(key).column(
                array, is_unrepeated=key in UNREPEATED, is_respelled=is_respelled
            )
            content += looked_up(column.codes, column.hashes)
            if column.doubtful is not None:
                doubtful |= looked_up(column.codes, column.doubtful)
            if column.key_counts is not None:
                key_counts += looked_up(column.codes, column.key_counts)
        lengths = texts_of(lines).lengths - 1
        without = 1 + sizes["own"]
        filled = without + sizes["inner"] + (_METADATA_SIGNS - 1)
        is_certain = np.where(sizes["inner"] > 0, lengths == filled, lengths == without)
        for row in np.flatnonzero((sizes["inner"] == 0) & (lengths == without + _METADATA_SIGNS)):
            is_certain[row] = _is_empty_metadata(lines[int(row)].as_py())
        is_certain &= ~doubtful & (key_counts < self._limits.keys)
        return LeafTable(arrays, columns, content, is_certain)

    def _reader_of(self, key: Key) -> _KeyReader:
        reader = self._readers.get(key)
        if reader is None:
            if len(self._readers) > 2 * _MAX_NAMES:
                self._readers.clear()
            reader = self._readers[key] = _KeyReader(self._content.hasher(*key), self._limits.nesting)
        return reader


def _is_empty_metadata(line: str) -> bool:
    """Whether `metadata` is `{}`; `12` would be as long."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(event, dict) and event.get("metadata") == {}


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
