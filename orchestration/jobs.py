"""The jobs an operator starts or sees in the run list."""

from dataclasses import asdict
from datetime import UTC, datetime

import dagster as dg

from orchestration.assets import WRITER_POOL
from orchestration.checks import erasures_in_time, every_model_test, raw_batch_quality, source_freshness
from orchestration.settings import load_settings
from orchestration.state_folder import create_state_folders

# No load waits for these; importing Great Expectations alone takes longer than loading a small batch.
_UNHURRIED = dg.AssetSelection.checks(raw_batch_quality, source_freshness, every_model_test, erasures_in_time)

# In process: the default executor starts a process a step, 7–10 s for two trivial assets (measured).
micro_batch = dg.define_asset_job(
    "micro_batch",
    selection=dg.AssetSelection.all() - _UNHURRIED,
    executor_def=dg.in_process_executor,
    description="Loads every complete landed file, builds and tests the models, publishes the marts.",
)

hourly_quality = dg.define_asset_job(
    "hourly_quality",
    selection=dg.AssetSelection.checks(raw_batch_quality),
    executor_def=dg.in_process_executor,
    description="Judges the newest raw batches with the Great Expectations suite; blocks nothing.",
)

nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.checks(source_freshness, every_model_test, erasures_in_time),
    executor_def=dg.in_process_executor,
    description="What is too slow for every batch: every test of the models, and how old the sources are.",
)


@dg.op(pool=WRITER_POOL)
def erased_people(context: dg.OpExecutionContext) -> None:
    """Carries out the requests to be erased that were landed in `landing/requests/` or are open.

    One pass for all of them, with a receipt each in `receipts/`. No id reaches a run's configuration or log.
    """
    from orchestration.erasure import erase_open_requests

    settings = load_settings()
    create_state_folders(settings, but_landing=True)
    receipts = erase_open_requests(settings, context.log.info)
    context.add_output_metadata({"receipt_count": len(receipts)})


@dg.job(
    executor_def=dg.in_process_executor,
    description="Erases the people who asked for it, everywhere, and proves it; receipts are in receipts/.",
)
def erasures() -> None:
    erased_people()


@dg.op(pool=WRITER_POOL)
def retired_events(context: dg.OpExecutionContext) -> None:
    """Events older than the retention window leave; a receipt with numbers only is written."""
    from orchestration.retention import retire

    receipt = retire(load_settings(), datetime.now(UTC), context.log.info)
    context.add_output_metadata(asdict(receipt))


@dg.job(
    executor_def=dg.in_process_executor,
    description="Removes events older than ENGAGEMENT_RETENTION_MONTHS for good, then builds and publishes.",
)
def retention() -> None:
    retired_events()


@dg.op
def report_files(context: dg.OpExecutionContext) -> None:
    """A PDF in `exports/` for every capsule that had a visitor in the last whole week."""
    # Imported late: Typst and the charts are no business of a load.
    from orchestration.reports import write_weekly_reports

    written = write_weekly_reports(load_settings(), datetime.now(UTC), context.log.info)
    context.add_output_metadata({"report_count": len(written)})


@dg.job(
    executor_def=dg.in_process_executor,
    description="Writes last week's report of every capsule to exports/; needs no writer lock.",
)
def weekly_reports() -> None:
    report_files()
