"""A person who asks for it is gone from every byte, stays gone, and nobody else's figures move.

The person is first found everywhere, uncompressed; only then does not finding them say something.
"""

import gzip
import json
import os
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration import erasure, warehouse
from orchestration.access_requests import own_data
from orchestration.dbt_runner import build
from orchestration.erasure import erase_open_requests
from orchestration.erasure_preview import dry_run
from orchestration.erasure_receipts import ErasureIncomplete
from orchestration.erasure_requests import ErasureRequest, open_request, open_requests, request_state
from orchestration.mentions import Mentions
from orchestration.micro_batch import load_pending
from orchestration.opt_out_requests import PersonErased, opt_out
from orchestration.places import place_of, state_files
from orchestration.privacy import Keyring
from orchestration.publication import publish
from orchestration.raw_events import accounting_gaps
from orchestration.recovery import recover
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock
from tests.event_lines import event, lines
from tests.killed_load import renew_one_mart
from tests.test_crashes import start
from tests.test_recovery import everything

USER, VISITOR, OTHER = "marker-user-0042", "marker-visitor-0042", "other-user-0007"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def at(clock: str, **changes: Any) -> dict[str, Any]:
    """An event of 20 November, whose id is its session and clock."""
    made = event(timestamp=f"2026-11-20T{clock}:00Z", **changes)
    return made | {"eventId": changes.get("eventId", f"{made['sessionId']}-{clock}")}


# Theirs: three in s1, of which two have no user, and two in s3, where somebody else was before them.
THEIRS = [
    at("12:00", sessionId="s1"),
    at("12:01", sessionId="s1", userId=USER, metadata={"visitorId": VISITOR}),
    at("12:02", sessionId="s1"),
    at("13:02", sessionId="s3", userId=USER),
    at("13:03", sessionId="s3"),
]
OTHERS = [
    at("12:00", sessionId="s2", userId=OTHER),
    at("13:00", sessionId="s3", userId=OTHER),
    at("13:01", sessionId="s3"),
    at("12:00", sessionId="s4", metadata={"visitorId": "other-visitor"}),
    # An hour and a half after s3 somebody without a user, in the session that the two had shared.
    at("09:00", sessionId="s5"),
]
# Of two events with one id the earlier wins; without theirs the other one does.
CLASH_WON = at("14:00", sessionId="s6", userId=USER, eventId="clash")
CLASH_LOST = at("14:01", sessionId="s7", userId=OTHER, eventId="clash")
REJECTED = {"eventType": "view", "capsuleId": "capsule-a", "sessionId": "s1", "userId": USER}


@pytest.fixture(autouse=True)
def _one_mart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compressed, and one mart stands for all; the real models have their own test."""
    monkeypatch.setattr(erasure, "build", renew_one_mart)
    config = warehouse.connection_config
    monkeypatch.setattr(
        warehouse,
        "connection_config",
        lambda settings: config(settings) | {"force_compression": "uncompressed"},
    )


def load(settings: Settings, **files: bytes) -> None:
    for name, content in files.items():
        (settings.landing / f"{name}.ndjson").write_bytes(content)
    load_pending(settings)


@pytest.fixture(scope="module", autouse=True)
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    prepared.append(tmp_path_factory.mktemp("prepared") / "home")
    yield
    prepared.clear()


prepared: list[Path] = []


def load_everything(settings: Settings) -> None:
    """Their lines among others, packed and plain, repeated, beaten, rejected and refused; then published.

    Loaded once and then copied, key and all.
    """
    if prepared[0].exists():
        shutil.copytree(prepared[0], settings.home, dirs_exist_ok=True)
        return
    really_load_everything(settings)
    shutil.copytree(settings.home, prepared[0])


def really_load_everything(settings: Settings) -> None:
    packed = settings.landing / "first.ndjson.gz"
    packed.write_bytes(gzip.compress(lines(*THEIRS, *OTHERS)))
    load_pending(settings)
    load(settings, second=lines(THEIRS[1], THEIRS[1], CLASH_WON, CLASH_LOST, REJECTED))
    (settings.landing / "refused.json").write_bytes(f"no json, but {USER}\n".encode())
    load_pending(settings)
    renew(settings)


def renew(settings: Settings) -> None:
    with writer_lock(settings):
        renew_one_mart(settings)
        with open_warehouse(settings) as connection:
            publish(connection, settings, datetime.now(UTC))


def erase(settings: Settings, *user_ids: str, visitor_ids: tuple[str, ...] = ()) -> dict[str, Any]:
    open_request(settings, user_ids, visitor_ids, NOW)
    (receipt,) = erase_open_requests(settings)
    return receipt


def stored(settings: Settings) -> list[tuple[Any, ...]]:
    """Every event, without where it came from."""
    with writer_lock(settings), open_warehouse(settings) as connection:
        assert accounting_gaps(connection) == []
        return connection.execute(
            """select occurred_at, * exclude (occurred_at, file_id, line_number, batch_id)
            from raw.events order by all"""
        ).fetchall()


def stored_without(settings: Settings, tmp_path: Path, *sent: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The events of an installation with the same key that was only ever sent these."""
    other = settings.model_copy(
        update={"home": tmp_path / "other", "landing": tmp_path / "other" / "landing"}
    )
    other.landing.mkdir(parents=True)
    shutil.copytree(settings.secrets, other.secrets)
    (other.secrets / "erased.txt").unlink(missing_ok=True)
    load(other, all=lines(*sent))
    return stored(other)


