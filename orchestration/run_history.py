"""Keeps Dagster's memory of runs true and small.

Why it exists: after `kill -9` or a power cut Dagster keeps a run as started; it would hold the writer's pool
and make the sensor wait. Whether a run lives is told by the writer lock, which a dead process cannot hold.
And every run leaves about 3 MB of events (measured: 200 nodes and checks), so old ones are deleted; what was
loaded is remembered by the manifest, not by runs.
"""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from orchestration.settings import Settings
from orchestration.warehouse import WarehouseBusy, writer_lock

UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# These never hold the writer lock, so it tells nothing about them; Dagster's own run monitoring ends them.
LOCKLESS_JOBS: Final = frozenset({"hourly_quality", "weekly_reports"})
# From the start of its process to the moment a run holds the lock.
START_SECONDS: Final = 90


KEPT_RUNS: Final = 100


def delete_old_runs(instance: dg.DagsterInstance, kept: int = KEPT_RUNS) -> int:
    """Deletes finished runs beyond the newest `kept`, with their events; returns how many."""
    finished = [
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.CANCELED,
    ]
    # Newest first; a bounded number at a time keeps the tick of a schedule short.
    runs = instance.get_runs(dg.RunsFilter(statuses=finished), limit=kept + 50)
    for run in runs[kept:]:
        instance.delete_run(run.run_id)
    return len(runs[kept:])


def end_dead_runs(instance: dg.DagsterInstance, settings: Settings, *, is_first_start: bool = False) -> int:
    """Marks unfinished runs as failed when nobody holds the writer lock; returns how many.

    Runs younger than `START_SECONDS` are left alone, but for the first start of the orchestrator, when no
    process of it can be alive.
    """
    records = instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED))
    now = datetime.now(UTC)
    old = [
        record.dagster_run
        for record in records
        if is_first_start
        or (
            record.dagster_run.job_name not in LOCKLESS_JOBS
            and (now - record.create_timestamp).total_seconds() > START_SECONDS
        )
    ]
    if not old:
        return 0
    try:
        with writer_lock(settings, wait_seconds=0):
            for run in old:
                instance.report_run_failed(run, message="Its process died; the next run takes its files.")
    except WarehouseBusy:
        return 0
    return len(old)
