"""What runs by the clock."""

import dagster as dg

from orchestration.jobs import micro_batch
from orchestration.micro_batch import delete_old_originals, is_behind
from orchestration.run_history import UNFINISHED, delete_old_runs, end_dead_runs
from orchestration.settings import load_settings


@dg.schedule(
    job=micro_batch,
    cron_schedule="*/5 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def safety_net(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Repeats a load whose events were committed but never published, as after a crash or a failed check.

    Also deletes loaded originals after their days, whether files arrive or not, and old runs.
    """
    settings = load_settings()
    end_dead_runs(context.instance, settings)
    delete_old_originals(settings)
    delete_old_runs(context.instance)
    if context.instance.get_runs(dg.RunsFilter(job_name=micro_batch.name, statuses=UNFINISHED), limit=1):
        return dg.SkipReason("A run is under way")
    if not is_behind(settings):
        return dg.SkipReason("The publication holds everything that was loaded")
    return dg.RunRequest()