def places_with(settings: Settings, *words: str) -> set[str]:
    """Patterns of the places in whose bytes, unpacked and read as tables too, any of the words stands."""
    found = set()
    for name, path in state_files(settings):
        place = place_of(name)
        assert place is not None, f"{name} is not in places.py"
        contents = [name, path.read_bytes().decode("latin-1"), *texts_of(path)]
        if any(word in content for word in words for content in contents):
            found.add(place.pattern)
    return found


def texts_of(path: Path) -> Iterator[str]:
    if path.suffix == ".gz":
        yield gzip.decompress(path.read_bytes()).decode("latin-1")
    elif path.suffix == ".parquet":
        yield str(pq.read_table(path).to_pylist())
    elif path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            for (table,) in connection.execute(
                "select schema_name || '.' || table_name from duckdb_tables()"
            ).fetchall():
                yield str(connection.execute(f"from {table}").fetchall())


def keys_of(settings: Settings) -> list[str]:
    """Their keyed hashes and those of their sessions and events, made here from what was sent."""
    keyring = Keyring(settings.secrets, NOW)
    return [
        keyring.key("user", USER),
        keyring.key("visitor", VISITOR),
        keyring.key("session", "capsule-a", "s1"),
        keyring.key("session", "capsule-a", "s6"),
        *(keyring.key("event", "capsule-a", one["eventId"]) for one in THEIRS),
    ]


def test_a_person_is_found_everywhere_first_and_nowhere_after(settings: Settings, tmp_path: Path) -> None:
    load_everything(settings)
    keys = keys_of(settings)
    (settings.landing / "waiting.ndjson").write_bytes(lines(at("15:00", sessionId="s8", userId=USER)))
    for folder, name, content in [
        ("tmp", "spill.bin", keys[0]),
        ("logs", "errors.log", f"one line\nValueError: {USER}\nanother\n"),
        ("warehouse/damaged-1", "warehouse.duckdb.old", keys[0]),
        ("published/.half.tmp", "part", keys[0]),
    ]:
        (settings.home / folder).mkdir(parents=True, exist_ok=True)
        (settings.home / folder / name).write_text(content, encoding="utf-8")
    # A log of the warehouse that was never merged, as after a kill.
    shutil.copy(settings.warehouse_file, settings.warehouse_file.with_name("rebuilding.duckdb"))

    assert places_with(settings, USER, *keys) == {
        "landing/*", "landing/loaded/*", "landing/refused/*", "archive/*.parquet", "warehouse/*.duckdb*",
        "warehouse/warehouse.duckdb", "warehouse/damaged-*", "published/*", "published/.*", "tmp/*", "logs/*",
    }  # fmt: skip

    receipt = erase(settings, USER, visitor_ids=(VISITOR,))

    assert places_with(settings, USER, VISITOR, *keys) == set()
    assert stored(settings) == stored_without(settings, tmp_path, *OTHERS, CLASH_LOST)
    # Five and their won clash in raw; in the archive the two copies of the second file too.
    assert receipt["found"] == {"archive": 8, "raw.events": 6, "marts.dim_visitors": 2}
    assert receipt["verified"] is True
    assert (settings.home / "logs" / "errors.log").read_text(encoding="utf-8") == "one line\nanother\n"
    assert len([path for path in settings.published.iterdir() if path.is_dir()]) == 1


def test_the_counts_of_every_file_still_add_up(settings: Settings) -> None:
    load_everything(settings)
    erase(settings, USER)
    with writer_lock(settings), open_warehouse(settings) as connection:
        files = connection.execute(
            """select file_name, received_count, accepted_count, duplicate_count, rejected_count,
                suppressed_count from raw.event_files where status = 'loaded' order by file_id"""
        ).fetchall()
    # Of the second file the copies, the won clash are theirs; the lost one is accepted, one line is broken.
    assert files == [("first.ndjson.gz", 10, 5, 0, 0, 5), ("second.ndjson", 5, 1, 0, 1, 3)]


