"""Real files through the real commands, held against figures nobody took from the project."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from app import accounting
from app.publications import current_publication
from app.scope import EVERYTHING
from orchestration.settings import load_settings
from tests.commands import engagement, printed_json
from tests.event_lines import event, lines
from tests.recount import headline_figures, read_events

pytestmark = pytest.mark.end_to_end

FIXTURES = Path(__file__).parent / "fixtures"
# Whole data sets, beside the project where they are present.
REAL = Path(__file__).parent.parent.parent / "shared" / "real"
ANY_AGE = {"ENGAGEMENT_ACCEPT_ANY_AGE": "true"}


def load_folder(tmp_path: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    home = tmp_path / "home"
    shutil.copytree(folder, home / "landing")
    return home, printed_json(home, "load", settings=ANY_AGE)


def assert_figures(home: Path, expected: dict[str, Any], *arguments: str) -> None:
    """Totals, days and capsules of an expected-figures file, each to the last digit it gives."""
    days = ("--from", expected["from"], "--to", expected["to"], *arguments)
    totals = printed_json(home, "metrics", *days)["metrics"]
    assert_equal_figures(
        {name: figure.get("value") for name, figure in totals.items() if name != "revenue"},
        {name: value for name, value in expected["metrics"].items() if name in totals and name != "revenue"},
        "in all",
    )
    for part, key in (("by_day", "day"), ("by_capsule", "capsule"), ("by_channel", "channel")):
        if part in expected:
            rows = {row[key]: row for row in printed_json(home, "metrics", *days, "--by", key)["rows"]}
            for value, figures in expected[part].items():
                assert_equal_figures(rows[value], figures, f"{key} {value}")


def assert_equal_figures(found: dict[str, Any], wanted: dict[str, Any], where: str) -> None:
    differences = {
        name: (found.get(name), value)
        for name, value in wanted.items()
        if (found.get(name) if value is None else found.get(name) != pytest.approx(value, rel=1e-6, abs=1e-6))
    }
    assert differences == {}, f"{where}: (found, wanted)"


@pytest.mark.parametrize(("data_set", "bots"), [("conversations", "exclude"), ("weblog", "include")])
def test_the_whole_real_data_sets_give_exactly_their_figures(
    data_set: str, bots: str, tmp_path: Path
) -> None:
    if not REAL.is_dir():
        pytest.skip(
            f"the whole data sets are not here ({REAL.name}/ beside the project); slices are tested below"
        )
    expected = json.loads((REAL / f"{data_set}.expected.json").read_text(encoding="utf-8"))
    home, loaded = load_folder(tmp_path, REAL / data_set)
    assert (loaded["received"], loaded["accepted"]) == (expected["events"], expected["events"])
    assert_figures(home, expected, "--bots", bots)
    devices = expected["metrics"].get("views_by_device")
    if devices:
        days = ("--from", expected["from"], "--to", expected["to"], "--bots", bots)
        rows = printed_json(home, "metrics", *days, "--by", "device")["rows"]
        assert {row["device"]: row["view_count"] for row in rows} == devices


def test_slices_of_the_real_data_agree_with_a_recount_and_a_second_load_changes_nothing(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    files = [*(FIXTURES / "conversations").iterdir(), *(FIXTURES / "weblog").iterdir()]
    (home / "landing").mkdir(parents=True)
    for number, path in enumerate(sorted(files)):
        shutil.copy(path, home / "landing" / f"{number}-{path.name}")
    loaded = printed_json(home, "load", settings=ANY_AGE)
    recounted = headline_figures(read_events(files))
    assert loaded["accepted"] == len(read_events(files))
    days = ("--from", "2015-01-01", "--to", "2018-12-31", "--bots", "include")
    first = printed_json(home, "metrics", *days)
    found = {name: first["metrics"][name]["value"] for name in recounted}
    assert found == pytest.approx(recounted)

    for path in (FIXTURES / "conversations").iterdir():
        shutil.copy(path, home / "landing" / f"again-{path.name}")
    again = printed_json(home, "load", settings=ANY_AGE)
    assert (again["files"], again["accepted"], len(again["repeated"])) == (0, 0, 3)
    nothing = engagement(home, "load")
    assert (nothing.returncode, nothing.stdout) == (
        0, "Nothing to load: every landed file is in the current publication.\n",
    )  # fmt: skip
    second = printed_json(home, "metrics", *days)
    assert second["metrics"] == first["metrics"]


def test_the_sample_stream_gives_exactly_its_truth(tmp_path: Path) -> None:
    home = tmp_path / "home"
    written = printed_json(
        home, "sample", "--capsules", "2", "--days", "24", "--events-per-day", "150", "--seed", "11"
    )
    expected = json.loads(Path(written["truth_file"]).read_text(encoding="utf-8"))
    loaded = printed_json(home, "load")
    accounting = {
        name: expected["accounting"][f"{name}_count"]
        for name in ("received", "accepted", "duplicate", "rejected", "suppressed")
    }
    assert {name: loaded[name] for name in accounting} == accounting
    assert loaded["rejected_by_reason"] == expected["accounting"]["rejected_by_reason"]
    assert_figures(home, expected)
    assert_figures(home, expected | expected["bots_included"], "--bots", "include")
    status = printed_json(home, "status")
    assert status["accounting"] == accounting
    assert status["landing"]["pending"] == 0
    out = tmp_path / "sessions.parquet"
    exported = engagement(home, "export", "fct_sessions", "--format", "parquet", "--out", str(out))
    assert exported.returncode == 0, exported.stderr
    counted = printed_json(home, "sql", "select count(*) as n from marts.fct_sessions")
    assert exported.stdout == f"Wrote {counted[0]['n']:,} rows of fct_sessions to {out}\n"

    (home / "warehouse" / "warehouse.duckdb").unlink()
    recovered = engagement(home, "recover")
    assert f"{accounting['accepted']:,} events accepted" in recovered.stdout, recovered.stderr
    assert_figures(home, expected)


def a_missing_landing_folder(home: Path) -> dict[str, str]:
    return {"ENGAGEMENT_LANDING": str(home / "nowhere")}


def an_unreadable_setting(home: Path) -> dict[str, str]:
    return {"ENGAGEMENT_RETENTION_MONTHS": "3"}


@pytest.mark.parametrize(
    ("setting", "arguments", "code", "sentence"),
    [
        (a_missing_landing_folder, ["load"], 1,
         "nowhere does not exist. Create it, or set ENGAGEMENT_LANDING"),
        (an_unreadable_setting, ["load"], 2,
         "ENGAGEMENT_RETENTION_MONTHS is '3', but must be a whole number of months, 12 or more."),
        (None, ["metrics"], 1, "Nothing has been published yet. Drop event files into the landing folder"),
        (None, ["export", "nothing", "--out", "x.csv"], 1, "Nothing has been published yet"),
        (None, ["metrics", "--from", "22.11.2026"], 2, "'22.11.2026' does not match the format"),
        (None, ["metrics", "--filter", "channel"], 1, "Nothing has been published yet"),
        (None, ["sample", "--days", "0"], 2, "day"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_clear_sentence_and_an_exit_code(
    setting: Callable[[Path], dict[str, str]] | None,
    arguments: list[str],
    code: int,
    sentence: str,
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    done = engagement(home, *arguments, settings=setting(home) if setting else None)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_landing_folder_is_nothing_to_load(tmp_path: Path) -> None:
    done = engagement(tmp_path / "home", "load")
    assert (done.returncode, done.stdout) == (
        0, "Nothing to load: no event file has landed, and nothing has been published yet.\n",
    )  # fmt: skip


# Of the three lines of b.ndjson the first is the content that a.ndjson has twice, the last is of a person
# whose opt-out it is.
HAND_COUNTED = {
    "a.ndjson": lines(
        event(), event(), event(eventId="e2"), event(eventId="e3", capsuleId="capsule-b"),
        event(eventId="e4", sessionId=""), event("click", eventId="e5", capsuleId="capsule-b"),
    ) + b"no json\n\n{\n",
    "b.ndjson": lines(
        event(), event(eventId="e6"), event(eventId="e7", sessionId="s", metadata={"optOut": True})
    ),
}  # fmt: skip
# received, accepted, duplicate, rejected, suppressed
OF_FILES = {"a.ndjson": [8, 3, 1, 4, 0], "b.ndjson": [3, 1, 1, 0, 1]}
OF_CAPSULES = {"capsule-a": [7, 3, 2, 1, 1], "capsule-b": [2, 1, 0, 1, 0], None: [2, 0, 0, 2, 0]}
OF_REASONS = {"not_json": 2, "blank_field": 1, "unknown_event_type": 1}
IN_ALL = [11, 4, 2, 4, 1]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A home where good, dirty and refused files were loaded at once, and what the load said."""
    home = tmp_path_factory.mktemp("mixed") / "home"
    (home / "landing").mkdir(parents=True)
    (home / "landing" / "picture.json").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    shutil.copy(FIXTURES / "conversations" / "2018-04-29.ndjson.gz", home / "landing")
    for name, content in HAND_COUNTED.items():
        (home / "landing" / name).write_bytes(content)
    return home, engagement(home, "load", settings=ANY_AGE)


