"""Lines of erased people that arrive again are suppressed before they are sealed.

Why it exists: the list of erased people holds for whatever comes: the same file under another name, a late
one, a backup. Pure: tables in, tables out. Not here: the list (`erasure_list.py`), what is stored already
(`erased_rows.py`).
"""

import functools
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.erasure_list import ErasureList
from orchestration.sealed_rows import spelled_out

# What is left of an erased line: that it was there, on which capsule, and that it does not count.
_LEFT: Final = frozenset({"line_number", "outcome", "capsule_id"})
_KEPT: Final = ("user_key", "visitor_id_key")
_REFUSED: Final = ("refused_user_key", "refused_visitor_key")


def suppress_erased(table: pa.Table, erased: ErasureList) -> pa.Table:
    """Suppresses the lines of erased people in a block that was just admitted, and notes their sessions.

    `table` has the keys of refused consent as well, which are asked and never kept. Events without a user
    that come before the line their session is met in follow when the file is whole.
    """
    if not erased:
        return table
    mask = _is_person(table, erased, (*_KEPT, *_REFUSED))
    erased.met_sessions |= {key for key in table.filter(mask)["client_session_key"].to_pylist() if key}
    return _cleaned(table, pc.or_(mask, _is_in_session(table, erased)))


def is_anybody_erased(table: pa.Table, erased: ErasureList) -> bool:
    """Whether any row belongs to somebody on the list; `table` has their keys."""
    return bool(pc.any(_is_erased(table, erased)).as_py())


def suppress_all_erased(table: pa.Table, erased: ErasureList) -> pa.Table:
    """A sealed table in which nobody of the list counts."""
    return _cleaned(table, _is_erased(table, erased))


def _is_erased(table: pa.Table, erased: ErasureList) -> pa.ChunkedArray:
    return pc.or_(_is_person(table, erased, _KEPT), _is_in_session(table, erased))


def suppress_their_sessions(table: pa.Table, erased: ErasureList) -> pa.Table:
    """Suppresses the lines without a user in sessions of erased people."""
    return _cleaned(table, _is_in_session(table, erased))


def without_lines(table: pa.Table, numbers: Sequence[int]) -> pa.Table:
    """A sealed table whose lines of these numbers say no more than that they were suppressed."""
    return _cleaned(table, pc.is_in(table["line_number"], pa.array(numbers, pa.int64())))


def _is_person(table: pa.Table, erased: ErasureList, names: Sequence[str]) -> pa.ChunkedArray:
    keys = {key for name in names for key in table[name].unique().to_pylist()}
    theirs = pa.array(sorted(erased.erased_of("person", keys)), pa.string())
    return functools.reduce(pc.or_, [pc.is_in(table[name], theirs) for name in names])


def _is_in_session(table: pa.Table, erased: ErasureList) -> pa.ChunkedArray:
    sessions = table["client_session_key"].unique().to_pylist()
    theirs = erased.erased_of("session", sessions) | (erased.met_sessions & set(sessions))
    mask = pc.is_in(table["client_session_key"], pa.array(sorted(theirs), pa.string()))
    if erased.has("event"):
        events = erased.erased_of("event", table["event_key"].unique().to_pylist())
        mask = pc.or_(mask, pc.is_in(table["event_key"], pa.array(sorted(events), pa.string())))
    return pc.and_(pc.is_null(table["user_key"]), mask)


def _cleaned(table: pa.Table, mask: pa.ChunkedArray) -> pa.Table:
    if not pc.any(mask).as_py():
        return table
    table = spelled_out(table)
    columns = []
    for column in table.schema:
        values = table[column.name]
        if column.name == "outcome":
            values = pc.if_else(mask, pa.scalar("suppressed"), values)
        elif column.name not in _LEFT:
            values = pc.if_else(mask, pa.scalar(None, column.type), values)
        columns.append(values)
    return pa.Table.from_arrays(columns, schema=table.schema)
