"""The rows of a sealed file: one a line that is not blank, with what was decided of it.

Why it exists: admission, the archive and the staging of a batch (`verdicts.py`) agree on these columns.
Not here: what is decided (`admission.py`), files (`archive.py`).
"""

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.admission import Accepted, Outcome, Rejected, Suppressed
from orchestration.opt_outs import OptOuts
from orchestration.raw_schema import EVENT_COLUMNS, ColumnType

_ARROW_TYPES: Final[dict[ColumnType, pa.DataType]] = {
    "varchar": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("ms"),
    "date": pa.date32(),
    "decimal(18,4)": pa.decimal128(18, 4),
}
_SEAL_COLUMNS: Final[dict[str, ColumnType]] = {
    "line_number": "bigint",
    "outcome": "varchar",
    "reason": "varchar",
    "field": "varchar",
    "excerpt": "varchar",
    "is_opt_in": "boolean",
}
SEALED_SCHEMA: Final = pa.schema(
    [(name, _ARROW_TYPES[kind]) for name, kind in {**_SEAL_COLUMNS, **EVENT_COLUMNS}.items()]
)
# Keys of persons and events hardly repeat inside a file: a dictionary of them is bigger than they are.
REPEATING: Final = [
    name
    for name in SEALED_SCHEMA.names
    if not name.endswith("_key")
    and name not in ("line_number", "occurred_at", "content_hash", "play_id", "excerpt", "properties")
]
# The same columns on their way to a sealed file: a text that repeats is held once, as Parquet keeps it.
HELD_SCHEMA: Final = pa.schema(
    (field.name, pa.dictionary(pa.int32(), field.type))
    if field.name in REPEATING and field.type == pa.string()
    else field
    for field in SEALED_SCHEMA
)
# Of an event whose identity was refused; only in memory, and only until the opt-outs were asked.
_ASKED: Final = pa.schema([("refused_user_key", pa.string()), ("refused_visitor_key", pa.string())])
# What admission yields: the rows to be sealed, and the keys still to be asked.
ADMITTED_SCHEMA: Final = pa.unify_schemas([HELD_SCHEMA, _ASKED])
_PERSON_KEYS: Final = ("user_key", "visitor_id_key", "client_session_key")
# What a suppressed event keeps: enough to be a signal, to be counted by day and capsule.
_KEPT_OF_SUPPRESSED: Final = frozenset(
    ("line_number event_key content_hash event_type capsule_id occurred_at event_date is_opt_in").split()
)


def in_full(table: pa.Table) -> pa.Table:
    """Rows of a sealed file of any age as a table of `SEALED_SCHEMA`: a column it lacks is null."""
    for name in SEALED_SCHEMA.names:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, SEALED_SCHEMA.field(name).type))
    return table.select(SEALED_SCHEMA.names).cast(SEALED_SCHEMA)


def spelled_out(table: pa.Table) -> pa.Table:
    """The same rows with every text in its place, as the kernels that choose between values need them."""
    fields = [field.with_type(getattr(field.type, "value_type", field.type)) for field in table.schema]
    return table.cast(pa.schema(fields))


def outcomes_table(outcomes: Sequence[tuple[int, Outcome]]) -> pa.Table:
    """Lines that were admitted one by one, as rows of `ADMITTED_SCHEMA`."""
    rows = [_row(number, outcome) for number, outcome in outcomes]
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in ADMITTED_SCHEMA]
    return pa.Table.from_arrays(columns, schema=ADMITTED_SCHEMA)


def _row(number: int, outcome: Outcome) -> dict[str, Any]:
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
    return row


def suppress_refused(table: pa.Table, opt_outs: OptOuts) -> pa.Table:
    """Remembers the signals of a block, then suppresses its refused events of people who opted out.

    Returns the table as it is sealed. A suppressed event of refused consent keeps no key of its person.
    """
    is_signal = pc.or_kleene(pc.is_in(table["outcome"], pa.array(["suppressed"])), table["is_opt_in"])
    # A suppressed line without its instant is that of an erased person.
    signals = table.filter(pc.and_(is_signal, pc.is_valid(table["occurred_at"])))
    for row in signals.select([*_PERSON_KEYS, "occurred_at", "outcome"]).to_pylist():
        opt_outs.remember(
            [row[name] for name in _PERSON_KEYS],
            _instant(row["occurred_at"]),
            is_opt_out=row["outcome"] == "suppressed",
        )
    sealed = table.select(SEALED_SCHEMA.names)
    if not opt_outs:
        return sealed
    mask = _is_out(table, opt_outs)
    if not pc.any(mask).as_py():
        return sealed
    sealed = spelled_out(sealed)
    kept = sealed.filter(pc.invert(mask))
    suppressed = sealed.filter(mask)
    for at, field in enumerate(SEALED_SCHEMA):
        if field.name == "outcome":
            suppressed = suppressed.set_column(at, field, pa.array(["suppressed"] * suppressed.num_rows))
        elif field.name not in _KEPT_OF_SUPPRESSED:
            suppressed = suppressed.set_column(at, field, pa.nulls(suppressed.num_rows, field.type))
    return pa.concat_tables([kept, suppressed])


def _is_out(table: pa.Table, opt_outs: OptOuts) -> pa.Array:
    """Whether a row refused consent and is of a person who opted out; few rows need to be looked at."""
    asked = (*_ASKED.names, "client_session_key")
    signalled = pa.array(opt_outs.person_keys(), pa.string())
    is_known = functools.reduce(pc.or_, [pc.is_in(table[name], signalled) for name in asked])
    rows = pc.indices_nonzero(pc.and_(pc.fill_null(table["is_consent_refused"], False), is_known))
    is_out = [False] * table.num_rows
    for row, found in zip(
        rows.to_pylist(), table.take(rows).select([*asked, "occurred_at"]).to_pylist(), strict=True
    ):
        is_out[row] = opt_outs.is_out([found[name] for name in asked], _instant(found["occurred_at"]))
    return pa.array(is_out, pa.bool_())


def _instant(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