def test_a_file_that_is_no_json_is_refused_and_the_others_are_loaded(
    mixed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    home, done = mixed
    assert done.returncode == 1
    assert (
        "Refused picture.json: no line of it is JSON; event files hold one JSON object a line" in done.stderr
    )
    assert "moved to refused/picture.json" in done.stderr
    published = printed_json(
        home, "metrics", "--from", "2018-04-29", "--to", "2018-04-29", "--compare", "none"
    )
    # Three conversations of that day; the fourth session of the whole set began the day before.
    assert published["metrics"]["view_count"]["value"] == 3


def counts_of(row: Mapping[str, Any]) -> list[int]:
    return [row[f"{name}_count"] for name in ("received", "accepted", "duplicate", "rejected", "suppressed")]


def test_the_accounting_is_the_same_wherever_it_is_shown(
    mixed: tuple[Path, subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = mixed
    # All lines of the real file are accepted; 21 by a look at it.
    real = read_events([FIXTURES / "conversations" / "2018-04-29.ndjson.gz"])
    assert len(real) == 21
    of_day = [IN_ALL[0] + len(real), IN_ALL[1] + len(real), *IN_ALL[2:]]
    of_files = OF_FILES | {
        "2018-04-29.ndjson.gz": [len(real), len(real), 0, 0, 0], "picture.json": [0, 0, 0, 0, 0],
    }  # fmt: skip
    status = printed_json(home, "status")
    assert list(status["accounting"].values()) == of_day
    (day,) = status["accounting_by_day"]
    assert (counts_of(day), day["rejected_by_reason"]) == (of_day, OF_REASONS)
    assert status["rejected_by_reason"] == OF_REASONS
    assert {file["file_name"]: counts_of(file) for file in status["last_files"]} == of_files
    assert status["unaccounted"] == {"days": [], "file_ids": []}

    daily = printed_json(home, "sql", "select * from marts.ingestion_daily where capsule_id is null "
                                      "or capsule_id like 'capsule-_'")  # fmt: skip
    assert {row["capsule_id"]: counts_of(row) for row in daily} == OF_CAPSULES

    publication = current_publication(home / "published", EVERYTHING)
    assert list(accounting.load_totals(publication).values()) == of_day
    assert [counts_of(row) for row in accounting.load_days(publication)] == [of_day]
    assert {row["file_name"]: counts_of(row) for row in accounting.event_files(publication)} == of_files
    reasons = {row["reason"]: row["rejected_count"] for row in accounting.rejected_reasons(publication)}
    assert reasons == OF_REASONS

    for name, value in load_settings(home=home).environment().items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:
        events, files, published = (
            instance.get_latest_materialization_event(dg.AssetKey(key)).asset_materialization.metadata
            for key in (["raw", "events"], ["raw", "event_files"], ["publication"])
        )
    names = ("received", "accepted", "duplicate", "rejected", "suppressed")
    assert [events[f"{name}_count"].value for name in names] == of_day
    assert {key: found.value for key, found in events.items() if key.startswith("rejected: ")} == {
        f"rejected: {reason}": count for reason, count in OF_REASONS.items()
    }
    assert {
        record.data["file_name"]: counts_of(record.data) for record in files["newest_files"].records
    } == of_files
    assert [published[f"{name}_lines"].value for name in names] == of_day
    (record,) = published["lines_by_day"].records
    assert counts_of(record.data) == of_day
    assert record.data["rejected_by_reason"] == "not_json: 2, blank_field: 1, unknown_event_type: 1"