def test_a_warehouse_rebuilt_from_the_archive_is_the_erased_one_row_for_row(settings: Settings) -> None:
    load_everything(settings)
    load(settings, third=lines(at("16:00", sessionId="s9", userId=USER, metadata={"optOut": True})))
    erase(settings, USER)
    before = everything(settings)
    recover(settings)
    after = everything(settings)
    for content in (before, after):
        # The event that took the place of the erased one came with its batch; when it is rebuilt, at once.
        content["events"] = [row[:-1] for row in content["events"]]
        content["removed_events"] = content["model_builds"] = []
        content["renewed_days"] = content["last_publication"] = []
        content["load_batches"] = [(row[0], row[1], row[2]) for row in content["load_batches"]]
    assert after == before


def test_events_without_a_user_belong_to_whoever_their_session_belongs_to(settings: Settings) -> None:
    load(settings, all=lines(*THEIRS, *OTHERS))
    erase(settings, USER)
    clocks = sorted((row[0].hour, row[0].minute) for row in stored(settings))
    assert clocks == [(9, 0), (12, 0), (12, 0), (13, 0), (13, 1)]


def test_a_visitor_is_erased_with_the_sessions_they_were_in(settings: Settings) -> None:
    load(settings, all=lines(*THEIRS, *OTHERS))
    receipt = erase(settings, visitor_ids=(VISITOR,))
    # Three in s1; what the same person did in s3 as a signed-in user says nothing of the visitor.
    assert receipt["found"]["raw.events"] == 3
    assert len(stored(settings)) == 7


def test_an_unknown_person_gets_an_honest_receipt_with_zeros(settings: Settings) -> None:
    load(settings, all=lines(*OTHERS))
    before = stored(settings)
    receipt = erase(settings, "never-seen-user")
    assert (receipt["found"], receipt["files"], receipt["verified"]) == ({}, {}, True)
    assert stored(settings) == before


def test_erasing_again_finds_nothing(settings: Settings) -> None:
    load_everything(settings)
    erase(settings, USER)
    assert erase(settings, USER)["found"] == {}


def test_a_dry_run_says_what_would_go_and_changes_nothing(settings: Settings) -> None:
    load_everything(settings)
    before = everything(settings)
    contents = {name: path.read_bytes() for name, path in state_files(settings)}
    would = dry_run(settings, ErasureRequest("dry", NOW.isoformat(), [USER]))
    assert would.found == {"archive": 8, "raw.events": 6, "marts.dim_visitors": 2}
    assert everything(settings) == before
    assert {name: path.read_bytes() for name, path in state_files(settings)}.items() >= {
        name: content for name, content in contents.items() if not name.startswith("warehouse/")
    }.items()
    assert open_requests(settings) == []


def test_a_dry_run_counts_the_files_that_the_receipt_counts(settings: Settings) -> None:
    load_everything(settings)
    load(settings, **{f"of-{USER}": lines(*OTHERS[:1])}, said=lines(*NAMING[:1]), others=lines(*OTHERS))
    (settings.home / "logs").mkdir(exist_ok=True)
    (settings.home / "logs" / "errors.log").write_text(f"ValueError: {USER}\n", encoding="utf-8")
    would = dry_run(settings, ErasureRequest("dry", NOW.isoformat(), [USER]))
    # Landed: the two files of `load_everything`, what another said, the name; and one that was refused.
    # Sealed: the same but for the name, of which journal and manifest keep one record each.
    assert would.files == {
        "landed files rewritten": 4, "landed files removed": 1, "archive files rewritten": 3,
        "names of files rewritten": 2, "publications removed": 1, "logs rewritten": 1,
    }  # fmt: skip
    receipt = erase(settings, USER)
    assert (receipt["found"], receipt["files"]) == (would.found, would.files)


def test_a_dry_run_says_what_waits_and_what_has_to_be_removed_by_hand(settings: Settings) -> None:
    load(settings, all=lines(*OTHERS))
    (settings.landing / "waiting.ndjson").write_bytes(lines(*THEIRS))
    (settings.landing / "note.txt").write_text(f"call {USER}", encoding="utf-8")
    would = dry_run(settings, ErasureRequest("dry", NOW.isoformat(), [USER]))
    assert (would.found, would.files) == (
        {},
        {
            "landed files that wait to be loaded": 1,
            "files of others in the landing folder, to be removed by hand": 1,
        },
    )


def test_several_people_are_erased_in_one_pass(settings: Settings) -> None:
    load_everything(settings)
    open_request(settings, [USER], [], NOW)
    open_request(settings, [OTHER], [], NOW + timedelta(seconds=1))
    first, second = erase_open_requests(settings)
    assert (first["found"]["raw.events"], second["found"]["raw.events"]) == (6, 4)
    assert [row[0].hour for row in stored(settings)] == [9, 12]


