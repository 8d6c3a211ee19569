"""One batch of sealed files becomes rows of schema `raw`, exactly once.

Why it exists: one transaction writes events, rejects, counts and the manifest together; the manifest's
content hashes are the only memory of what is loaded. Rules: METRICS.md, "Accounting".
Not here: duplicates, conflicts and opt-outs (`verdicts.py`), sealing (`archive.py`), the steps of a run
(`micro_batch.py`).
"""

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from orchestration.archive import sealed_path
from orchestration.journal import BatchRecord, JournalFile
from orchestration.raw_schema import COUNT_COLUMNS, EVENT_COLUMNS
from orchestration.verdicts import decide_duplicates, first_number, forget, recall, stage, suppress

_EVENT_LIST: Final = ", ".join(EVENT_COLUMNS)
# What was decided of a line, also of one whose event left after the retention window (`expiry.py`).
_DECIDED: Final = "(case when outcome = 'expired' then reason else outcome end)"
_LISTED: Final = ("kind", "name", "content_hash", "status", "refused_reason", "byte_count")


@dataclass(frozen=True, slots=True)
class Accounting:
    """received = accepted + duplicate + rejected + suppressed."""

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What one transaction wrote. `rejected_by_reason` counts lines; `newest_event_at` is UTC."""

    batch_id: int
    file_count: int
    accounting: Accounting
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    newest_event_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """Stored events that a batch takes out besides what its files overturn (`erased_rows.py`).

    `overturn`: SQL that fills `overturned`; `left_out`: a table of beaten lines that take nobody's place;
    `settle`: what else belongs into the transaction.
    """

    overturn: str
    left_out: str
    settle: Callable[[], None]


def loaded_content(
    connection: duckdb.DuckDBPyConnection, hashes: Collection[str]
) -> dict[str, tuple[str, datetime]]:
    """Content hash → (masked name, moment) of those loaded event files: what must not be loaded again."""
    rows = connection.execute(
        """select content_hash, file_name, loaded_at from raw.event_files
        where status = 'loaded' and file_kind = 'events' and content_hash in (select unnest(?::varchar[]))""",
        [list(hashes)],
    ).fetchall()
    return {content_hash: (name, loaded_at.replace(tzinfo=UTC)) for content_hash, name, loaded_at in rows}


def listed_content(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The content hashes of every file in the manifest."""
    rows = connection.execute(
        "select distinct content_hash from raw.event_files where content_hash is not null"
    ).fetchall()
    return {content_hash for (content_hash,) in rows}


def known_signals(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, datetime, bool]]:
    """Every opt-out and opt-in: person key, moment (UTC), whether it is an opt-out."""
    rows = connection.execute(
        "select person_key, signalled_at, is_opt_out from raw.privacy_signals"
    ).fetchall()
    return [(person_key, moment.replace(tzinfo=UTC), is_out) for person_key, moment, is_out in rows]


def next_file_id(connection: duckdb.DuckDBPyConnection) -> int:
    """One more than the last file of the manifest."""
    return first_number(connection, "select coalesce(max(file_id), 0) + 1 from raw.event_files")


