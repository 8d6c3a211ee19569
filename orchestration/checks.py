"""Asset checks that no load waits for: the quality suite over raw batches, how old the sources are, and
every test of the models over all rows.

Why it exists: the thin shell between Dagster and the functions that do the work. None of these checks
blocks: a publication needs the accounting and the models' own tests, not a usual Tuesday.
Not here: what is expected (`quality.py`), the ages' thresholds (`models/staging/_raw__sources.yml`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from orchestration import dbt_runner
from orchestration.assets import WRITER_POOL, Warehouse
from orchestration.erasure_requests import request_state
from orchestration.model_builds import last_good_build
from orchestration.quality import EXPECTED, Judged, QualityReport, check_newest
from orchestration.settings import load_settings
from orchestration.warehouse import open_warehouse

_RAW_EVENTS: Final = dg.AssetKey(["raw", "events"])
_SEVERITIES: Final = {"warn": dg.AssetCheckSeverity.WARN, "error": dg.AssetCheckSeverity.ERROR}
# The tables with `freshness` in models/staging/_raw__sources.yml; a test holds the two together.
AGEING_TABLES: Final = ("events", "load_batches")


@dg.multi_asset_check(
    name="raw_batch_quality",
    specs=[
        dg.AssetCheckSpec(one.name, asset=_RAW_EVENTS, description=one.sentence, blocking=False)
        for one in EXPECTED
    ],
    can_subset=True,
)
def raw_batch_quality(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """The Great Expectations suite over the batches since its last run, else over the newest one again.

    Reads the sealed files, not the warehouse, so it holds up no load. What too few lines apply to is not
    reported: a check that did not run has not passed.
    """
    settings = load_settings()
    report = check_newest(settings, datetime.now(UTC))
    if report is None:
        context.log.info("Nothing has been loaded yet")
        return
    context.log.info(f"Looked at {report.looked_at} of batches {report.first_batch} to {report.last_batch}")
    for check in report.checks:
        if check.passed is None:
            context.log.info(f"{check.name}: too few lines to tell ({check.line_count})")
        elif dg.AssetCheckKey(_RAW_EVENTS, check.name) in context.selected_asset_check_keys:
            yield _shown(check, report, str(settings.quality / "data_docs" / "index.html"))


def _shown(check: Judged, report: QualityReport, page: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=_RAW_EVENTS,
        check_name=check.name,
        passed=bool(check.passed),
        severity=_SEVERITIES[check.severity],
        description=check.sentence,
        metadata={
            "found": check.found if check.found is not None else "nothing",
            "line_count": check.line_count,
            "batches": f"{report.first_batch} to {report.last_batch}",
            "looked_at": report.looked_at,
            "data_docs": dg.MetadataValue.path(page),
        },
    )


@dg.multi_asset_check(
    name="source_freshness",
    specs=[
        dg.AssetCheckSpec(
            "is_fresh", asset=["raw", table], description="Newest row, as `dbt source freshness` judges it."
        )
        for table in AGEING_TABLES
    ],
    can_subset=True,
    pool=WRITER_POOL,
)
def source_freshness(warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """How old the newest event and the newest load are; a table without a row is not reported."""
    for age in dbt_runner.source_freshness(warehouse.settings):
        yield dg.AssetCheckResult(
            asset_key=["raw", age.table],
            check_name="is_fresh",
            passed=age.status == "pass",
            severity=_SEVERITIES["warn" if age.status in ("pass", "warn") else "error"],
            metadata={"age_hours": round(age.age_seconds / 3600, 1)},
        )


@dg.asset_check(
    asset=_RAW_EVENTS,
    name="erasures_in_time",
    description="No request to be erased is open for more than 30 days.",
)
def erasures_in_time() -> dg.AssetCheckResult:
    """Fails when a request is overdue, and warns five days before."""
    now = datetime.now(UTC)
    settings = load_settings()
    state, soon = request_state(settings, now), request_state(settings, now + timedelta(days=5))
    return dg.AssetCheckResult(
        passed=not soon["overdue"],
        severity=_SEVERITIES["error" if state["overdue"] else "warn"],
        metadata={name: state[name] for name in ("open", "landed", "overdue", "done")},
    )


@dg.multi_asset_check(
    name="every_model_test",
    specs=[
        dg.AssetCheckSpec(
            "every_model_test", asset="publication", description="Every test of dbt, over all rows."
        )
    ],
    # What is optional may be left out.
    can_subset=True,
    pool=WRITER_POOL,
)
def every_model_test(warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """Every test of dbt over all rows; a batch asks those about keys and sums, of the rows it touched.

    Not reported before the models were built: a check that did not run has not passed.
    """
    with open_warehouse(warehouse.settings) as connection:
        if last_good_build(connection) is None:
            return
    outcome = dbt_runner.ask_every_test(warehouse.settings)
    yield dg.AssetCheckResult(
        asset_key="publication",
        check_name="every_model_test",
        passed=not outcome.failures,
        metadata={
            "test_count": outcome.node_count,
            "failed": sorted(name.split(".")[2] for name in outcome.failures),
        },
    )