def test_a_landed_request_is_carried_out_and_its_file_goes(settings: Settings) -> None:
    load(settings, all=lines(*THEIRS, *OTHERS))
    folder = settings.landing / "requests"
    folder.mkdir()
    asked = {"erase": [{"userId": USER}, {"visitorId": VISITOR}], "requestedAt": "2026-11-24T10:00:00Z"}
    (folder / "today.json").write_text(json.dumps(asked), encoding="utf-8")
    (folder / "wrong.json").write_text('{"erase": []}', encoding="utf-8")
    said: list[str] = []
    (receipt,) = erase_open_requests(settings, said.append)
    assert receipt["requested_at"] == "2026-11-24T10:00:00+00:00"
    assert receipt["found"]["raw.events"] == 5
    assert [path.name for path in folder.iterdir()] == ["wrong.json"]
    assert 'requests/wrong.json: it must be like {"erase": [{"userId": "…"}, {"visitorId": "…"}]}' in said[0]


def returns_of(settings: Settings, sent: dict[str, bytes]) -> list[tuple[Any, ...]]:
    before = stored(settings)
    load(settings, **sent)
    assert places_with(settings, USER, *keys_of(settings)) == set()
    return [row for row in stored(settings) if row not in before]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(
            {"second": lines(THEIRS[1], THEIRS[1], CLASH_WON, CLASH_LOST, REJECTED)}, id="same file"
        ),
        pytest.param({"renamed": lines(THEIRS[1], THEIRS[1], CLASH_WON, CLASH_LOST, REJECTED)}, id="renamed"),
        pytest.param({"other": lines(*THEIRS)}, id="the same events in another file"),
        pytest.param({"late": lines(at("12:05", sessionId="s1"))}, id="late, without a user"),
        pytest.param(
            {"late": lines(at("18:00", sessionId="n"), at("18:01", sessionId="n", userId=USER))},
            id="a new session, the first event without a user",
        ),
        pytest.param(
            {"late": lines(at("18:01", sessionId="n", userId=USER, metadata={"consent": False}))},
            id="consent refused",
        ),
    ],
)
def test_what_arrives_later_is_suppressed_and_counted(sent: dict[str, bytes], settings: Settings) -> None:
    load_everything(settings)
    erase(settings, USER)
    if "second" in sent or "renamed" in sent:
        sent = {**sent, "more": lines(at("19:00", sessionId="m", userId=OTHER))}
    new = returns_of(settings, sent)
    assert [row[0].hour for row in new] == [19] * ("more" in sent)
    with writer_lock(settings), open_warehouse(settings) as connection:
        assert accounting_gaps(connection) == []


def test_a_file_that_comes_again_keeps_neither_their_refused_events_nor_its_name(settings: Settings) -> None:
    load(settings, all=lines(*THEIRS, *OTHERS))
    erase(settings, USER)
    refused = at("19:00", sessionId="s11", userId=USER, metadata={"consent": "denied"})
    load(settings, **{f"userId-{USER}": lines(refused, at("19:01", sessionId="s12", userId=OTHER))})
    assert places_with(settings, USER) == set()
    assert (settings.landing / "loaded" / "userId-erased.ndjson").exists()


def test_a_session_that_turns_out_to_be_theirs_goes_with_what_is_stored_of_it(settings: Settings) -> None:
    load(settings, all=lines(*OTHERS))
    erase(settings, USER)
    load(settings, early=lines(at("18:00", sessionId="n")))
    assert len(stored(settings)) == 6
    load(settings, late=lines(at("18:01", sessionId="n", userId=USER)))
    assert len(stored(settings)) == 5
    renew(settings)
    (receipt,) = erase_open_requests(settings)
    assert receipt["kind"] == "return"
    key = Keyring(settings.secrets, NOW).key("session", "capsule-a", "n")
    assert places_with(settings, USER, key) == set()


@pytest.mark.parametrize(
    "restored", ["warehouse", "archive", "warehouse archive", "warehouse archive secrets"]
)
def test_a_restored_backup_brings_nobody_back(restored: str, settings: Settings, tmp_path: Path) -> None:
    load_everything(settings)
    # What others said of them comes back with a backup as well.
    load(settings, said=lines(*NAMING[:3]))
    for folder in restored.split():
        shutil.copytree(settings.home / folder, tmp_path / folder)
    erase(settings, USER)
    expected = stored(settings)
    for folder in restored.split():
        shutil.rmtree(settings.home / folder)
        shutil.copytree(tmp_path / folder, settings.home / folder)
    load(settings, more=lines(OTHERS[0]))
    renew(settings)
    erase_open_requests(settings)
    assert stored(settings) == expected
    assert places_with(settings, USER, *keys_of(settings)) == set()