def last_batch_id(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest committed batch, 0 before the first."""
    return first_number(connection, "select coalesce(max(batch_id), 0) from raw.load_batches")


def last_committed_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """The moment of the newest committed batch (UTC, without a zone), null before the first."""
    row = connection.execute("select max_by(committed_at, batch_id) from raw.load_batches").fetchone()
    assert row is not None
    return row[0]


def load_batch(
    connection: duckdb.DuckDBPyConnection,
    archive: Path,
    record: BatchRecord,
    removal: Removal | None = None,
) -> BatchSummary:
    """Commits one batch of event files: the sealed files of the record's `loaded` ones.

    `repeated` and `refused` files are recorded and add nothing. The same record over the same state gives
    the same rows, which is what `engagement recover` relies on.
    """
    loaded_at = record.loaded_at.replace(tzinfo=None)
    loaded = record.with_status("loaded")
    first_file_id = next_file_id(connection)
    stage(connection, [sealed_path(archive, str(file.content_hash)) for file in loaded], first_file_id)
    suppress(connection)
    if removal:
        connection.execute(removal.overturn)
    recall(connection, archive, removal.left_out if removal else None)
    decide_duplicates(connection)
    connection.execute("begin transaction")
    try:
        _write_events(connection, record.batch_id)
        _write_rejects(connection, record.batch_id, loaded_at)
        _write_signals(connection, record.batch_id)
        _write_counts(connection, record.batch_id, loaded_at)
        _write_files(connection, record, loaded_at, first_file_id)
        if removal:
            removal.settle()
        summary = _summary(connection, record.batch_id, len(loaded))
        connection.execute(
            "insert into raw.load_batches values (?, ?, ?, ?, ?)",
            [record.batch_id, loaded_at, len(loaded), summary.accounting.accepted, summary.newest_event_at],
        )
        connection.execute("commit")
    except BaseException:
        roll_back(connection)
        raise
    finally:
        # After a full disk the connection takes no statement at all.
        with contextlib.suppress(duckdb.Error):
            forget(connection)
    return summary


def roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Ends a transaction that failed; one that DuckDB ended itself must not hide why."""
    with contextlib.suppress(duckdb.Error):
        connection.execute("rollback")


def _write_events(connection: duckdb.DuckDBPyConnection, batch_id: int) -> None:
    is_overturned = """event_date between (select min(event_date) from overturned)
            and (select max(event_date) from overturned)
            and (file_id, line_number) in (select (file_id, line_number) from overturned)"""
    connection.execute(
        f"""insert into raw.removed_events
        select ?, capsule_id, client_session_key, occurred_at from raw.events where {is_overturned}""",
        [batch_id],
    )
    connection.execute(f"delete from raw.events where {is_overturned}")
    connection.execute(
        f"""insert into raw.events ({_EVENT_LIST}, file_id, line_number, batch_id)
        select {_EVENT_LIST}, file_id, line_number, ? from incoming
        where outcome = 'accepted'
        union all
        select {_EVENT_LIST}, file_id, line_number, ? from recalled
        order by event_date, capsule_id, occurred_at, event_key""",
        [batch_id, batch_id],
    )


def _write_rejects(connection: duckdb.DuckDBPyConnection, batch_id: int, loaded_at: datetime) -> None:
    connection.execute(
        """delete from raw.rejected_events
        where (file_id, line_number) in (select (file_id, line_number) from recalled)"""
    )
    connection.execute(
        """insert into raw.rejected_events
            (file_id, line_number, batch_id, reason, field, capsule_id, excerpt, event_key, content_hash,
             loaded_at)
        select file_id, line_number, ?, reason, field, capsule_id, excerpt, event_key, content_hash, ?
        from incoming where outcome = 'rejected'
        union all
        select overturned.file_id, overturned.line_number, ?, 'id_conflict', 'eventId',
            overturned.capsule_id, null, overturned.event_key, overturned.content_hash, files.loaded_at
        from overturned
        inner join raw.event_files as files on overturned.file_id = files.file_id
        where overturned.outcome = 'rejected'""",
        [batch_id, loaded_at, batch_id],
    )


def _write_signals(connection: duckdb.DuckDBPyConnection, batch_id: int) -> None:
    connection.execute(
        "insert into raw.privacy_signals select person_key, signalled_at, is_opt_out, ? from new_signals",
        [batch_id],
    )


def _write_counts(connection: duckdb.DuckDBPyConnection, batch_id: int, loaded_at: datetime) -> None:
    connection.execute(
        f"""insert into raw.event_file_counts
        select file_id, ?, capsule_id, count(*), count_if({_DECIDED} = 'accepted'),
            count_if({_DECIDED} = 'duplicate'), count_if({_DECIDED} = 'rejected'),
            count_if({_DECIDED} = 'suppressed'), ?
        from incoming group by file_id, capsule_id""",
        [batch_id, loaded_at],
    )
    connection.execute(
        """insert into raw.expired_events
        select file_id, count(*) from incoming
        where outcome = 'expired' and reason = 'accepted' group by file_id"""
    )
    # A stored event that lost to a later arrival moves from accepted to where it belongs, in its own file;
    # one that takes the place of a suppressed one moves from rejected to accepted.
    connection.execute(
        """update raw.event_file_counts as counts set
            accepted_count = counts.accepted_count + moved.accepted_count,
            rejected_count = counts.rejected_count + moved.rejected_count,
            suppressed_count = counts.suppressed_count + moved.suppressed_count
        from (
            select file_id, capsule_id, sum(if(outcome = 'recalled', 1, -1)) as accepted_count,
                count_if(outcome = 'rejected') - count_if(outcome = 'recalled') as rejected_count,
                count_if(outcome = 'suppressed') as suppressed_count
            from (
                select file_id, capsule_id, outcome from overturned
                union all
                select file_id, capsule_id, 'recalled' from recalled
            )
            group by all
        ) as moved
        where counts.file_id = moved.file_id and counts.capsule_id = moved.capsule_id"""
    )


def _write_files(
    connection: duckdb.DuckDBPyConnection, record: BatchRecord, loaded_at: datetime, first_file_id: int
) -> None:
    # The loaded ones first: their ids are those of `incoming`, and the repeated ones refer to them.
    loaded = record.with_status("loaded")
    write_file_rows(connection, record, loaded, first_file_id)
    others = record.with_status("repeated") + record.with_status("refused")
    write_file_rows(connection, record, others, first_file_id + len(loaded))
    sums = ", ".join(f"{name} = counts.{name}" for name in COUNT_COLUMNS)
    connection.execute(
        f"""update raw.event_files as files set {sums}
        from (
            select file_id, {", ".join(f"sum({name}) as {name}" for name in COUNT_COLUMNS)}
            from raw.event_file_counts
            where file_id >= ?
                or file_id in (select file_id from overturned union all select file_id from recalled)
            group by file_id
        ) as counts
        where files.file_id = counts.file_id""",
        [first_file_id],
    )
    connection.execute(
        """update raw.event_files as files set
            first_event_at = spans.first_event_at, last_event_at = spans.last_event_at
        from (
            select file_id, min(occurred_at) as first_event_at, max(occurred_at) as last_event_at
            from incoming where outcome = 'accepted' group by file_id
        ) as spans
        where files.file_id = spans.file_id"""
    )


def renew_spans(connection: duckdb.DuckDBPyConnection, left: str) -> None:
    """First and last instant of the files that lost events, and the newest of their batches.

    `left`: a table with the `file_id` of what left, in the transaction that took it out of `raw.events`.
    """
    connection.execute(
        f"""update raw.event_files as files set
            first_event_at = spans.first_event_at, last_event_at = spans.last_event_at
        from (
            select touched.file_id, min(events.occurred_at) as first_event_at,
                max(events.occurred_at) as last_event_at
            from (select distinct file_id from {left}) as touched
            left join raw.events as events on touched.file_id = events.file_id
            group by touched.file_id
        ) as spans
        where files.file_id = spans.file_id"""
    )
    connection.execute(
        f"""update raw.load_batches as batches set newest_event_at = spans.newest_event_at
        from (
            select batch_id, max(last_event_at) as newest_event_at from raw.event_files
            where batch_id in (
                select batch_id from raw.event_files where file_id in (select file_id from {left})
            )
            group by batch_id
        ) as spans
        where batches.batch_id = spans.batch_id"""
    )


def write_file_rows(
    connection: duckdb.DuckDBPyConnection,
    record: BatchRecord,
    files: Sequence[JournalFile],
    first_file_id: int,
) -> None:
    """The manifest's rows of files, with all counts 0; `repeated_of` is the first file with its content."""
    if not files:
        return
    # One statement for all: a statement a file costs 1.2 ms each.
    connection.execute(
        """insert into raw.event_files
            (file_id, batch_id, file_kind, file_name, content_hash, status, refused_reason, byte_count,
             loaded_at, received_count, accepted_count, duplicate_count, rejected_count, suppressed_count,
             repeated_of)
        with listed as (
            select unnest(?::bigint[]) as file_id, unnest(?::varchar[]) as file_kind,
                unnest(?::varchar[]) as file_name, unnest(?::varchar[]) as content_hash,
                unnest(?::varchar[]) as status, unnest(?::varchar[]) as refused_reason,
                unnest(?::bigint[]) as byte_count
        ),

        firsts as (
            select content_hash, min(file_id) as file_id from raw.event_files
            where status = 'loaded' group by content_hash
        )

        select listed.file_id, ?, listed.file_kind, listed.file_name, listed.content_hash, listed.status,
            listed.refused_reason, listed.byte_count, ?, 0, 0, 0, 0, 0, firsts.file_id
        from listed
        left join firsts on listed.content_hash = firsts.content_hash and listed.status = 'repeated'
        order by listed.file_id""",
        [
            list(range(first_file_id, first_file_id + len(files))),
            *([getattr(file, name) for file in files] for name in _LISTED),
            record.batch_id,
            record.loaded_at.replace(tzinfo=None),
        ],
    )


def _summary(connection: duckdb.DuckDBPyConnection, batch_id: int, file_count: int) -> BatchSummary:
    counts = connection.execute(
        f"""select count(*), count(*) filter (where {_DECIDED} = 'accepted'),
            count(*) filter (where {_DECIDED} = 'duplicate'),
            count(*) filter (where {_DECIDED} = 'rejected'),
            count(*) filter (where {_DECIDED} = 'suppressed'),
            max(occurred_at) filter (where outcome = 'accepted')
        from incoming"""
    ).fetchone()
    assert counts is not None
    reasons = connection.execute(
        "select reason, count(*) from incoming where outcome = 'rejected' group by all order by all"
    ).fetchall()
    return BatchSummary(batch_id, file_count, Accounting(*counts[:5]), dict(reasons), counts[5])


def accounting_gaps(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """File ids whose lines received are not accepted + duplicate + rejected + suppressed, or not stored.

    Accepted and rejected counts are held against the rows themselves (rows of a catalogue are replaced by
    later ones, so only its rejects are); empty when all is accounted for.
    """
    rows = connection.execute(
        """with stored as (
            select file_id, count(*) as stored_count from raw.events group by file_id
        ),

        kept as (
            select file_id, count(*) as kept_count from raw.rejected_events group by file_id
        ),

        expired as (
            select file_id, sum(expired_count) as expired_count from raw.expired_events group by file_id
        )

        select files.file_id
        from raw.event_files as files
        left join stored on files.file_id = stored.file_id
        left join kept on files.file_id = kept.file_id
        left join expired on files.file_id = expired.file_id
        where files.received_count <> files.accepted_count + files.duplicate_count
                + files.rejected_count + files.suppressed_count
            or (
                files.file_kind = 'events'
                and files.accepted_count
                    <> coalesce(stored.stored_count, 0) + coalesce(expired.expired_count, 0)
            )
            or files.rejected_count <> coalesce(kept.kept_count, 0)
        order by files.file_id"""
    ).fetchall()
    return [file_id for (file_id,) in rows]
