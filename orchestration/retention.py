"""Retention: events that lie before the window leave for good, the figures of their days stay.

Why it exists: personal data is kept as long as it is needed and no longer, without anybody asking. The order
of steps makes a run that was killed at any point one that is simply repeated: the figures appear with one
rename, sealed files are written anew one by one, the warehouse changes in one transaction, and only when the
models are built and published do old files go. The plan of a run lies beside the warehouse until its receipt
is written. Not here: what leaves (`expiry.py`), what stays (`kept_figures.py`).
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration import dbt_runner
from orchestration.dbt_runner import DbtFailed
from orchestration.event_files import wipe_folder
from orchestration.expiry import expire_events, find_expired, rewrite_sealed, sealed_with_old_rows
from orchestration.journal import BatchRecord, make_durable, write_record
from orchestration.kept_figures import close_days, closed_before, count_days_to_close
from orchestration.model_builds import last_good_build
from orchestration.originals import delete_before, delete_loaded
from orchestration.publication import publish, remove_all_but_current
from orchestration.raw_events import last_batch_id
from orchestration.recovery import catch_up
from orchestration.retention_window import first_kept_day, start_of_day
from orchestration.settings import Settings
from orchestration.warehouse import compact, open_warehouse, writer_lock

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RetentionReceipt:
    """What left, in numbers only. Instants are ISO 8601, UTC; `is_dry_run`: nothing was changed.

    `first_kept_day`: events before it (in the reporting zone) are gone. `resting_event_count`: older events
    that stay until the session they belong to lies before the window, at most one day.
    """

    first_kept_day: str
    started_at: str
    ended_at: str
    is_dry_run: bool
    event_count: int = 0
    resting_event_count: int = 0
    closed_day_count: int = 0
    rewritten_file_count: int = 0
    deleted_original_count: int = 0
    removed_publication_count: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a run is about to do, on disk until it is done: a killed run forgets neither counts nor files."""

    event_count: int = 0
    resting_event_count: int = 0
    closed_day_count: int = 0
    sealed: tuple[str, ...] = ()

    def with_earlier(self, earlier: "_Plan") -> "_Plan":
        return _Plan(
            max(self.event_count, earlier.event_count),
            max(self.resting_event_count, earlier.resting_event_count),
            max(self.closed_day_count, earlier.closed_day_count),
            tuple(sorted({*self.sealed, *earlier.sealed})),
        )


def retire(
    settings: Settings, now: datetime, say: Say = lambda text: None, *, dry_run: bool = False
) -> RetentionReceipt:
    """Removes what lies before the window, wherever it is; with `dry_run` says what would go.

    Loads nothing. Safe to repeat, also after a kill. Raises `DbtFailed` when the models can't be built or a
    check fails; then readers stay on the last publication, and the next run goes on.
    """
    first = first_kept_day(now, settings.retention_months, settings.timezone)
    with writer_lock(settings, say):
        # A window that was shorter once can't bring back what is gone.
        first = max(first, closed_before(settings.archive) or first)
        start = start_of_day(first, settings.timezone)
        unfinished = _read_plan(settings)
        if not dry_run:
            catch_up(settings, say)
        if not settings.warehouse_file.exists():
            return _receipt(first, now, _Plan(), is_dry_run=dry_run)
        if not dry_run:
            _build_when_behind(settings, say)
        with open_warehouse(settings) as connection:
            files, plan = _plan(connection, settings, start)
            if dry_run and plan.event_count:
                days = count_days_to_close(connection, settings.archive, first)
                plan = replace(plan, closed_day_count=days)
            if dry_run or not (plan.event_count or files or unfinished):
                return _receipt(first, now, plan, is_dry_run=dry_run)
            say(f"{plan.event_count:,} events lie before {first}; closing their days")
            closed = close_days(connection, settings.archive, first)
            done = replace(plan, closed_day_count=closed).with_earlier(unfinished or _Plan())
            _write_plan(settings, done)
            _remove_events(connection, settings, files, start, now, say)
        _build_when_behind(settings, say)
        with open_warehouse(settings) as connection:
            publish(connection, settings, datetime.now(UTC), anew=True)
        say("Writing the warehouse into a new file")
        compact(settings)
        original_count = delete_before(settings, start) + delete_loaded(settings, _names(settings, done))
        publication_count = remove_all_but_current(settings.published)
        _remove_copies(settings)
        receipt = replace(
            _receipt(first, now, done, is_dry_run=False),
            deleted_original_count=original_count,
            removed_publication_count=publication_count,
        )
        _write_json(_receipt_path(settings, first), asdict(receipt))
        _plan_path(settings).unlink(missing_ok=True)
        return receipt


