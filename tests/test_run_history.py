"""Dagster's memory of runs stays true and small."""

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration import run_history
from orchestration.run_history import delete_old_runs, end_dead_runs
from orchestration.settings import Settings
from orchestration.warehouse import writer_lock


@dg.op
def nothing() -> None:
    return None


@dg.job
def idle() -> None:
    nothing()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        yield made


def statuses(instance: dg.DagsterInstance) -> list[str]:
    return [run.status.value for run in instance.get_runs()]


def start_and_vanish(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(idle)
    instance.report_engine_event("started", run)
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name="idle"), run.run_id
    )


def test_only_the_newest_runs_are_kept(instance: dg.DagsterInstance) -> None:
    ran = [idle.execute_in_process(instance=instance).run_id for _ in range(4)]
    assert delete_old_runs(instance, kept=3) == 1
    assert {run.run_id for run in instance.get_runs()} == set(ran[1:])
    assert delete_old_runs(instance, kept=3) == 0


def test_a_run_whose_process_died_is_ended(instance: dg.DagsterInstance, settings: Settings) -> None:
    start_and_vanish(instance)
    assert statuses(instance) == ["STARTED"]
    assert end_dead_runs(instance, settings) == 0, "it is younger than a run needs to take the lock"
    assert end_dead_runs(instance, settings, is_first_start=True) == 1
    assert statuses(instance) == ["FAILURE"]


def test_an_old_run_is_ended_unless_somebody_holds_the_lock(
    instance: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_and_vanish(instance)
    monkeypatch.setattr(run_history, "START_SECONDS", -1)
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with writer_lock(settings):
            is_held.set()
            may_end.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(30)
    assert end_dead_runs(instance, settings) == 0
    may_end.set()
    holder.join()
    assert end_dead_runs(instance, settings) == 1
    assert statuses(instance) == ["FAILURE"]


def test_a_run_that_never_holds_the_lock_is_not_judged_by_it(
    instance: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_history, "START_SECONDS", -1)
    monkeypatch.setattr(run_history, "LOCKLESS_JOBS", frozenset({"idle"}))
    start_and_vanish(instance)
    assert end_dead_runs(instance, settings) == 0
    # When the orchestrator starts, no process of the last one lives.
    assert end_dead_runs(instance, settings, is_first_start=True) == 1
