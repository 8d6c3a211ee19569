"""The asset checks that no load waits for: what Dagster shows of them, and that they hold up nothing."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration import checks, dbt_runner, schedules
from orchestration.definitions import defs
from orchestration.quality import EXPECTED
from orchestration.run_history import LOCKLESS_JOBS
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock
from tests.test_quality import BREAKING, NOW, good_rows, seal_batch

ROOT = Path(__file__).parent.parent
EXPECTATIONS = {one.name for one in EXPECTED}


@pytest.fixture(autouse=True)
def _environment_is_given_back() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def evaluations(job: str) -> dict[tuple[str, str], tuple[bool, dg.AssetCheckSeverity]]:
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(job).execute_in_process(instance=instance)
    assert result.success
    return {
        (one.asset_key.path[-1], one.check_name): (one.passed, one.severity)
        for one in result.get_asset_check_evaluations()
    }


def test_every_expectation_is_an_asset_check_that_blocks_nothing() -> None:
    specs = list(checks.raw_batch_quality.check_specs)
    assert {spec.name for spec in specs} == EXPECTATIONS
    assert all(spec.asset_key.path == ["raw", "events"] and not spec.blocking for spec in specs)
    assert all(not spec.blocking for spec in checks.source_freshness.check_specs)


def test_a_load_runs_none_of_them() -> None:
    nodes = {job: {node.name for node in defs.resolve_job_def(job).nodes}
             for job in ("micro_batch", "hourly_quality", "nightly")}  # fmt: skip
    assert nodes["micro_batch"] == {"raw_events", "models", "publication"}
    assert nodes["hourly_quality"] == {"raw_batch_quality"}
    assert nodes["nightly"] == {"source_freshness", "every_model_test", "raw__events_erasures_in_time"}


def test_what_does_not_hold_is_a_warning_of_a_run_that_succeeds(settings: Settings) -> None:
    seal_batch(settings, 1, BREAKING["devices_are_known"]())
    found = evaluations("hourly_quality")
    assert found["events", "devices_are_known"] == (False, dg.AssetCheckSeverity.WARN)
    assert found["events", "event_key_is_complete"] == (True, dg.AssetCheckSeverity.ERROR)
    # Nothing is published, so no volume is judged, and what did not run is not reported as passed.
    assert {name for _, name in found} == EXPECTATIONS - {"day_volume_is_usual"}


def test_before_the_first_batch_nothing_is_reported(settings: Settings) -> None:
    assert evaluations("hourly_quality") == {}


def test_the_hourly_schedule_runs_only_for_new_batches(settings: Settings) -> None:
    assert isinstance(schedules.every_hour(), dg.SkipReason)
    seal_batch(settings, 1, good_rows())
    assert isinstance(schedules.every_hour(), dg.RunRequest)


def test_a_job_without_the_writer_lock_is_known_as_such() -> None:
    assert frozenset({schedules.hourly_quality.name, schedules.weekly_reports.name}) == LOCKLESS_JOBS


def load_rows(settings: Settings, occurred_at: datetime, committed_at: datetime) -> None:
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute(
            "insert into raw.events (event_key, occurred_at) values ('e', ?)",
            [occurred_at.replace(tzinfo=None)],
        )
        connection.execute(
            "insert into raw.load_batches values (1, ?, 1, 1, null)", [committed_at.replace(tzinfo=None)]
        )


def test_the_checked_tables_are_those_with_thresholds() -> None:
    text = (ROOT / "models/staging/_raw__sources.yml").read_text(encoding="utf-8")
    (source,) = yaml.safe_load(text)["sources"]
    aged = {table["name"] for table in source["tables"] if "freshness" in table.get("config", {})}
    assert aged == set(checks.AGEING_TABLES)


def test_nothing_is_late_where_nothing_was_ever_sent(settings: Settings) -> None:
    with writer_lock(settings):
        with open_warehouse(settings):
            pass
        assert dbt_runner.source_freshness(settings) == []


@pytest.mark.parametrize(
    ("age", "status"),
    [(timedelta(hours=1), "pass"), (timedelta(hours=30), "warn"), (timedelta(days=8), "error")],
)
def test_the_age_of_the_newest_event_is_judged_by_the_yml(
    settings: Settings, age: timedelta, status: str
) -> None:
    now = datetime.now(UTC)
    load_rows(settings, now - age, now)
    with writer_lock(settings):
        found = {one.table: one for one in dbt_runner.source_freshness(settings)}
    assert found["events"].status == status
    assert age.total_seconds() <= found["events"].age_seconds < age.total_seconds() + 600
    assert found["load_batches"].status == "pass"


def test_the_nightly_job_shows_ages_as_checks(settings: Settings) -> None:
    load_rows(settings, datetime.now(UTC) - timedelta(hours=30), datetime.now(UTC))
    found = evaluations("nightly")
    assert found["events", "is_fresh"] == (False, dg.AssetCheckSeverity.WARN)
    assert found["load_batches", "is_fresh"][0] is True


def test_the_results_are_left_where_the_dashboard_finds_them(settings: Settings) -> None:
    seal_batch(settings, 1, good_rows())
    evaluations("hourly_quality")
    written = json.loads((settings.quality / "results.json").read_text(encoding="utf-8"))
    assert (written["last_batch"], written["last_loaded_at"]) == (1, NOW.isoformat())
