"""Who starts erasures in the orchestrator, and what its own records keep of a person."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration import erasure, reports
from orchestration.erased_files import clean_logs
from orchestration.erasure_receipts import ErasureIncomplete
from orchestration.erasure_requests import open_request, open_requests
from orchestration.jobs import erasures
from orchestration.mentions import Mentions
from orchestration.micro_batch import load_pending
from orchestration.reports import redraw_reports
from orchestration.sensors import erasure_sensor
from orchestration.settings import Settings
from tests.event_lines import event, lines
from tests.killed_load import renew_one_mart
from tests.publication_fixture import write_publication

USER = "marker-user-0042"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.local_temp(str(settings.dagster_home)) as made:
        yield made


def land_request(settings: Settings) -> None:
    folder = settings.landing / "requests"
    folder.mkdir(exist_ok=True)
    (folder / "r.json").write_text(json.dumps({"erase": [{"userId": USER}]}), encoding="utf-8")


def tick(instance: dg.DagsterInstance) -> str:
    """What the sensor answers: the word `run`, or why there is none."""
    answer = erasure_sensor(dg.build_sensor_context(instance=instance))
    return "run" if isinstance(answer, dg.RunRequest) else str(getattr(answer, "skip_message", answer))


def files_with(folder: Path, word: str) -> list[str]:
    return sorted(
        path.name for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()
    )


def test_a_landed_request_starts_one_pass_that_names_nobody(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "build", renew_one_mart)
    assert tick(instance) == "Nobody asked to be erased"
    (settings.landing / "a.ndjson").write_bytes(lines(event(userId=USER)))
    land_request(settings)
    assert tick(instance) == "run"
    result = erasures.execute_in_process(instance=instance)
    assert result.success
    (receipt,) = settings.receipts.glob("*.json")
    assert json.loads(receipt.read_text(encoding="utf-8"))["verified"] is True
    assert tick(instance) == "Nobody asked to be erased"
    assert files_with(settings.home, USER) == []
    assert result.all_node_events
    assert not any(USER in str(one) for one in instance.all_logs(result.run_id))


def test_a_request_that_could_not_be_ended_waits_an_hour_unless_another_comes(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "build", renew_one_mart)
    note = settings.landing / "note.txt"
    note.write_text(f"call {USER}", encoding="utf-8")
    (settings.landing / "a.ndjson").write_bytes(lines(event(userId=USER)))
    land_request(settings)
    failed = erasures.execute_in_process(instance=instance, raise_on_error=False)
    assert not failed.success
    assert len(open_requests(settings)) == 1
    # The file of the open request is written while the pass runs, which counts as younger than its run.
    monkeypatch.setattr("orchestration.sensors._began", lambda record: datetime.now(UTC).timestamp() + 60)
    assert "trying again within the hour" in tick(instance)
    monkeypatch.setattr("orchestration.sensors._began", lambda record: 0.0)
    assert tick(instance) == "run"


def test_runs_that_name_a_person_leave_every_file_of_the_orchestrator(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    kept = instance.create_run_for_job(erasures)
    # As the daemon does: while somebody has a database open, its log is not merged.
    (runs,) = settings.dagster_home.rglob("runs.db")
    daemon = sqlite3.connect(runs)
    daemon.execute("select count(*) from runs").fetchone()
    gone = instance.create_run_for_job(erasures, tags={"asked_by": USER})
    for run in (kept, gone):
        instance.report_engine_event(f"a note {'' if run is kept else USER}", run)
    assert "runs.db-wal" in files_with(settings.dagster_home, USER)
    assert "runs.db" not in files_with(settings.dagster_home, USER)
    assert clean_logs(settings, Mentions([USER])) > 0
    assert files_with(settings.dagster_home, USER) == []
    assert [run.run_id for run in instance.get_runs()] == [kept.run_id]
    assert any("a note" in str(one) for one in instance.all_logs(kept.run_id))
    daemon.close()


def test_reports_that_cover_a_person_are_drawn_anew_and_no_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_publication(settings.published)
    settings.exports.mkdir(exist_ok=True)
    weeks = {"guide": "2026-03-09_to_2026-03-15", "onboarding": "2026-03-09_to_2026-03-15"}
    names = [f"report_{capsule}_{week}.pdf" for capsule, week in weeks.items()]
    names += ["report_guide_2026-06-01_to_2026-06-07.pdf", "report_gone_2026-03-09_to_2026-03-15.pdf"]
    for name in [*names, "own.pdf"]:
        (settings.exports / name).write_bytes(b"old")
    monkeypatch.setattr(
        reports, "write_report", lambda publication, selection, path, now: path.write_bytes(b"new")
    )
    day = date(2026, 3, 10)
    assert redraw_reports(settings, {"guide", "gone"}, day, day, NOW, lambda text: None) == 2
    left = {path.name: path.read_bytes() for path in settings.exports.iterdir()}
    # Nobody visits `gone` any more; the week before is what a report compares with, three months are not.
    assert left == {names[0]: b"new", names[1]: b"old", names[2]: b"old", "own.pdf": b"old"}
    before = day - timedelta(days=8)
    assert redraw_reports(settings, {"guide"}, before, before, NOW, lambda text: None) == 1


def test_a_refused_file_that_comes_again_is_cleaned_by_the_load(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "build", renew_one_mart)
    open_request(settings, [USER], [], NOW)
    erasure.erase_open_requests(settings)
    (settings.landing / "again.json").write_bytes(f"no json, but {USER}\n".encode())
    (settings.landing / "other.json").write_bytes(b"no json, but other-user-0007\n")
    summary = load_pending(settings)
    assert sorted(summary.refused) == ["again.json", "other.json"]
    assert files_with(settings.home, USER) == []
    assert (settings.landing / "refused" / "other.json").exists()


def test_a_request_stays_open_while_somebody_writes_to_a_file_that_names_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "build", renew_one_mart)
    (settings.landing / "a.ndjson").write_bytes(lines(event(userId=USER), event(eventId="e2", sessionId="s")))
    load_pending(settings)
    open_request(settings, [USER], [], NOW)
    original = settings.landing / "loaded" / "a.ndjson"
    with original.open("ab"), pytest.raises(ErasureIncomplete, match=r"1 files .* still open"):
        erasure.erase_open_requests(settings)
    assert len(open_requests(settings)) == 1
    (receipt,) = erasure.erase_open_requests(settings)
    assert receipt["verified"] is True
    assert original.read_bytes() == lines(event(eventId="e2", sessionId="s"))
