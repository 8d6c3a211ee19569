"""Events before the window leave the warehouse and the sealed files, and the accounting still adds up.

Why it exists: a line that was accepted years ago was accepted; what leaves is what it said. So its sealed row
becomes `expired`: line number, capsule and what had been decided of it. Of an opt-out or opt-in the person's
keys and the moment stay, or a recovery would measure who must not be measured. Sealed files come first: while
the warehouse still holds the events it knows what had become of each line; a run that was killed is repeated.
Not here: figures that stay (`kept_figures.py`), the order of steps (`retention.py`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.archive import PACKED, sealed_path
from orchestration.journal import BatchRecord, make_durable
from orchestration.raw_events import renew_spans, roll_back
from orchestration.sealed_rows import SEALED_SCHEMA, in_full
from orchestration.verdicts import first_number

# The rest of a session that began before the window is kept with it, but of no session longer than this.
LONGEST_REST: Final = timedelta(days=1)
_FILES_A_STATEMENT: Final = 500
_PERSON_KEYS: Final = ("user_key", "visitor_id_key", "client_session_key")
_KEPT_OF_EXPIRED: Final = frozenset({"line_number", "outcome", "reason", "capsule_id", "is_opt_in"})
_KEPT_OF_SIGNAL: Final = frozenset({*_KEPT_OF_EXPIRED, *_PERSON_KEYS, "occurred_at", "event_date"})
_KEPT_OF_CONFLICT: Final = frozenset({"line_number", "outcome", "reason", "field", "capsule_id", "is_opt_in"})


def find_expired(connection: duckdb.DuckDBPyConnection, start: datetime) -> tuple[int, int]:
    """Fills `expired_events` with what leaves and `resting_events` with what stays though it is older.

    `start`: first instant of the window (UTC). An event before it stays while its session reaches into the
    window: cut in two, its rest would be counted as a session of its own. Returns how many leave,
    and how many stay.
    """
    bounds = {"start": _plain(start), "earliest": _plain(start - LONGEST_REST)}
    connection.execute(
        """create or replace temp table resting_events as
        select event_key from intermediate.int_events_sessionized
        where event_date between cast($earliest as date) and cast($start as date)
            and occurred_at >= $earliest and occurred_at < $start and sitting_ended_at >= $start""",
        bounds,
    )
    connection.execute(
        """create or replace temp table expired_events as
        select event_key, file_id, line_number, capsule_id, client_session_key, occurred_at from raw.events
        where event_date <= cast($start as date) and occurred_at < $start
            and event_key not in (select event_key from resting_events)""",
        {"start": bounds["start"]},
    )
    counts = [
        first_number(connection, f"select count(*) from {name}_events") for name in ("expired", "resting")
    ]
    return counts[0], counts[1]


def sealed_with_old_rows(
    connection: duckdb.DuckDBPyConnection, archive: Path, start: datetime
) -> list[tuple[int | None, str]]:
    """File id (null when the manifest knows none) and content hash of sealed files that hold what leaves."""
    paths = sorted(archive.glob("*.parquet"))
    found: set[str] = set()
    for first in range(0, len(paths), _FILES_A_STATEMENT):
        rows = connection.execute(
            """select distinct filename from read_parquet(?, hive_partitioning = false, filename = true)
            where event_key is not null and (
                (occurred_at < ? and event_key not in (select event_key from resting_events))
                or event_key in (select event_key from expired_events)
            )""",
            [[str(path) for path in paths[first : first + _FILES_A_STATEMENT]], _plain(start)],
        ).fetchall()
        found.update(Path(path).stem for (path,) in rows)
    ids = dict(
        connection.execute(
            """select content_hash, min(file_id) from raw.event_files
            where status = 'loaded' and file_kind = 'events' group by content_hash"""
        ).fetchall()
    )
    return [(ids.get(content_hash), content_hash) for content_hash in sorted(found)]


def rewrite_sealed(
    connection: duckdb.DuckDBPyConnection,
    archive: Path,
    tmp: Path,
    file: tuple[int | None, str],
    start: datetime,
) -> int:
    """Writes one sealed file anew, its old rows reduced; returns how many. The old bytes go with the file."""
    file_id, content_hash = file
    target = sealed_path(archive, content_hash)
    known = _Known(connection, file_id, start)
    draft = tmp / f"expire-{content_hash}.parquet"
    tmp.mkdir(parents=True, exist_ok=True)
    reduced_count = 0
    with (
        pq.ParquetFile(target) as sealed,
        pq.ParquetWriter(draft, SEALED_SCHEMA, **PACKED) as writer,
    ):
        for batch in sealed.iter_batches(batch_size=50_000):
            table = in_full(pa.Table.from_batches([batch]))
            gone = known.leaves(table)
            count = pc.sum(gone).as_py() or 0
            reduced_count += count
            if count:
                rows = [known.reduced(row) for row in table.filter(gone).to_pylist()]
                left = table.filter(pc.invert(gone))
                table = pa.concat_tables([left, pa.Table.from_pylist(rows, schema=SEALED_SCHEMA)])
            writer.write_table(table)
    make_durable(draft)
    draft.replace(target)
    make_durable(archive)
    return reduced_count


class _Known:
    """What the warehouse knows of the lines of a file: which leave, and what was decided of them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, file_id: int | None, start: datetime) -> None:
        def column(query: str, parameters: Sequence[Any] = ()) -> list[Any]:
            return [value for (value,) in connection.execute(query, list(parameters)).fetchall()]

        self._start = pa.scalar(_plain(start), pa.timestamp("ms"))
        self._expired = pa.array(column("select event_key from expired_events"), pa.string())
        self._resting = pa.array(column("select event_key from resting_events"), pa.string())
        self._stored = set(column("select line_number from expired_events where file_id = ?", [file_id]))
        self._conflicts = set(
            column(
                "select line_number from raw.rejected_events where file_id = ? and reason = 'id_conflict'",
                [file_id],
            )
        )
        self._expired_keys = set(self._expired.to_pylist())

    def leaves(self, table: pa.Table) -> pa.Array:
        """Whether a row lies before the window, or is another copy of an event that does."""
        is_old = pc.and_(
            pc.fill_null(pc.less(table["occurred_at"], self._start), False),
            pc.invert(pc.is_in(table["event_key"], self._resting)),
        )
        is_copy = pc.is_in(table["event_key"], self._expired)
        return pc.and_(pc.is_valid(table["event_key"]), pc.or_(is_old, is_copy))

    def reduced(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row as it stays: what was decided of the line, and a signal of its person."""
        is_signal = any(row[name] is not None for name in _PERSON_KEYS) and (
            row["outcome"] == "suppressed" or row["is_opt_in"]
        )
        if row["outcome"] == "suppressed":
            # Read again it is suppressed again, by itself.
            kept = _KEPT_OF_SIGNAL if is_signal else _KEPT_OF_EXPIRED
            return {name: row[name] for name in kept}
        if row["line_number"] in self._conflicts:
            decided = {"outcome": "rejected", "reason": "id_conflict", "field": "eventId"}
            return {name: row[name] for name in _KEPT_OF_CONFLICT} | decided
        was = "suppressed"
        if row["line_number"] in self._stored:
            was = "accepted"
        elif row["event_key"] in self._expired_keys:
            was = "duplicate"
        kept = _KEPT_OF_SIGNAL if is_signal else _KEPT_OF_EXPIRED
        return {name: row[name] for name in kept} | {"outcome": "expired", "reason": was}


def expire_events(connection: duckdb.DuckDBPyConnection, record: BatchRecord) -> None:
    """Removes `expired_events` from schema `raw` in one transaction, which is a batch without files.

    The next build renews the sessions and days around them.
    """
    committed_at = record.loaded_at.replace(tzinfo=None)
    connection.execute("begin transaction")
    try:
        connection.execute(
            """insert into raw.removed_events
            select ?, capsule_id, client_session_key, occurred_at from expired_events""",
            [record.batch_id],
        )
        connection.execute(
            """create or replace temp table expired_counts as
            select file_id, sum(expired_count) as expired_count from (
                select file_id, count(*) as expired_count from expired_events group by file_id
                union all
                select file_id, expired_count from raw.expired_events
                where file_id in (select file_id from expired_events)
            ) group by file_id"""
        )
        connection.execute(
            "delete from raw.expired_events where file_id in (select file_id from expired_counts)"
        )
        connection.execute("insert into raw.expired_events select * from expired_counts")
        connection.execute(
            """delete from raw.events
            where event_date <= (select max(cast(occurred_at as date)) from expired_events)
                and event_key in (select event_key from expired_events)"""
        )
        connection.execute(
            """update raw.rejected_events set event_key = null, content_hash = null, excerpt = null
            where event_key in (select event_key from expired_events)"""
        )
        renew_spans(connection, "expired_events")
        connection.execute(
            "insert into raw.load_batches values (?, ?, 0, 0, null)", [record.batch_id, committed_at]
        )
        connection.execute("commit")
    except BaseException:
        roll_back(connection)
        raise


def _plain(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
