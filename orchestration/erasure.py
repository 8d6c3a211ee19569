"""People who ask for it are erased: everywhere, provably, and for good.

Why it exists: the steps and their order. Each can be repeated, so a pass that was killed anywhere is simply
begun again; what was found is noted before anything goes, so the receipt counts it once. People are on the
list before their rows go, so nothing that arrives meanwhile brings them back. Readers are never held up: they
stay on the last publication until the new one is there. Places: `places.py`.
Not here: requests (`erasure_requests.py`), what is taken out (`erased_rows.py`, `erased_originals.py`), the
proof and the receipts (`erasure_proof.py`, `erasure_receipts.py`).
"""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from orchestration.dbt_runner import DbtFailed, build
from orchestration.erased_files import clean_journal, clean_logs
from orchestration.erased_mentions import mask_mentions
from orchestration.erased_originals import clean_originals
from orchestration.erased_rows import (
    FoundPerson,
    clean_sealed,
    find_person,
    note_erased,
    noted_entries,
    take_out,
)
from orchestration.erasure_list import ErasureList, add_entries, mark_archive, read_erasure_list
from orchestration.erasure_proof import rows_with_keys
from orchestration.erasure_receipts import (
    ARCHIVED,
    LOGS,
    NAMES,
    PUBLICATIONS,
    REPORTS,
    close_proven,
    landed_counts,
)
from orchestration.erasure_requests import (
    ErasureRequest,
    open_requests,
    save_request,
    take_landed_requests,
)
from orchestration.erasure_returns import listed_keys, take_out_returned
from orchestration.event_files import wipe_folder
from orchestration.journal import BatchRecord, write_record
from orchestration.mentions import Mentions, plain_words
from orchestration.micro_batch import load_pending
from orchestration.privacy import Keyring
from orchestration.publication import publish, remove_all_but_current
from orchestration.raw_events import last_batch_id
from orchestration.recovery import catch_up
from orchestration.settings import Settings
from orchestration.warehouse import compact, open_warehouse, writer_lock

Say = Callable[[str], None]


def erase_open_requests(settings: Settings, say: Say = lambda text: None) -> list[dict[str, Any]]:
    """Carries out every request that was landed or is open, in one pass; returns their receipts.

    Raises `ErasureIncomplete` when the proof finds something of anybody, whose request stays open;
    `DbtFailed` when the models can't be renewed: then all stay open. The next call goes on.
    """
    with writer_lock(settings, say):
        started_at = datetime.now(UTC)
        problems: list[str] = []
        take_landed_requests(settings, problems)
        for problem in problems:
            say(f"Left in the landing folder: {problem}")
        requests = open_requests(settings)
        if not requests:
            return []
        keyring = Keyring(settings.secrets, datetime.now(UTC))
        erased = read_erasure_list(settings, keyring)
        people = {request.request_id: person_keys(keyring, request) for request in requests}
        add_entries(settings, erased, {"person": {key for keys in people.values() for key in keys}})
        catch_up(settings, say)
        before = _archived(settings)
        has_rows = [
            _erase_rows(settings, erased, request, people[request.request_id], say) for request in requests
        ]
        mark_archive(settings.archive, erased)
        if settings.landing.is_dir():
            say("Loading what waits in the landing folder, without them")
            load_pending(settings, say)
            erased = read_erasure_list(settings, keyring)
            has_rows.append(take_out_returned(settings, erased, say))
        ids = [one for request in requests for one in request.ids]
        plain = plain_words(settings, ids)
        mentions = Mentions(ids, plain)
        has_rows.append(mask_mentions(settings, requests, mentions))
        originals = clean_originals(settings, mentions)
        renamed = clean_journal(settings, mentions)
        removed = drawn = 0
        if any(has_rows) or renamed:
            removed = _renew(settings, say)
            drawn = _redraw_reports(settings, requests, say)
        _remove_leftovers(settings)
        say("Looking for them in every file")
        logs = clean_logs(settings, mentions.telling())
        files = {
            **landed_counts(originals),
            ARCHIVED: sum(
                before[path] != seen for path, seen in _archived(settings).items() if path in before
            ),
            NAMES: renamed,
            PUBLICATIONS: removed,
            REPORTS: drawn,
            LOGS: logs,
        }
        return close_proven(settings, requests, people, plain, files, originals["open"], started_at, say)


def _archived(settings: Settings) -> dict[Path, tuple[int, int]]:
    """Sealed files and figures of closed days, with what changes when one is written anew."""
    seen = ((path, path.stat()) for path in settings.archive.rglob("*.parquet"))
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in seen}