def test_a_recovery_from_a_restored_archive_brings_nobody_back(settings: Settings, tmp_path: Path) -> None:
    load_everything(settings)
    load(settings, said=lines(*NAMING[:3]))
    shutil.copytree(settings.archive, tmp_path / "archive")
    erase(settings, USER)
    expected = stored(settings)
    for sealed in (tmp_path / "archive").glob("*.parquet"):
        shutil.copy(sealed, settings.archive)
    (settings.archive / "erased.txt").unlink()
    recover(settings)
    assert [row[0] for row in stored(settings)] == [row[0] for row in expected]
    # What others said of them goes with the next load.
    load(settings, more=lines(OTHERS[0]))
    assert stored(settings) == expected
    renew(settings)
    erase_open_requests(settings)
    assert places_with(settings, USER, *keys_of(settings)) == set()


STEPS = [
    "add_entries:after:1", "add_entries:after:2", "write_record:after:1", "take_out:after:1",
    "clean_sealed:after:1", "mark_archive:after:1", "clean_originals:after:1", "clean_journal:after:1",
    "publish:after:1", "remove_all_but_current:after:1", "compact:after:1",
]  # fmt: skip
INNER_STEPS = [
    "orchestration.erasure_receipts:close_request:before:1",
    "orchestration.erased_rows:_settle:after:1",
    "orchestration.erased_rows:write_sealed:after:1",
    "orchestration.erased_originals:remember:after:1",
    "orchestration.warehouse:make_durable:before:1",
]


@pytest.mark.parametrize("step", [*(f"orchestration.erasure:{step}" for step in STEPS), *INNER_STEPS])
def test_a_pass_that_is_killed_at_any_step_is_ended_by_the_next(step: str, settings: Settings) -> None:
    load_everything(settings)
    open_request(settings, [USER], [VISITOR], NOW)
    process = start(settings, step, "erase", quiet_seconds="0")
    assert process.wait(60) == -signal.SIGKILL, process.stderr and process.stderr.read()
    (receipt,) = erase_open_requests(settings)
    assert receipt["found"] == {"archive": 8, "raw.events": 6, "marts.dim_visitors": 2}
    assert places_with(settings, USER, VISITOR, *keys_of(settings)) == set()
    assert len(stored(settings)) == 6
    assert open_requests(settings) == []


def test_a_load_between_a_killed_pass_and_the_next_brings_nobody_back(settings: Settings) -> None:
    load_everything(settings)
    open_request(settings, [USER], [], NOW)
    process = start(settings, "orchestration.erasure:write_record:after:1", "erase", quiet_seconds="0")
    assert process.wait(60) == -signal.SIGKILL
    load(settings, more=lines(THEIRS[1], OTHERS[0], at("19:00", sessionId="m", userId=OTHER)))
    erase_open_requests(settings)
    assert len(stored(settings)) == 7
    assert places_with(settings, USER, *keys_of(settings)) == set()


def test_what_is_left_keeps_the_request_open(settings: Settings) -> None:
    load_everything(settings)
    note = settings.landing / "note.txt"
    note.write_text(f"call {USER}", encoding="utf-8")
    open_request(settings, [USER], [], NOW)
    with pytest.raises(ErasureIncomplete, match=r"landing/\*: 1"):
        erase_open_requests(settings)
    assert len(open_requests(settings)) == 1
    note.unlink()
    (receipt,) = erase_open_requests(settings)
    assert receipt["found"]["raw.events"] == 6


def test_one_request_that_stays_open_holds_back_no_receipt_of_the_others(settings: Settings) -> None:
    load(settings, all=lines(*THEIRS, *OTHERS))
    note = settings.landing / "note.txt"
    note.write_text(f"call {USER}", encoding="utf-8")
    blocked = open_request(settings, [USER], [], NOW)
    known = open_request(settings, [OTHER], [], NOW + timedelta(seconds=1))
    unknown = open_request(settings, ["never-seen-user"], [], NOW + timedelta(seconds=2))
    with pytest.raises(ErasureIncomplete, match="1 of 3 requests stay open") as told:
        erase_open_requests(settings)
    assert f"request {blocked.request_id}: something of them is left (landing/*: 1)" in str(told.value)
    assert [(one["request_id"], one["found"].get("raw.events")) for one in told.value.receipts] == [
        (known.request_id, 3), (unknown.request_id, None)
    ]  # fmt: skip
    assert [one.request_id for one in open_requests(settings)] == [blocked.request_id]
    note.unlink()
    (receipt,) = erase_open_requests(settings)
    assert (receipt["request_id"], receipt["found"]["raw.events"]) == (blocked.request_id, 5)


