"""What runs by the clock."""

import dagster as dg

from orchestration.jobs import hourly_quality, micro_batch, nightly, retention, weekly_reports
from orchestration.micro_batch import delete_old_originals, is_behind
from orchestration.quality import has_unchecked
from orchestration.run_history import UNFINISHED, delete_old_runs, end_dead_runs
from orchestration.settings import load_settings
from orchestration.state_folder import destroy_old_salts


@dg.schedule(
    job=micro_batch,
    cron_schedule="*/5 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def safety_net(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Repeats a load whose events were committed but never published, as after a crash or a failed check.

    A changed rule (seed, model, macro, reporting zone) is published in the same way. Also deletes loaded
    originals and daily salts after their time, whether files arrive or not, and old runs.
    """
    settings = load_settings()
    end_dead_runs(context.instance, settings)
    delete_old_originals(settings)
    destroy_old_salts(settings)
    delete_old_runs(context.instance)
    if context.instance.get_runs(dg.RunsFilter(job_name=micro_batch.name, statuses=UNFINISHED), limit=1):
        return dg.SkipReason("A run is under way")
    if not is_behind(settings):
        return dg.SkipReason("The publication holds everything that was loaded")
    return dg.RunRequest()


@dg.schedule(
    job=hourly_quality,
    # Not on the full hour, when senders that write once an hour have just landed their files.
    cron_schedule="17 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_hour() -> dg.RunRequest | dg.SkipReason:
    """Judges the raw batches that arrived since the last run."""
    if not has_unchecked(load_settings()):
        return dg.SkipReason("No batch arrived since the last run")
    return dg.RunRequest()


# At night, when few files land: it waits for the writer and the writer for it.
every_night = dg.ScheduleDefinition(
    name="every_night",
    job=nightly,
    cron_schedule="37 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.schedule(
    job=retention,
    # After the nightly tests.
    cron_schedule="17 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_night_after_tests() -> dg.RunRequest | dg.SkipReason:
    """Removes what lies before the retention window; when nothing does, nothing changes."""
    if load_settings().accept_any_age:
        # What an operator has just filled in must not be gone in the morning.
        return dg.SkipReason("ENGAGEMENT_ACCEPT_ANY_AGE is true: events of any age are wanted")
    return dg.RunRequest()


# Noon of Monday in UTC: the week is over in every reporting zone.
every_week = dg.ScheduleDefinition(
    name="every_week",
    job=weekly_reports,
    cron_schedule="7 12 * * 1",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
