"""What becomes of each line of a batch, decided over everything that is known, before the transaction.

Works on temporary tables: `incoming` (the lines, with an `outcome` that changes here), `overturned` (stored
events that lose their place to what arrived), `recalled` (events that lost to one which is suppressed now,
and take its place) and `new_signals` (opt-outs and opt-ins). Rules: METRICS.md,
"Identity of an event" and "Privacy". Not here: writing anything that stays (`raw_events.py`).
"""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from orchestration.raw_schema import EVENT_COLUMNS

_EVENT_LIST: Final = ", ".join(EVENT_COLUMNS)
_NO_EVENT: Final = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in EVENT_COLUMNS.items())
# Sealed files of any age: a column that those of a statement lack is null.
_SEALED_FILES: Final = f"""(
    select {_NO_EVENT} where false
    union all by name
    select * from read_parquet(?, union_by_name = true, hive_partitioning = false, filename = true)
)"""
_FILES_A_STATEMENT: Final = 500
_SIGNALS: Final = """select person_key, signalled_at, is_opt_out from raw.privacy_signals
    union all select * from new_signals"""
_PERSON_KEYS: Final = ("user_key", "visitor_id_key", "client_session_key")


def stage(connection: duckdb.DuckDBPyConnection, sealed: Sequence[Path], first_file_id: int) -> None:
    """Reads the sealed files into `incoming`; `outcome` changes there until the transaction."""
    connection.execute(
        f"""create or replace temp table incoming as
        select cast(null as bigint) as file_id, cast(null as bigint) as line_number, '' as outcome,
            '' as reason, '' as field, '' as excerpt, false as is_opt_in, {_NO_EVENT}
        limit 0"""
    )
    connection.execute(
        """create or replace temp table sealed_files as
        select unnest(?::varchar[]) as path, unnest(?::bigint[]) as file_id""",
        [[str(path) for path in sealed], list(range(first_file_id, first_file_id + len(sealed)))],
    )
    # Many files a statement: planning one costs 3.6 ms a file, a tenth of that in a list of 500.
    for start in range(0, len(sealed), _FILES_A_STATEMENT):
        part = [glob.escape(str(path)) for path in sealed[start : start + _FILES_A_STATEMENT]]
        inserted = connection.execute(
            f"""insert into incoming
            select sealed_files.file_id, lines.line_number, lines.outcome, lines.reason, lines.field,
                lines.excerpt, lines.is_opt_in, {_EVENT_LIST}
            from {_SEALED_FILES} as lines
            inner join sealed_files on lines.filename = sealed_files.path""",
            [part],
        ).fetchone()
        sealed_rows = connection.execute("select count(*) from read_parquet(?)", [part]).fetchone()
        if inserted != sealed_rows:
            raise RuntimeError(f"Staged {inserted} of {sealed_rows} sealed lines; nothing was committed")


def suppress(connection: duckdb.DuckDBPyConnection) -> None:
    """Events of a person at or after an opt-out, and before an opt-in, are suppressed.

    The signals decide by their own instants, so the order in which files arrive does not matter; events
    that were stored before their person's opt-out became known go to `overturned`.
    """
    per_key = " union all ".join(
        f"""select {key} as person_key, occurred_at as signalled_at, outcome = 'suppressed' as is_opt_out
        from incoming where {key} is not null and (outcome = 'suppressed' or is_opt_in)"""
        for key in _PERSON_KEYS
    )
    connection.execute(f"create or replace temp table new_signals as select distinct * from ({per_key})")
    connection.execute(
        """create or replace temp table overturned as
        select event_key, content_hash, event_date, file_id, capsule_id, line_number, '' as outcome
        from raw.events limit 0"""
    )
    if first_number(connection, "select count(*) from new_signals") > 0:
        connection.execute(
            f"""insert into overturned
            select event_key, content_hash, event_date, file_id, capsule_id, line_number, 'suppressed'
            from raw.events
            where {
                is_opted_out(
                    "raw.events",
                    f"select * from ({_SIGNALS}) where person_key in (select person_key from new_signals)",
                )
            }"""
        )
    connection.execute(
        f"""update incoming set outcome = 'suppressed'
        where outcome = 'accepted' and {is_opted_out("incoming", _SIGNALS)}"""
    )


def is_opted_out(relation: str, signals: str) -> str:
    """SQL: whether the latest signal of any of the event's keys, up to its instant, is an opt-out."""
    per_key = " union all ".join(
        f"""select candidate.file_id, candidate.line_number, signal.is_opt_out,
            row_number() over (
                partition by candidate.file_id, candidate.line_number
                order by signal.signalled_at desc, signal.is_opt_out desc
            ) as newest
        from {relation} as candidate
        inner join ({signals}) as signal
            on candidate.{key} = signal.person_key and signal.signalled_at <= candidate.occurred_at"""
        for key in _PERSON_KEYS
    )
    return f"""(file_id, line_number) in (
        select (file_id, line_number) from ({per_key}) where newest = 1 and is_opt_out
    )"""