# What others say of them: a search, a property, the page of a profile, an item, the owner of a capsule.
NAMING: list[dict[str, Any]] = [
    at("17:00", sessionId="s10", userId=OTHER, eventType="interaction",
       metadata={"action": "search", "query": f"who is {USER} {USER}?"}),
    at("17:01", sessionId="s10", userId=OTHER, eventType="custom",
       metadata={"name": "invite", "invitedBy": USER, "step": "two"}),
    at("17:02", sessionId="s10", userId=OTHER, metadata={"url": f"https://site.example/profiles/{USER}/all"}),
    at("17:03", sessionId="s10", userId=OTHER, metadata={"url": f"https://site.example/profiles/{USER}-b"}),
]  # fmt: skip


def test_an_id_in_the_texts_of_others_is_masked_and_their_events_stay(settings: Settings) -> None:
    (settings.landing / "catalog" / "capsules.ndjson").write_bytes(
        lines({"capsuleId": "capsule-a", "name": "A", "owner": USER}, {"capsuleId": "b", "owner": OTHER})
    )
    load(settings, all=lines(*THEIRS, *OTHERS, *NAMING[:3]))
    renew(settings)
    assert {"archive/*.parquet", "archive/*.catalogue.json"} <= places_with(settings, USER)
    would = dry_run(settings, ErasureRequest("dry", NOW.isoformat(), [USER]))

    receipt = erase(settings, USER)

    assert places_with(settings, USER) == set()
    # Three events and one row of the catalogue.
    assert would.found["texts of others"] == receipt["found"]["texts of others"] == 4
    with writer_lock(settings), open_warehouse(settings) as connection:
        said = connection.execute(
            """select search_query, properties, url_path from raw.events
            where occurred_at >= timestamp '2026-11-20 17:00' order by occurred_at"""
        ).fetchall()
        owners = connection.execute("select owner_name from raw.capsules order by capsule_id").fetchall()
        assert accounting_gaps(connection) == []
    assert said == [
        ("who is [masked] [masked]?", None, None),
        (None, '{"invitedBy":"[masked]","step":"two"}', None),
        (None, None, "/profiles/[masked]/all"),
    ]
    assert owners == [(OTHER,), ("[masked]",)]
    before = stored(settings)
    recover(settings)
    assert stored(settings) == before


NAMED_BY_THEM = [
    at("17:00", sessionId="s10", userId=OTHER, capsuleId=USER),
    at("17:00", sessionId="s11", userId=OTHER, capsuleId=f"team.{USER}"),
    at("17:00", sessionId="s12", userId=OTHER, capsuleId=f"cap-{USER}"),
]


def test_a_capsule_that_is_named_by_them_stays_and_the_receipt_counts_its_id(settings: Settings) -> None:
    theirs = at("17:00", sessionId="s13", userId=USER, capsuleId=USER)
    (settings.landing / "catalog" / "capsules.ndjson").write_bytes(
        lines({"capsuleId": USER, "name": USER, "owner": USER})
    )
    load(settings, all=lines(*OTHERS, *NAMED_BY_THEM, theirs))
    renew(settings)
    settings.exports.mkdir(exist_ok=True)
    (settings.exports / f"report_cap-{USER}_2026-11-16_to_2026-11-22.pdf").write_bytes(b"figures")
    others = [row for row in stored(settings) if Keyring(settings.secrets, NOW).key("user", USER) not in row]
    receipt = erase(settings, USER)
    assert (receipt["found"]["raw.events"], receipt["capsule_ids_naming"]) == (1, 3)
    assert stored(settings) == others
    assert (settings.landing / "loaded" / "all.ndjson").read_bytes() == lines(*OTHERS, *NAMED_BY_THEM)
    with writer_lock(settings), open_warehouse(settings) as connection:
        named = connection.execute("select capsule_id, capsule_name, owner_name from raw.capsules").fetchall()
    assert named == [(USER, "[masked]", "[masked]")]


def test_in_a_capsule_that_is_named_by_them_the_proof_still_finds_their_id_in_texts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(settings, all=lines(*OTHERS, *NAMED_BY_THEM, NAMING[0]))
    monkeypatch.setattr(erasure, "mask_mentions", lambda *given: False)
    open_request(settings, [USER], [], NOW)
    with pytest.raises(ErasureIncomplete, match=r"archive/\*.parquet: 1"):
        erase_open_requests(settings)
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("content", "is_there"),
    [
        ('{"capsuleId":"marker-user-0042","userId":"u"}', False),
        ('{"capsule_id" : "x.marker-user-0042"}', False),
        (r'"{\"capsuleId\": \"marker-user-0042\"}"', False),
        ('{"capsuleId":"a","userId":"marker-user-0042"}', True),
        ('{"capsuleId":"marker-user-0042","by":"marker-user-0042"}', True),
        (r'{"capsuleId":"a\"","by":"marker-user-0042"}', True),
    ],
)
def test_an_id_is_no_finding_where_it_names_a_capsule(content: str, is_there: bool) -> None:
    assert Mentions([USER]).within(content.encode()) is is_there