def person_keys(keyring: Keyring, request: ErasureRequest) -> list[str]:
    """The keys of the ids that a request gives."""
    return [keyring.key("user", one) for one in request.user_ids] + [
        keyring.key("visitor", one) for one in request.visitor_ids
    ]


def _erase_rows(
    settings: Settings, erased: ErasureList, request: ErasureRequest, persons: list[str], say: Say
) -> bool:
    """Takes one request out of warehouse and archive; whether figures have to be renewed for it."""
    say(f"Request {request.request_id}: looking for their rows")
    with open_warehouse(settings) as connection:
        if request.ids:
            # With what a killed pass knew: rows that led to other rows may be gone.
            found = find_person(connection, settings.archive, persons, request.sessions, request.events)
        else:
            persons, sessions, events = listed_keys(connection, erased)
            found = find_person(connection, settings.archive, persons, sessions, events)
        note_found(request, found, persons, row_counts(connection, found, persons))
        save_request(settings, request)
        add_entries(settings, erased, {"person": persons, "session": found.sessions, "event": found.events})
        entries = {erased.entry("person", key) for key in persons}
        is_new = not entries <= noted_entries(connection)
        if found.counts["raw.events"] or (is_new and any(found.counts.values())):
            record = BatchRecord(last_batch_id(connection) + 1, datetime.now(UTC), ())
            write_record(settings.archive, record)
            take_out(connection, settings.archive, record, erased)
        else:
            note_erased(connection, erased)
    clean_sealed(settings.archive, settings.tmp, found.lines)
    request.step = "rows"
    save_request(settings, request)
    return bool(request.keys) or not request.ids


def row_counts(connection: Any, found: FoundPerson, persons: list[str]) -> dict[str, int]:
    """Rows by place: what was found in raw tables and archive, and the rows of the models that hold a key."""
    keys = [*persons, *found.sessions, *found.events, *found.session_keys]
    models = {
        table: count
        for table, count in rows_with_keys(connection, keys).items()
        if not table.startswith("raw.")
    }
    return {**{name: count for name, count in found.counts.items() if count}, **models}


def note_found(
    request: ErasureRequest, found: FoundPerson, persons: list[str], counts: dict[str, int]
) -> None:
    """Adds to what an earlier, killed pass found: its rows are gone by now, and count all the same."""
    for place, count in counts.items():
        request.counts[place] = max(request.counts.get(place, 0), count)
    if counts or request.keys:
        request.keys = sorted({*request.keys, *persons, *found.sessions, *found.events, *found.session_keys})
    request.sessions = sorted({*request.sessions, *found.sessions})
    request.events = sorted({*request.events, *found.events})
    request.capsules = sorted({*request.capsules, *found.capsules})
    days = [day for day in (request.first_day, request.last_day, found.first_day, found.last_day) if day]
    request.first_day, request.last_day = (min(days), max(days)) if days else (None, None)


def _renew(settings: Settings, say: Say) -> int:
    """Models, publication and warehouse file without them; returns how many publications were removed."""
    say("Renewing the figures they counted in")
    outcome = build(settings)
    if not outcome.is_good:
        listed = ", ".join(sorted(outcome.failures)) or "a model was skipped"
        raise DbtFailed(
            f"The figures could not be renewed: {listed}. The request stays open, and readers on the last "
            "publication. Mend the cause, then: engagement erase --open"
        )
    with open_warehouse(settings) as connection:
        publish(connection, settings, datetime.now(UTC), anew=True)
    count = remove_all_but_current(settings.published)
    say("Writing the warehouse anew, so that no deleted byte is left in it")
    compact(settings)
    return count


def _redraw_reports(settings: Settings, requests: list[ErasureRequest], say: Say) -> int:
    days = [day for request in requests for day in (request.first_day, request.last_day) if day]
    if not days or not any(settings.exports.glob("*.pdf")):
        return 0
    # Typst and the charts take a second to import.
    from orchestration.reports import redraw_reports

    capsules = {capsule for request in requests for capsule in request.capsules}
    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    return redraw_reports(settings, capsules, first, last, datetime.now(UTC), say)


def _remove_leftovers(settings: Settings) -> None:
    """Spilled rows, and copies of the warehouse that a crash or a recovery left: nobody can take rows out."""
    wipe_folder(settings.tmp)
    for path in settings.warehouse_file.parent.iterdir():
        if path.name.startswith("damaged-"):
            shutil.rmtree(path)
        elif ".duckdb" in path.name and path != settings.warehouse_file:
            path.unlink()
