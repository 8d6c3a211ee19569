"""What an erasure would take, said before anybody is erased: rows and files, by the names of the receipt.

Why it exists: an operator wants to see what an id stands for before it can't be taken back, and to hold the
receipt against it. Changes nothing but temporary tables. Not here: erasing (`erasure.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

from orchestration.archive import sealed_path
from orchestration.erased_files import logs_with, names_with
from orchestration.erased_mentions import capsule_ids_naming, note_mentions
from orchestration.erased_originals import clean_originals, readable_parts
from orchestration.erased_rows import find_person
from orchestration.erasure import note_found, person_keys, row_counts
from orchestration.erasure_receipts import ARCHIVED, LOGS, NAMES, PUBLICATIONS, REPORTS, landed_counts
from orchestration.erasure_requests import REQUESTS, ErasureRequest
from orchestration.event_files import ENDINGS
from orchestration.mentions import Mentions, plain_words
from orchestration.originals import LOADED, REFUSED
from orchestration.places import state_files
from orchestration.privacy import Keyring
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock

# A pass loads the ones first, and then counts them with the others; the others stop it.
_WAITING: Final = "landed files that wait to be loaded"
_FOREIGN: Final = "files of others in the landing folder, to be removed by hand"
_NOT_WAITING: Final = tuple(f"landing/{folder}/" for folder in (LOADED, REFUSED, REQUESTS))


@dataclass(frozen=True, slots=True)
class Preview:
    """`found` and `files` as in a receipt; `capsule_ids_naming`: ids of capsules that would stay."""

    found: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    capsule_ids_naming: int = 0


def dry_run(
    settings: Settings, request: ErasureRequest, say: Callable[[str], None] = lambda text: None
) -> Preview:
    """What would go of the people of a request, as everything is now; the request itself is not kept."""
    if not settings.warehouse_file.exists():
        return Preview()
    mentions = Mentions(request.ids, plain_words(settings, request.ids))
    persons = person_keys(Keyring(settings.secrets, datetime.now(UTC)), request)
    with writer_lock(settings, say):
        with open_warehouse(settings) as connection:
            found = find_person(connection, settings.archive, persons)
            note_found(request, found, persons, row_counts(connection, found, persons))
            sealed = note_mentions(connection, settings.archive, request, mentions)
        theirs = [sealed_path(settings.archive, content_hash) for content_hash in found.lines]
        names = names_with(settings, mentions)
        files = {
            **landed_counts(clean_originals(settings, mentions, found.lines)),
            ARCHIVED: len({*sealed, *(path for path in theirs if path.exists())}),
            NAMES: names,
            PUBLICATIONS: _publication_count(settings) if request.counts or names else 0,
            REPORTS: _report_count(settings, request),
            LOGS: sum(1 for _ in logs_with(settings, mentions.telling())),
            **_waiting(settings, mentions),
        }
        capsules = len(capsule_ids_naming(settings, mentions))
    return Preview(request.counts, {name: count for name, count in files.items() if count}, capsules)


def _publication_count(settings: Settings) -> int:
    if not settings.published.is_dir():
        return 0
    return sum(path.is_dir() and not path.name.startswith(".") for path in settings.published.iterdir())


def _report_count(settings: Settings, request: ErasureRequest) -> int:
    if not request.first_day or not request.last_day or not any(settings.exports.glob("*.pdf")):
        return 0
    # Typst and the charts take a second to import.
    from orchestration.reports import reports_of

    days = date.fromisoformat(request.first_day), date.fromisoformat(request.last_day)
    return len(list(reports_of(settings, request.capsules, *days)))


def _waiting(settings: Settings, mentions: Mentions) -> dict[str, int]:
    counts = {_WAITING: 0, _FOREIGN: 0}
    for name, path in state_files(settings):
        is_asked = name.startswith("landing/") and not name.startswith(_NOT_WAITING)
        if is_asked and path.is_file() and not path.is_symlink():
            is_named = mentions.within_name(name.encode("utf-8", "surrogateescape"))
            if is_named or any(mentions.within(part) for part in readable_parts(path)):
                counts[_WAITING if path.name.lower().endswith(ENDINGS) else _FOREIGN] += 1
    return counts