def test_the_proof_reads_texts_that_are_packed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    load(settings, all=lines(*OTHERS, *NAMING[:3]))
    monkeypatch.setattr(erasure, "mask_mentions", lambda *given: False)
    open_request(settings, [USER], [], NOW)
    with pytest.raises(ErasureIncomplete, match=r"archive/\*.parquet: 1"):
        erase_open_requests(settings)
    monkeypatch.undo()


def test_another_id_that_begins_alike_stays(settings: Settings) -> None:
    load(settings, all=lines(*OTHERS, NAMING[3]))
    before = stored(settings)
    assert erase(settings, USER)["found"] == {}
    assert stored(settings) == before


def test_of_an_erased_person_no_opt_out_and_no_name_in_a_catalogue_is_noted(settings: Settings) -> None:
    load(settings, all=lines(*THEIRS, *OTHERS))
    erase(settings, USER)
    (settings.landing / "opt-outs").mkdir(exist_ok=True)
    # Half a line makes the file wait in `refused/`, without the line that names them.
    (settings.landing / "opt-outs" / "a.ndjson").write_bytes(
        lines({"userId": USER, "optOut": True}, {"userId": "u-9", "optOut": True})
        + f'{{"userId": "{USER}", "optOut": \n{{"half\n'.encode()
    )
    (settings.landing / "catalog" / "capsules.ndjson").write_bytes(
        lines({"capsuleId": "capsule-a", "name": f"Space of {USER}", "owner": USER})
    )
    load_pending(settings)
    assert opt_out(settings, "user", USER, NOW).is_new is False
    with pytest.raises(PersonErased, match="new id"):
        opt_out(settings, "user", USER, NOW, undo=True)
    assert places_with(settings, USER, Keyring(settings.secrets, NOW).key("user", USER)) == set()
    assert (settings.landing / "refused" / "opt-outs" / "a.ndjson").read_bytes() == b'{"half\n'
    with writer_lock(settings), open_warehouse(settings) as connection:
        assert connection.execute("select capsule_name, owner_name from raw.capsules").fetchall() == [
            ("Space of [masked]", "[masked]")
        ]
        # The other one's opt-out is noted.
        assert connection.execute("select count(*) from raw.privacy_signals").fetchone() == (1,)
        assert accounting_gaps(connection) == []


@pytest.mark.parametrize("word", ["42", "anonymous", "session"])
def test_an_id_that_is_a_word_like_others_takes_nothing_of_theirs(word: str, settings: Settings) -> None:
    theirs = at("12:00", sessionId="s1", userId=word)
    other = at(
        "12:00", sessionId="s2", userId=OTHER, eventType="custom", metadata={"name": "x", "step": word}
    )
    load(settings, all=lines(theirs, other))
    renew(settings)
    (settings.home / "dbt").mkdir(exist_ok=True)
    manifest = settings.home / "dbt" / "manifest.json"
    manifest.write_text(json.dumps({"name": word}), encoding="utf-8")
    receipt = erase(settings, word)
    assert receipt["found"]["raw.events"] == 1
    assert json.loads(manifest.read_text(encoding="utf-8")) == {"name": word}
    assert (settings.landing / "loaded" / "all.ndjson").read_bytes() == lines(other)
    assert [row[0].hour for row in stored(settings)] == [12]


def test_a_request_is_overdue_after_thirty_days(settings: Settings) -> None:
    open_request(settings, [USER], [], NOW)
    on_time = request_state(settings, NOW + timedelta(days=30))
    assert (on_time["open"], on_time["overdue"]) == (1, 0)
    late = request_state(settings, NOW + timedelta(days=30, seconds=1))
    assert late["overdue"] == 1
    assert late["next_due_at"] == "2026-12-25T12:00:00+00:00"


def test_a_landed_request_is_due_from_when_it_was_made_and_not_from_its_file(settings: Settings) -> None:
    folder = settings.landing / "requests"
    folder.mkdir()
    asked = {"erase": [{"userId": USER}], "requestedAt": "2026-10-25T12:00:00Z"}
    (folder / "a.json").write_text(json.dumps(asked), encoding="utf-8")
    (folder / "broken.json").write_text("{", encoding="utf-8")
    os.utime(folder / "broken.json", (NOW.timestamp(), NOW.timestamp()))
    state = request_state(settings, NOW)
    assert (state["landed"], state["overdue"]) == (2, 1)
    assert state["next_due_at"] == "2026-11-24T12:00:00+00:00"


def test_a_receipt_and_the_list_name_nobody(settings: Settings) -> None:
    load_everything(settings)
    receipt = erase(settings, USER)
    path = settings.receipts / f"{receipt['request_id']}.json"
    text = path.read_text(encoding="utf-8") + (settings.secrets / "erased.txt").read_text(encoding="utf-8")
    assert not any(word in text for word in (USER, *keys_of(settings)))
    assert path.stat().st_mode & 0o077 == 0


