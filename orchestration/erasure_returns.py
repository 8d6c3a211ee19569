"""Erased people who come back: in a restored warehouse or archive, or in a session that arrives late.

Why it exists: every load compares the list of erased people with what warehouse and archive say they were
cleaned of; whoever is stored all the same goes again before anything else is loaded.
Not here: lines that arrive (`erased_lines.py`), requests (`erasure.py`).
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq

from orchestration.archive import row_groups, write_sealed
from orchestration.erased_files import clean_journal
from orchestration.erased_lines import is_anybody_erased, suppress_all_erased
from orchestration.erased_mentions import ids_met, mask_mentions
from orchestration.erased_rows import clean_sealed, find_person, note_erased, noted_entries, take_out
from orchestration.erasure_list import (
    EntryKind,
    ErasureList,
    add_entries,
    archive_entries,
    mark_archive,
    read_erasure_list,
)
from orchestration.erasure_requests import open_requests, open_return
from orchestration.journal import BatchRecord, write_record
from orchestration.mentions import Mentions, plain_words
from orchestration.privacy import Keyring
from orchestration.raw_events import last_batch_id
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

Say = Callable[[str], None]

_COLUMNS: Final[dict[EntryKind, tuple[str, ...]]] = {
    "person": ("user_key", "visitor_id_key"),
    "session": ("client_session_key",),
    "event": ("event_key",),
}
_TELLING: Final = ["user_key", "visitor_id_key", "client_session_key", "event_key"]


def settle_returns(settings: Settings, say: Say = lambda text: None) -> None:
    """As `take_out_returned`, before a load; the next pass of erasures clears out what bytes are left.

    Does nothing while a request is open: its own pass counts what it finds.
    """
    erased = read_erasure_list(settings, Keyring(settings.secrets, datetime.now(UTC)))
    if any(request.ids for request in open_requests(settings)):
        return
    if take_out_returned(settings, erased, say):
        open_return(settings, datetime.now(UTC))


def take_out_returned(settings: Settings, erased: ErasureList, say: Say) -> bool:
    """Takes out whoever is on the list and stored all the same; returns whether anybody was.

    The caller holds the writer lock.
    """
    if not erased:
        return False
    in_archive = erased.entries - archive_entries(settings.archive)
    with open_warehouse(settings) as connection:
        in_warehouse = erased.entries - noted_entries(connection)
        if not in_warehouse | in_archive:
            return False
        say("Comparing what is stored with the list of erased people")
        keys = listed_keys(connection, erased)
        found = find_person(connection, settings.archive, *keys)
        is_stored = found.counts["raw.events"] + found.counts["raw.privacy_signals"] > 0
        add_entries(settings, erased, {"session": found.sessions, "event": found.events})
        if is_stored:
            say("Somebody erased had come back; their rows go again")
            record = BatchRecord(last_batch_id(connection) + 1, datetime.now(UTC), ())
            write_record(settings.archive, record)
            take_out(connection, settings.archive, record, erased)
        else:
            note_erased(connection, erased)
    clean_sealed(settings.archive, settings.tmp, found.lines)
    if any(entry.startswith("person") for entry in in_archive):
        clean_archive(settings, erased)
    if any(entry.startswith("person") for entry in in_warehouse | in_archive):
        is_stored |= _mask_returned(settings, erased)
    mark_archive(settings.archive, erased)
    return is_stored


def _mask_returned(settings: Settings, erased: ErasureList) -> bool:
    """Ids in texts of others and in names of files, which came back with a backup."""
    met = ids_met(settings, erased)
    if not met:
        return False
    mentions = Mentions(met, plain_words(settings, met))
    is_masked = mask_mentions(settings, [], mentions)
    return clean_journal(settings, mentions) > 0 or is_masked


def listed_keys(
    connection: duckdb.DuckDBPyConnection, erased: ErasureList
) -> tuple[list[str], list[str], list[str]]:
    """Plain keys of whoever is on the list and stored in the warehouse: people, sessions, events."""
    found: dict[EntryKind, set[str]] = {kind: set() for kind in _COLUMNS}
    for kind, names in _COLUMNS.items():
        if erased.has(kind):
            for name in names:
                found[kind] |= erased.erased_of(
                    kind, _column(connection, f"select distinct {name} from raw.events")
                )
    return sorted(found["person"]), sorted(found["session"]), sorted(found["event"])


def clean_archive(settings: Settings, erased: ErasureList) -> int:
    """Compares every sealed file with the list and writes those anew that hold anybody; returns how many."""
    count = 0
    for path in sorted(settings.archive.glob("*.parquet")):
        if is_anybody_erased(pq.read_table(path, columns=_TELLING), erased):
            write_sealed((suppress_all_erased(part, erased) for part in row_groups(path)), path, settings.tmp)
            count += 1
    return count


def clean_restored_archive(settings: Settings, erased: ErasureList) -> None:
    """Before a recovery: an archive from a backup is cleaned of the rows of whoever was erased since.

    It is not marked as clean: what others said of them is masked by the next load, which needs the warehouse.
    """
    if erased.entries - archive_entries(settings.archive):
        clean_archive(settings, erased)


def add_met_sessions(settings: Settings, erased: ErasureList) -> None:
    """Puts the sessions in which erased people were met on the list, but none that somebody else is in."""
    if not erased.met_sessions:
        return
    with open_warehouse(settings) as connection:
        shared = _column(
            connection,
            """select distinct client_session_key from raw.events
            where user_key is not null and client_session_key in (select unnest(?::varchar[]))""",
            [sorted(erased.met_sessions)],
        )
    add_entries(settings, erased, {"session": erased.met_sessions - shared})


def _column(connection: duckdb.DuckDBPyConnection, query: str, values: Iterable[Any] = ()) -> set[str]:
    return {key for (key,) in connection.execute(query, list(values)).fetchall() if key}