def recall(connection: duckdb.DuckDBPyConnection, archive: Path, left_out: str | None = None) -> None:
    """Finds who takes the place of stored events that are suppressed now: the best of those they had beaten.

    Only the sealed files still hold these events whole. Without this the order of arrival would decide:
    had the opt-out come first, the event it suppresses would never have beaten anybody. `left_out`: a table
    of lines that are never recalled.
    """
    connection.execute(
        f"""create or replace temp table recalled as
        select {_EVENT_LIST}, file_id, line_number from raw.events limit 0"""
    )
    but = f"and (file_id, line_number) not in (select (file_id, line_number) from {left_out})"
    beaten = connection.execute(
        f"""select files.content_hash, beaten.file_id, beaten.line_number
        from raw.rejected_events as beaten
        inner join raw.event_files as files on beaten.file_id = files.file_id
        where beaten.reason = 'id_conflict'
            and beaten.event_key in (select event_key from overturned where outcome = 'suppressed')
            {but.replace("(file_id, line", "(beaten.file_id, beaten.line", 1) if left_out else ""}
        order by all"""
    ).fetchall()
    for content_hash, file_id, line_number in beaten:
        sealed = archive / f"{content_hash}.parquet"
        if sealed.exists():
            connection.execute(
                f"""insert into recalled
                select {_EVENT_LIST}, ?, line_number
                from {_SEALED_FILES} where line_number = ?""",
                [file_id, glob.escape(str(sealed)), line_number],
            )
    connection.execute(f"delete from recalled where {is_opted_out('recalled', _SIGNALS)}")
    connection.execute(
        """delete from recalled where (file_id, line_number) not in (
            select (file_id, line_number) from recalled
            qualify row_number() over (partition by event_key order by occurred_at, content_hash) = 1
        )"""
    )


def decide_duplicates(connection: duckdb.DuckDBPyConnection) -> None:
    """Of all lines with one identity, the earliest instant wins, then the smallest content hash.

    A further copy of a content is a duplicate; the first copy of a losing content is an `id_conflict`.
    The look into history is bounded to the days of the batch and one day around them.
    """
    bounds = connection.execute(
        "select min(event_date) - 1, max(event_date) + 1 from incoming where outcome = 'accepted'"
    ).fetchone()
    connection.execute(
        """create or replace temp table contest as
        with stored as (
            select event_key, content_hash, occurred_at, event_date, capsule_id, file_id, line_number,
                'stored' as origin
            from raw.events
            where event_date between ? and ?
                and event_key in (select event_key from incoming where outcome = 'accepted')
                and (file_id, line_number) not in (select (file_id, line_number) from overturned)
            union all
            select event_key, content_hash, occurred_at, event_date, capsule_id, file_id, line_number,
                'recalled' as origin
            from recalled
            where event_key in (select event_key from incoming where outcome = 'accepted')
        ),

        beaten as (
            select event_key, content_hash, null as occurred_at, null as event_date, capsule_id, file_id,
                line_number, 'beaten' as origin
            from raw.rejected_events
            where reason = 'id_conflict'
                and event_key in (select event_key from incoming where outcome = 'accepted')
                and (file_id, line_number) not in (select (file_id, line_number) from recalled)
        ),

        arriving as (
            select event_key, content_hash, occurred_at, event_date, capsule_id, file_id, line_number,
                'arriving' as origin
            from incoming
            where outcome = 'accepted'
        ),

        everyone as (
            select * from stored union all select * from beaten union all select * from arriving
        ),

        ranked as (
            select
                *,
                row_number() over (
                    partition by event_key, content_hash order by origin = 'arriving', file_id, line_number
                ) as copy_number,
                row_number() over (
                    partition by event_key
                    order by
                        origin = 'beaten', occurred_at, content_hash,
                        origin = 'arriving', file_id, line_number
                ) as event_rank
            from everyone
        )

        select * from ranked where event_rank > 1 or copy_number > 1""",
        list(bounds or (None, None)),
    )
    connection.execute(
        """update incoming set
            outcome = case when contest.copy_number > 1 then 'duplicate' else 'rejected' end,
            reason = case when contest.copy_number > 1 then null else 'id_conflict' end,
            field = case when contest.copy_number > 1 then null else 'eventId' end
        from contest
        where contest.origin = 'arriving'
            and incoming.file_id = contest.file_id and incoming.line_number = contest.line_number"""
    )
    connection.execute(
        """insert into overturned
        select event_key, content_hash, event_date, file_id, capsule_id, line_number, 'rejected'
        from contest where origin = 'stored'"""
    )
    connection.execute(
        """delete from recalled where (file_id, line_number) in (
            select (file_id, line_number) from contest where origin = 'recalled'
        )"""
    )
    connection.execute("drop table temp.contest")


def forget(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops the temporary tables."""
    for table in ("incoming", "sealed_files", "overturned", "recalled", "new_signals"):
        connection.execute(f"drop table if exists temp.{table}")


def first_number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The first column of a query's first row."""
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])
