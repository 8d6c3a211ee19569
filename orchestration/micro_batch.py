"""The steps of one load: view, seal, commit, retire.

Why it exists: the command line, the sensor's job and the tests run these same functions. Pure of Dagster:
time, settings and a way to say things are parameters.
Not here: the transaction (`raw_events.py`), dbt (`dbt_runner.py`), the publication (`publication.py`).
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestration.admission import AdmissionRules
from orchestration.catalog import CatalogueRows, archive_catalogue, load_catalogue, read_or_refuse
from orchestration.dbt_runner import newest_source
from orchestration.erased_originals import clean_original
from orchestration.erasure_list import ErasureList, read_erasure_list
from orchestration.erasure_requests import open_return
from orchestration.erasure_returns import add_met_sessions, settle_returns
from orchestration.event_files import (
    FileRefused,
    LandedFile,
    LandingView,
    is_own_folder,
    shown_path,
    view_landing,
    wipe_folder,
)
from orchestration.journal import BatchRecord, JournalFile, newest_record_id, wipe_drafts, write_record
from orchestration.kept_figures import closed_before
from orchestration.mentions import Mentions
from orchestration.model_builds import last_built_at
from orchestration.opt_out_requests import FOLDER as OPT_OUTS
from orchestration.opt_out_requests import load_requests
from orchestration.opt_outs import OptOuts
from orchestration.originals import (
    LOADED,
    REFUSED,
    delete_old,
    put_away,
    put_away_refused,
    remember,
    remember_moved,
    shrink_ledger,
    view_written_since,
)
from orchestration.privacy import Keyring
from orchestration.progress import Progress
from orchestration.publication import current_manifest
from orchestration.raw_events import (
    Accounting,
    BatchSummary,
    known_signals,
    last_batch_id,
    load_batch,
    loaded_content,
)
from orchestration.recovery import catch_up
from orchestration.retention_window import start_of_day, window_start
from orchestration.sealing import seal_all
from orchestration.settings import Settings
from orchestration.shortage import shortages_named
from orchestration.state_folder import require_identity_key
from orchestration.unfinished_seals import remove_unfinished, sealing_noted
from orchestration.warehouse import WarehouseBusy, open_warehouse, writer_lock

Say = Callable[[str], None]

# One transaction takes files up to this many landed bytes, and so many at most: a back-fill is bounded, one
# that was killed seals again what takes seconds, and a crowd of tiny files shows as loaded while it is read.
BATCH_BYTES: Final = 128 << 20
BATCH_FILES: Final = 5_000


class LandingMissing(RuntimeError):
    """The landing folder does not exist."""


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """What one load did. `refused`: landed name → sentence; `growing`: files left for the next load."""

    batches: list[BatchSummary] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    catalogues: list[str] = field(default_factory=list)
    growing: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def file_count(self) -> int:
        """Files whose events were committed."""
        return sum(batch.file_count for batch in self.batches)

    @property
    def accounting(self) -> Accounting:
        """The sum over all batches."""
        parts = [batch.accounting for batch in self.batches]
        return Accounting(
            *(sum(getattr(part, name) for part in parts) for name in Accounting.__dataclass_fields__)
        )

    @property
    def rejected_by_reason(self) -> dict[str, int]:
        """Rejected lines by reason over all batches."""
        total: dict[str, int] = {}
        for batch in self.batches:
            for reason, count in batch.rejected_by_reason.items():
                total[reason] = total.get(reason, 0) + count
        return total

    def as_json(self) -> dict[str, Any]:
        """What `engagement load --json` prints of it."""
        return {
            "files": self.file_count,
            **asdict(self.accounting),
            "rejected_by_reason": self.rejected_by_reason,
            "refused": self.refused,
            "repeated": self.repeated,
            "catalogues": self.catalogues,
            "growing": self.growing,
            "ignored": self.ignored,
        }


def view_pending(settings: Settings) -> LandingView:
    """What waits in the landing folder: catalogues, and originals that were written to after they were read.

    Raises `LandingMissing`.
    """
    if not settings.landing.is_dir():
        problem = "is no folder" if settings.landing.exists() else "does not exist"
        raise LandingMissing(
            f"The landing folder {settings.landing} {problem}. Create it, or set ENGAGEMENT_LANDING "
            "to the folder your event files arrive in."
        )
    for name in (LOADED, REFUSED):
        folder = settings.landing / name
        if os.path.lexists(folder) and not is_own_folder(folder):
            raise LandingMissing(
                f"{folder} is a link or a file; files that were read are moved there. Remove it: a folder is "
                "made in its place."
            )
    now = time.time()
    events = view_landing(settings.landing, settings.quiet_seconds, now)
    catalogue = view_landing(settings.landing, settings.quiet_seconds, now, subfolder="catalog")
    opt_outs = view_landing(settings.landing, settings.quiet_seconds, now, subfolder=OPT_OUTS)
    again = view_written_since(settings, now)
    return LandingView(
        opt_outs.complete + events.complete + catalogue.complete + again.complete,
        opt_outs.growing + events.growing + catalogue.growing + again.growing,
        opt_outs.ignored + events.ignored + catalogue.ignored,
    )


def wait_until_quiet(settings: Settings, say: Say = lambda text: None) -> LandingView:
    """Gives files that were just written the quiet time they need; those still growing then are left."""
    deadline = time.monotonic() + 2 * settings.quiet_seconds
    view = view_pending(settings)
    if view.growing:
        say(f"Waiting up to {2 * settings.quiet_seconds:g} s for {len(view.growing)} files just written")
    while view.growing and time.monotonic() < deadline:
        time.sleep(min(0.2, settings.quiet_seconds / 4))
        view = view_pending(settings)
    return view


def load_pending(settings: Settings, say: Say = lambda text: None) -> LoadSummary:
    """Seals, loads and retires every complete pending file.

    Files wait in `landing/` until their rows are committed, so a crash at any point loses nothing: what was
    committed is known by its content hash, what was not is loaded by the next call. A warehouse that lacks
    batches of the journal gets these first.
    """
    view = view_pending(settings)
    require_identity_key(settings)
    summary = LoadSummary(
        growing=[file.shown_name for file in view.growing],
        ignored=view.ignored,
    )
    delete_old_originals(settings)
    with writer_lock(settings, say):
        summary.batches.extend(catch_up(settings, say))
        remove_unfinished(settings, say)
        settle_returns(settings, say)
        if not view.complete:
            return summary
        wipe_folder(settings.tmp)
        wipe_drafts(settings.archive)
        # What an earlier writer finished while this one waited is gone from the folder.
        view = view_pending(settings)
        for file in filter(_is_catalogue, view.complete):
            _load_catalogue_file(settings, file, summary, say)
        # First, so that events of refused consent in the same load know of them.
        for file in filter(_is_opt_outs, view.complete):
            _load_opt_outs(settings, file, summary, say)
        others = [file for file in view.complete if not _is_catalogue(file) and not _is_opt_outs(file)]
        progress = Progress(say, len(others), sum(file.byte_count for file in others))
        parts = _parts(others)
        for number, part in enumerate(parts, 1):
            if len(parts) > 1:
                say(f"Part {number} of {len(parts)}: {len(part):,} of {len(others):,} files")
            _load_part(settings, part, summary, say, progress)
        settle_returns(settings, say)
        delete_old_originals(settings)
        shrink_ledger(settings)
    return summary


def _is_catalogue(file: LandedFile) -> bool:
    return Path(file.name).parts[0] == "catalog"


def _is_opt_outs(file: LandedFile) -> bool:
    return Path(file.name).parts[0] == OPT_OUTS


def _load_opt_outs(settings: Settings, file: LandedFile, summary: LoadSummary, say: Say) -> None:
    now = datetime.now(UTC)
    found = load_requests(settings, file, now)
    if found is None:
        say(f"Noted the opt-outs of {file.shown_name}")
        return
    if isinstance(found, LandedFile):
        file, found = found, FileRefused("unread_requests")
    if found.reason == "changed_while_read":
        summary.growing.append(file.shown_name)
    else:
        where = put_away_refused(file, settings, found)
        _clean_of_erased(settings, [where], read_erasure_list(settings, Keyring(settings.secrets, now)))
        summary.refused[file.shown_name] = f"{found} (moved to {shown_path(where, settings.landing)})"


def _clean_of_erased(settings: Settings, files: Iterable[Path | None], erased: ErasureList) -> None:
    """What was put away of people who were erased, by lines or names that no sealed file knows."""
    for path in files if erased else ():
        if path and clean_original(settings, path, Mentions([]), erased) == "open":
            open_return(settings, datetime.now(UTC))


def _parts(files: Sequence[LandedFile]) -> list[list[LandedFile]]:
    parts: list[list[LandedFile]] = []
    filled = 0
    for file in files:
        if not parts or filled + file.byte_count > BATCH_BYTES or len(parts[-1]) == BATCH_FILES:
            parts.append([])
            filled = 0
        parts[-1].append(file)
        filled += file.byte_count
    return parts


def _load_part(
    settings: Settings, files: Sequence[LandedFile], summary: LoadSummary, say: Say, progress: Progress
) -> None:
    now = datetime.now(UTC)
    with open_warehouse(settings) as connection:
        batch_id = last_batch_id(connection) + 1
        opt_outs = OptOuts(known_signals(connection))
    rules = admission_rules(settings, now, opt_outs)
    with sealing_noted(settings.archive):
        found = seal_all(settings, files, rules, lambda hashes: _loaded_before(settings, hashes), progress)
        add_met_sessions(settings, rules.erased)
        record = found.record(batch_id, now)
        if record:
            with shortages_named(f"the record of batch {batch_id}", settings.archive):
                write_record(settings.archive, record)
    summary.growing.extend(file.shown_name for file in found.changed)
    if record:
        say(f"Committing {len(found.sealed)} files")
        with open_warehouse(settings) as connection:
            summary.batches.append(load_batch(connection, settings.archive, record))
    summary.repeated.extend(one.shown_name for one in found.repeated)
    committed = found.sealed + found.repeated + found.leftovers
    with shortages_named("moving loaded files aside", settings.landing):
        remember(settings, [one.file for one in committed] + [file for file, _ in found.refused])
        moved = [(one.file, put_away(one.file, settings, one.content_hash)) for one in committed]
        for file, why in found.refused:
            where = put_away_refused(file, settings, why)
            moved.append((file, where))
            summary.refused[file.shown_name] = f"{why} (moved to {shown_path(where, settings.landing)})"
        remember_moved(settings, moved)
        _clean_of_erased(settings, [lies for _, lies in moved], rules.erased)


def _loaded_before(settings: Settings, hashes: Collection[str]) -> dict[str, tuple[str, datetime]]:
    with open_warehouse(settings) as connection:
        return loaded_content(connection, hashes)


def _load_catalogue_file(settings: Settings, file: LandedFile, summary: LoadSummary, say: Say) -> None:
    keyring = Keyring(settings.secrets, datetime.now(UTC))
    erased = read_erasure_list(settings, keyring)
    found = read_or_refuse(file, say, keyring, settings.limits)
    if not isinstance(found, CatalogueRows):
        if found.reason != "changed_while_read":
            remember(settings, [file])
            where = put_away_refused(file, settings, found)
            remember_moved(settings, [(file, where)])
            _clean_of_erased(settings, [where], erased)
            summary.refused[file.shown_name] = f"{found} (moved to {shown_path(where, settings.landing)})"
        return
    for row in found.rows:
        for name, value in row.items():
            row[name] = erased.text_without(value) if isinstance(value, str) else value
    with shortages_named(f"keeping {file.shown_name}", settings.archive):
        archive_catalogue(settings.archive, found)
    with open_warehouse(settings) as connection:
        listed = JournalFile(file.shown_name, found.catalogue, "loaded", file.byte_count, found.content_hash)
        record = BatchRecord(last_batch_id(connection) + 1, datetime.now(UTC), (listed,))
        write_record(settings.archive, record)
        load_catalogue(connection, settings.archive, record)
    summary.catalogues.append(file.shown_name)
    remember(settings, [file])
    lies = put_away(file, settings, found.content_hash)
    remember_moved(settings, [(file, lies)])
    _clean_of_erased(settings, [lies], erased)


def admission_rules(settings: Settings, now: datetime, opt_outs: OptOuts) -> AdmissionRules:
    """The window, the keys and the known opt-outs of this moment."""
    months = settings.retention_months
    oldest = None if settings.accept_any_age else window_start(now, months, settings.timezone)
    # Of a day that was closed only its figures are left; they can't take up another event.
    if closed := closed_before(settings.archive):
        first = start_of_day(closed, settings.timezone)
        oldest = max(oldest or first, first)
    keyring = Keyring(settings.secrets, now)
    erased = read_erasure_list(settings, keyring)
    return AdmissionRules(keyring, now, oldest, opt_outs, settings.limits, erased)


def delete_old_originals(settings: Settings) -> int:
    """Deletes loaded originals, which hold what people sent, after their days; returns how many."""
    return delete_old(settings, time.time())


def is_behind(settings: Settings) -> bool:
    """Whether committed batches or changed rules wait for a publication; false while another writer works.

    Rules are models, seeds, macros and the reporting zone. Files that were only touched cost one small build.
    """
    if not settings.warehouse_file.exists():
        return newest_record_id(settings.archive) > 0
    try:
        with writer_lock(settings, wait_seconds=0), open_warehouse(settings) as connection:
            newest, built_at = last_batch_id(connection), last_built_at(connection)
    except WarehouseBusy:
        return False
    published = current_manifest(settings.published)
    if published is None or newest == 0:
        return newest > 0 or newest_record_id(settings.archive) > 0
    has_old_rules = (
        built_at is None or built_at.timestamp() < newest_source() or published.timezone != settings.timezone
    )
    return published.batch_id < newest or newest < newest_record_id(settings.archive) or has_old_rules
