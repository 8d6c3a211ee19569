"""Starts a micro-batch when files have landed."""

import dagster as dg

from orchestration.jobs import micro_batch
from orchestration.micro_batch import LandingMissing, view_pending
from orchestration.run_history import UNFINISHED, end_dead_runs
from orchestration.settings import load_settings


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