def test_the_originals_keep_everybody_else_in_their_own_format(settings: Settings) -> None:
    load_everything(settings)
    rows = [{"userId": None, **one, "metadata": json.dumps(one["metadata"])} for one in THEIRS + OTHERS]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, settings.landing / "rows.parquet")
    (settings.landing / "list.json").write_text(json.dumps([*THEIRS, *OTHERS]), encoding="utf-8")
    load_pending(settings)
    erase(settings, USER)
    loaded = settings.landing / "loaded"
    kept = [
        json.loads(line) for line in gzip.decompress((loaded / "first.ndjson.gz").read_bytes()).splitlines()
    ]
    assert kept == OTHERS
    assert [json.loads(line) for line in (loaded / "list.json").read_bytes().splitlines()] == OTHERS
    assert [row["eventId"] for row in pq.read_table(loaded / "rows.parquet").to_pylist()] == [
        one["eventId"] for one in OTHERS
    ]
    load_pending(settings)
    with writer_lock(settings), open_warehouse(settings) as connection:
        assert connection.execute("select count(*) from raw.event_files").fetchone() == (5,)


@pytest.mark.parametrize(
    ("content", "is_there"),
    [
        ('{"userId": "marker-user-0042"}', True),
        ("/people/marker-user-0042/", True),
        ("marker-user-00421", False),
        ("marker-user-0042-b", False),
        ('"id": 12', False),
        ('"id": "12"', True),
    ],
)
def test_an_id_is_found_as_a_word_and_a_short_one_in_quotes(content: str, is_there: bool) -> None:
    assert Mentions([USER, "12"]).within(content.encode()) is is_there


def test_names_of_files_and_folders_that_hold_an_id_joined_to_words_lose_it(settings: Settings) -> None:
    folder = settings.landing / f"userId={USER}"
    folder.mkdir()
    (folder / "day.ndjson").write_bytes(lines(*OTHERS))
    # A refused file that says nothing of them but by its name, which their line would otherwise tell.
    (settings.landing / f"export-{USER}_v2.ndjson").write_bytes(b"no line of an event")
    load_pending(settings)
    assert places_with(settings, USER) >= {
        "landing/loaded/*", "landing/refused/*", "landing/refused/*.reason", "archive/batches/*",
    }  # fmt: skip
    receipt = erase(settings, USER)
    assert receipt["left"] == 0
    assert places_with(settings, USER) == set()
    assert sorted(path.name for path in (settings.landing / "refused").iterdir()) == [
        "export-erased_v2.ndjson", "export-erased_v2.ndjson.reason",
    ]  # fmt: skip
    assert [path.name for path in (settings.landing / "loaded").iterdir()] == ["userId=erased"]
    assert len(stored(settings)) == len(OTHERS)


@pytest.mark.parametrize(
    ("name", "without"),
    [
        (f"userId-{USER}.ndjson", "userId-erased.ndjson"),
        (f"{USER}_2.ndjson", "erased_2.ndjson"),
        (f"{USER}1.ndjson", f"{USER}1.ndjson"),
    ],
)
def test_in_a_name_an_id_may_be_joined_to_words(name: str, without: str) -> None:
    mentions = Mentions([USER, "12"])
    assert mentions.within_name(name.encode()) is (name != without)
    assert mentions.name_without(name.encode()) == without.encode()


def test_an_access_request_gives_what_an_erasure_would_take(settings: Settings) -> None:
    load_everything(settings)
    content = own_data(settings, [USER], [], NOW)
    assert [one["occurred_at"][11:16] for one in content["events"]] == [
        "12:00", "12:01", "12:02", "13:02", "13:03", "14:00"
    ]  # fmt: skip
    assert "Landed files" in content["explained"]["not_read"]
    assert "13 months" in content["explained"]["kept"]
    assert own_data(settings, ["never-seen-user"], [], NOW)["events"] == []
    assert OTHER not in json.dumps(content)


def test_every_mart_after_an_erasure_is_that_of_a_full_rebuild(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "build", build)
    load_everything(settings)
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("drop schema marts cascade")
    build(settings)
    receipt = erase(settings, USER)
    assert {"marts.fct_sessions", "marts.dim_visitors"} <= set(receipt["found"])
    after = marts(settings)
    assert places_with(settings, USER, *keys_of(settings)) == set()
    assert build(settings, full_refresh=True).is_good
    assert marts(settings) == after
    # s2, two of s3 in one, s4, s5 and the one whose clash is no more.
    assert len(after["fct_sessions"]) == 5


def marts(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    with writer_lock(settings), open_warehouse(settings) as connection:
        names = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts' order by 1"
        ).fetchall()
        return {
            name: connection.execute(f"select * from marts.{name} order by all").fetchall()
            for (name,) in names
        }