def _plan(
    connection: duckdb.DuckDBPyConnection, settings: Settings, start: datetime
) -> tuple[list[tuple[int | None, str]], _Plan]:
    if not _has_models(connection):
        return [], _Plan()
    event_count, resting_count = find_expired(connection, start)
    files = sealed_with_old_rows(connection, settings.archive, start)
    return files, _Plan(event_count, resting_count, 0, tuple(content_hash for _, content_hash in files))


def _remove_events(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    files: list[tuple[int | None, str]],
    start: datetime,
    now: datetime,
    say: Say,
) -> None:
    for number, file in enumerate(files, start=1):
        if number % 50 == 1:
            say(f"Writing sealed file {number} of {len(files)} anew")
        rewrite_sealed(connection, settings.archive, settings.tmp, file, start)
    record = BatchRecord(last_batch_id(connection) + 1, now.astimezone(UTC), ())
    write_record(settings.archive, record)
    expire_events(connection, record)


def _receipt(first: date, now: datetime, plan: _Plan, *, is_dry_run: bool) -> RetentionReceipt:
    return RetentionReceipt(
        first_kept_day=first.isoformat(),
        started_at=now.astimezone(UTC).isoformat(),
        ended_at=datetime.now(UTC).isoformat(),
        is_dry_run=is_dry_run,
        event_count=plan.event_count,
        resting_event_count=plan.resting_event_count,
        closed_day_count=plan.closed_day_count,
        rewritten_file_count=len(plan.sealed),
    )


def _has_models(connection: object) -> bool:
    row = connection.execute(  # type: ignore[attr-defined]
        """select count(*) from duckdb_tables()
        where schema_name = 'intermediate' and table_name = 'int_events_sessionized'"""
    ).fetchone()
    return bool(row[0])


def _build_when_behind(settings: Settings, say: Say) -> None:
    """The models hold every batch, or `DbtFailed` says what does not hold."""
    with open_warehouse(settings) as connection:
        last = last_good_build(connection)
        newest = last_batch_id(connection)
    if last is not None and last.batch_id >= newest:
        return
    say("Building and testing the models …")
    os.environ |= settings.environment()
    outcome = dbt_runner.build(settings)
    if not outcome.is_good:
        raise DbtFailed(
            f"{len(outcome.failures)} of {outcome.node_count} dbt nodes failed: {outcome.failures_text}. "
            "Readers stay on the last publication. Mend the cause, then: engagement retention"
        )


def _names(settings: Settings, plan: _Plan) -> set[str]:
    """Masked names of the landed files whose events left: their originals may still hold them whole."""
    with open_warehouse(settings) as connection:
        rows = connection.execute(
            """select distinct file_name from raw.event_files
            where content_hash in (select unnest(?::varchar[]))""",
            [list(plan.sealed)],
        ).fetchall()
    return {name for (name,) in rows}


def _remove_copies(settings: Settings) -> None:
    """Older copies of the warehouse that a recovery set aside, and unfinished files."""
    for folder in settings.warehouse_file.parent.glob("damaged-*"):
        shutil.rmtree(folder, ignore_errors=True)
    wipe_folder(settings.tmp)


def _plan_path(settings: Settings) -> Path:
    return settings.warehouse_file.with_name("retention.json")


def _read_plan(settings: Settings) -> _Plan | None:
    try:
        found = json.loads(_plan_path(settings).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return _Plan(**found | {"sealed": tuple(found["sealed"])})


def _write_plan(settings: Settings, plan: _Plan) -> None:
    _write_json(_plan_path(settings), asdict(plan))


def _receipt_path(settings: Settings, first: date) -> Path:
    return settings.receipts / f"retention-{first.isoformat()}.json"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Durably, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    make_durable(draft)
    draft.replace(path)
    make_durable(path.parent)
