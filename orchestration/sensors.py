"""Starts a micro-batch when files have landed, and erasures when somebody asks."""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from orchestration.erasure_requests import has_work
from orchestration.jobs import erasures, micro_batch
from orchestration.micro_batch import LandingMissing, view_pending
from orchestration.run_history import UNFINISHED, end_dead_runs
from orchestration.settings import load_settings

_PAUSE: Final = timedelta(hours=1)


@dg.sensor(
    job=micro_batch,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def landing_sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run takes all pending files, so a second one is not started while the first is unfinished.

    No run key: Dagster skips a repeated key also when its run failed, and the manifest is the memory.
    """
    settings = load_settings()
    try:
        view = view_pending(settings)
    except LandingMissing as missing:
        return dg.SkipReason(str(missing))
    if not view.complete:
        return dg.SkipReason(f"No complete file; {len(view.growing)} still growing")
    end_dead_runs(context.instance, settings)
    unfinished = context.instance.get_runs(
        dg.RunsFilter(job_name=micro_batch.name, statuses=UNFINISHED), limit=1
    )
    if unfinished:
        return dg.SkipReason(f"Run {unfinished[0].run_id[:8]} is under way and takes the pending files")
    return dg.RunRequest(tags={"engagement/pending_files": str(len(view.complete))})


@dg.sensor(
    job=erasures,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def erasure_sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One pass takes every request that waits; one that could not be ended is tried again after an hour."""
    settings = load_settings()
    if not has_work(settings):
        return dg.SkipReason("Nobody asked to be erased")
    if context.instance.get_runs(dg.RunsFilter(job_name=erasures.name, statuses=UNFINISHED), limit=1):
        return dg.SkipReason("A pass is under way")
    latest = context.instance.get_run_records(dg.RunsFilter(job_name=erasures.name), limit=1)
    now = datetime.now(UTC)
    if (
        latest
        and now - latest[0].create_timestamp < _PAUSE
        and not has_work(settings, since=_began(latest[0]))
    ):
        return dg.SkipReason("The requests that wait could not be ended; trying again within the hour")
    return dg.RunRequest()


def _began(record: dg.RunRecord) -> float:
    return record.create_timestamp.timestamp()
