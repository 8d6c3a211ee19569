"""The rows of erased people: found in warehouse and archive, and taken out of both.

Why it exists: a person is found by their key, then by the sessions they were in, whose events without a user
are theirs too; the same lines must go from raw tables, counts and sealed files, so that a warehouse rebuilt
from the archive is the one that was erased. Rules: METRICS.md, "Sessions" and "Privacy".
Not here: landed files (`erased_originals.py`), the order of steps (`erasure.py`).
"""

import glob
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb

from orchestration.archive import row_groups, write_sealed
from orchestration.erased_lines import without_lines
from orchestration.erasure_list import ErasureList
from orchestration.journal import BatchRecord
from orchestration.raw_events import BatchSummary, Removal, load_batch, renew_spans
from orchestration.settings import PROJECT_ROOT
from orchestration.verdicts import is_opted_out

_FILES_A_STATEMENT: Final = 500
_FOUND_COLUMNS: Final = "capsule_id, user_key, visitor_id_key, client_session_key, event_key, occurred_at"


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """What there is of erased people: plain keys, and the lines of each sealed content.

    `sessions`: client sessions with no other user; `events`: theirs in sessions they shared with another.
    `counts`: rows by place. `session_keys`: the sessions as the marts know them.
    """

    sessions: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    session_keys: list[str] = field(default_factory=list)
    capsules: list[str] = field(default_factory=list)
    lines: dict[str, list[int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    first_day: str | None = None
    last_day: str | None = None


def find_person(
    connection: duckdb.DuckDBPyConnection,
    archive: Path,
    persons: Iterable[str],
    sessions: Iterable[str] = (),
    events: Iterable[str] = (),
) -> FoundPerson:
    """Finds every row of people by their keys, and leaves the temporary table `erased_lines` for `take_out`.

    `sessions` and `events`: keys already known to be theirs where no user is signed in.
    """
    for name, keys in (("person", persons), ("session", sessions), ("event", events)):
        connection.execute(
            f"create or replace temp table asked_{name} as select distinct unnest(?::varchar[]) as key",
            [list(keys)],
        )
    connection.execute(
        f"""create or replace temp table erased_lines as
        select '' as content_hash, 0::bigint as line_number, '' as outcome, {_FOUND_COLUMNS}
        from raw.events limit 0"""
    )
    is_person = "(user_key in (from asked_person) or visitor_id_key in (from asked_person))"
    _scan_archive(connection, archive, is_person)
    _follow_sessions(connection, is_person)
    _scan_archive(
        connection,
        archive,
        """user_key is null and (visitor_id_key is null or visitor_id_key not in (from asked_person))
        and (client_session_key in (from asked_session) or event_key in (from asked_event))""",
    )
    # What a warehouse holds without its sealed file goes as well.
    connection.execute(
        """create or replace temp table erased_stored as
        select events.file_id, events.line_number, events.event_key, events.capsule_id,
            events.client_session_key, events.user_key, events.visitor_id_key, events.occurred_at,
            events.event_date, events.content_hash, events.batch_id
        from raw.events as events
        -- Not by the event's key alone: who had lost to it may stand in its place already.
        where (events.event_key, events.client_session_key, coalesce(events.user_key, '')) in (
                select (event_key, client_session_key, coalesce(user_key, '')) from erased_events
            )
            or events.user_key in (from asked_person) or events.visitor_id_key in (from asked_person)
            or (events.user_key is null and events.client_session_key in (from asked_session))"""
    )
    connection.execute(
        f"""create or replace temp table erased_beaten as
        select file_id, capsule_id, line_number from raw.rejected_events where {_BEATEN}"""
    )
    return _found(connection)


def _scan_archive(connection: duckdb.DuckDBPyConnection, archive: Path, condition: str) -> None:
    sealed = [glob.escape(str(path)) for path in sorted(archive.glob("*.parquet"))]
    for start in range(0, len(sealed), _FILES_A_STATEMENT):
        connection.execute(
            f"""insert into erased_lines
            select parse_filename(filename, true), line_number, outcome, {_FOUND_COLUMNS}
            from read_parquet(?, hive_partitioning = false, filename = true)
            where {condition}""",
            [sealed[start : start + _FILES_A_STATEMENT]],
        )


def session_gap_minutes() -> int:
    """The pause that ends a session, from where dbt has it."""
    found = re.search(
        r"^  session_gap_minutes: (\d+)$", (PROJECT_ROOT / "dbt_project.yml").read_text("utf-8"), re.MULTILINE
    )
    assert found is not None
    return int(found.group(1))


def _follow_sessions(connection: duckdb.DuckDBPyConnection, is_person: str) -> None:
    """Events without a user belong to whom their session belongs to: the last user before, else the next.

    A session that somebody else shared is theirs from where they signed in; there only the person's own part
    goes, event by event.
    """
    order = "order by occurred_at, event_key"
    sitting = "client_session_key, sitting"
    before = f"{order} rows between unbounded preceding and current row"
    after = f"{order} rows between current row and unbounded following"
    connection.execute(
        f"""create or replace temp table erased_events as
        with candidates as (
            select event_key, client_session_key, user_key, occurred_at, {is_person} as is_person
            from raw.events
            where client_session_key in (
                select client_session_key from erased_lines
                union all select client_session_key from raw.events where {is_person}
                union all from asked_session
            )
            union
            select event_key, client_session_key, user_key, occurred_at, true from erased_lines
            where client_session_key is not null
        ),

        paused as (
            select
                *,
                case when coalesce(is_person, false) or user_key is not null
                    then coalesce(is_person, false) end as is_theirs,
                occurred_at > lag(occurred_at) over (partition by client_session_key {order})
                    + interval '{session_gap_minutes()} minutes' as is_after_pause
            from candidates
        ),

        sittings as (
            select *, sum(if(is_after_pause, 1, 0)) over (partition by client_session_key {before}) as sitting
            from paused
        ),

        owned as (
            select
                *,
                coalesce(
                    last_value(is_theirs ignore nulls) over (partition by {sitting} {before}),
                    first_value(is_theirs ignore nulls) over (partition by {sitting} {after}),
                    last_value(is_theirs ignore nulls) over (partition by client_session_key {before}),
                    first_value(is_theirs ignore nulls) over (partition by client_session_key {after})
                ) as is_erased,
                bool_or(not is_theirs) over (partition by client_session_key) as is_shared
            from sittings
        )

        select event_key, client_session_key, user_key, coalesce(is_shared, false) as is_shared
        from owned where is_erased
        union
        select event_key, client_session_key, user_key, true from raw.events
        where user_key is null and event_key in (from asked_event)"""
    )
    connection.execute(
        "insert into asked_session select distinct client_session_key from erased_events where not is_shared"
    )
    connection.execute(
        """insert into asked_event
        select distinct event_key from erased_events where is_shared and user_key is null"""
    )


def _found(connection: duckdb.DuckDBPyConnection) -> FoundPerson:
    def column(query: str) -> list[str]:
        return [value for (value,) in connection.execute(query).fetchall()]

    lines = connection.execute(
        "select content_hash, list(distinct line_number order by line_number) from erased_lines group by all"
    ).fetchall()
    days = connection.execute("select min(event_date), max(event_date) from erased_stored").fetchone()
    is_built = connection.execute(
        "select count(*) from duckdb_tables() where table_name = 'int_events_sessionized'"
    ).fetchone()
    session_keys = (
        column(
            """select session_key from intermediate.int_events_sessionized
            where client_session_key in (select client_session_key from erased_stored)
            group by session_key having bool_and(event_key in (select event_key from erased_stored))"""
        )
        if is_built != (0,)
        else []
    )
    counts = {
        "archive": sum(len(numbers) for _, numbers in lines),
        "raw.events": int(column("select count(*) from erased_stored")[0]),
        "raw.rejected_events": int(column("select count(*) from erased_beaten")[0]),
        "raw.privacy_signals": int(column(f"select count(*) from raw.privacy_signals where {_SIGNAL}")[0]),
    }
    return FoundPerson(
        column("select distinct key from asked_session where key is not null order by 1"),
        # Not one that somebody else sent as well.
        column(
            """select distinct key from asked_event
            where key is not null and key not in (
                select event_key from raw.events where user_key is not null
                    and event_key not in (select event_key from erased_stored)
            ) order by 1"""
        ),
        session_keys,
        column("select distinct capsule_id from erased_stored order by 1"),
        {content_hash: list(numbers) for content_hash, numbers in lines},
        counts,
        *(str(day) if day else None for day in days or (None, None)),
    )


_BEATEN: Final = """reason = 'id_conflict' and (file_id, line_number) in (
    select (files.file_id, erased_lines.line_number) from erased_lines
    inner join raw.event_files as files on files.content_hash = erased_lines.content_hash
        and files.status = 'loaded')"""
_SIGNAL: Final = "person_key in (from asked_person) or person_key in (from asked_session)"


def take_out(
    connection: duckdb.DuckDBPyConnection, archive: Path, record: BatchRecord, erased: ErasureList
) -> BatchSummary:
    """Takes what `find_person` found out of schema `raw`, in one transaction under a record without files.

    Erased lines are counted as suppressed. An event that had lost to an erased one takes its place.
    """
    removal = Removal(
        overturn="""insert into overturned
        select event_key, content_hash, event_date, file_id, capsule_id, line_number, 'suppressed'
        from erased_stored""",
        left_out="erased_beaten",
        settle=lambda: _settle(connection, erased),
    )
    return load_batch(connection, archive, record, removal)


def _settle(connection: duckdb.DuckDBPyConnection, erased: ErasureList) -> None:
    """What is left besides the events: counts, beaten events, opt-outs; inside the transaction."""
    connection.execute(
        """create or replace temp table erased_copies as
        select distinct files.file_id, lines.line_number, lines.capsule_id, lines.user_key,
            lines.visitor_id_key, lines.client_session_key, lines.occurred_at
        from erased_lines as lines
        inner join raw.event_files as files
            on lines.content_hash = files.content_hash and files.status = 'loaded'
                and files.file_kind = 'events'
        where lines.outcome = 'accepted'"""
    )
    connection.execute(
        """delete from erased_copies
        where (file_id, line_number) in (select (file_id, line_number) from erased_stored)"""
    )
    signals = "select person_key, signalled_at, is_opt_out from raw.privacy_signals"
    connection.execute(f"delete from erased_copies where {is_opted_out('erased_copies', signals)}")
    connection.execute(
        """delete from erased_copies
        where (file_id, line_number) in (select (file_id, line_number) from erased_beaten)"""
    )
    connection.execute(
        """update raw.event_file_counts as counts set
            rejected_count = counts.rejected_count - moved.beaten_count,
            duplicate_count = counts.duplicate_count - moved.copy_count,
            suppressed_count = counts.suppressed_count + moved.beaten_count + moved.copy_count
        from (
            select file_id, capsule_id, count_if(is_beaten) as beaten_count,
                count_if(not is_beaten) as copy_count
            from (
                select file_id, capsule_id, true as is_beaten from erased_beaten
                union all select file_id, capsule_id, false from erased_copies
            ) group by all
        ) as moved
        where counts.file_id = moved.file_id and counts.capsule_id = moved.capsule_id"""
    )
    connection.execute(
        """delete from raw.rejected_events
        where (file_id, line_number) in (select (file_id, line_number) from erased_beaten)"""
    )
    connection.execute(f"delete from raw.privacy_signals where {_SIGNAL}")
    connection.execute(
        """update raw.event_files as files set
            accepted_count = counts.accepted, duplicate_count = counts.duplicates,
            rejected_count = counts.rejected, suppressed_count = counts.suppressed
        from (
            select file_id, sum(accepted_count) as accepted, sum(duplicate_count) as duplicates,
                sum(rejected_count) as rejected, sum(suppressed_count) as suppressed
            from raw.event_file_counts group by file_id
        ) as counts
        where files.file_id = counts.file_id and files.file_id in (
            select file_id from erased_stored union select file_id from erased_copies
            union select file_id from erased_beaten
        )"""
    )
    renew_spans(connection, "erased_stored")
    # As if those batches had never accepted them.
    connection.execute(
        """update raw.load_batches as batches set accepted_count = batches.accepted_count - gone.event_count
        from (select batch_id, count(*) as event_count from erased_stored group by batch_id) as gone
        where batches.batch_id = gone.batch_id"""
    )
    note_erased(connection, erased)


def noted_entries(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The entries of the list that this warehouse was cleaned of."""
    return {entry for (entry,) in connection.execute("select erased_key from raw.erased_keys").fetchall()}


def note_erased(connection: duckdb.DuckDBPyConnection, erased: ErasureList) -> None:
    """Notes of which entries this warehouse was cleaned."""
    connection.execute(
        """insert into raw.erased_keys
        select entry from (select unnest(?::varchar[]) as entry)
        where entry not in (select erased_key from raw.erased_keys)""",
        [sorted(erased.entries)],
    )


def clean_sealed(archive: Path, tmp: Path, lines: dict[str, list[int]]) -> int:
    """Writes the sealed files anew without these lines; the name stays the hash of what was sent.

    Returns the number of files. A line keeps its number and capsule, so that received stays what it was.
    """
    count = 0
    for content_hash, numbers in lines.items():
        path = archive / f"{content_hash}.parquet"
        if path.exists():
            write_sealed((without_lines(part, numbers) for part in row_groups(path)), path, tmp)
            count += 1
    return count
