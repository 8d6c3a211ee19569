"""Batches become rows exactly once, whatever the order of arrival."""

import gzip
import hashlib
import itertools
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from orchestration import archive, micro_batch, sealing
from orchestration.archive import SealedFile, draft_sealed, row_groups, sealed_path
from orchestration.event_files import LandedFile
from orchestration.micro_batch import LandingMissing, LoadSummary, load_pending
from orchestration.raw_events import Accounting, accounting_gaps, loaded_content
from orchestration.recovery import recover
from orchestration.sealed_rows import SEALED_SCHEMA
from orchestration.settings import Settings, load_settings
from orchestration.state_folder import create_state_folders
from orchestration.warehouse import open_warehouse, writer_lock
from tests.event_lines import event, lines


def land(settings: Settings, name: str, content: bytes) -> None:
    (settings.landing / name).write_bytes(content)


def load(settings: Settings, name: str, *events: dict[str, Any]) -> LoadSummary:
    land(settings, name, lines(*events))
    return load_pending(settings)


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with writer_lock(settings), open_warehouse(settings) as connection:
        return connection.execute(query).fetchall()


def file_counts(settings: Settings) -> dict[str, tuple[int, ...]]:
    found = rows(
        settings,
        """select file_name, received_count, accepted_count, duplicate_count, rejected_count,
        suppressed_count from raw.event_files order by file_id""",
    )
    return {name: tuple(counts) for name, *counts in found}


def no_gaps(settings: Settings) -> bool:
    with writer_lock(settings), open_warehouse(settings) as connection:
        return accounting_gaps(connection) == []


EARLY = event(eventId="e", timestamp="2026-11-20T12:00:00Z")
LATE = event(eventId="e", timestamp="2026-11-20T12:00:07Z")


def test_a_duplicate_is_counted_and_not_stored_again(settings: Settings) -> None:
    first = load(settings, "a.ndjson", event(), event(), event(eventId="e2"))
    second = load(settings, "b.ndjson", event(), event(eventId="e3"))
    assert first.accounting == Accounting(received=3, accepted=2, duplicate=1)
    assert second.accounting == Accounting(received=2, accepted=1, duplicate=1)
    assert rows(settings, "select count(*), count(distinct event_key) from raw.events") == [(3, 3)]
    assert no_gaps(settings)


def test_of_a_conflict_the_earliest_instant_wins_in_every_order(settings: Settings) -> None:
    # EARLY wins; the first LATE is the conflict, the second LATE a copy of it: in every order, in one batch.
    for number, order in enumerate(itertools.permutations([EARLY, LATE, LATE])):
        moved = [made | {"eventId": f"e{number}"} for made in order]
        summary = load(settings, f"{number}.ndjson", *moved)
        assert summary.accounting == Accounting(received=3, accepted=1, duplicate=1, rejected=1)
    kept = rows(settings, "select distinct occurred_at::text from raw.events")
    assert kept == [("2026-11-20 12:00:00",)]


def test_a_winner_that_arrives_later_replaces_the_loser_in_the_losers_own_accounting(
    settings: Settings,
) -> None:
    load(settings, "1.ndjson", LATE)
    load(settings, "2.ndjson", LATE)
    load(settings, "3.ndjson", EARLY)
    load(settings, "4.ndjson", LATE, EARLY)
    assert file_counts(settings) == {
        "1.ndjson": (1, 0, 0, 1, 0),
        # The same content in one file each: the second file is known by its content and adds nothing.
        "2.ndjson": (0, 0, 0, 0, 0),
        "3.ndjson": (1, 1, 0, 0, 0),
        "4.ndjson": (2, 0, 2, 0, 0),
    }
    assert rows(settings, "select reason, field from raw.rejected_events") == [("id_conflict", "eventId")]
    assert no_gaps(settings)


def test_equal_instants_are_decided_by_content_not_by_arrival(settings: Settings) -> None:
    one, other = event(metadata={"a": 1}), event(metadata={"a": 2})
    load(settings, "1.ndjson", one)
    load(settings, "2.ndjson", other)
    first = rows(settings, "select properties from raw.events")
    load(settings, "3.ndjson", other | {"capsuleId": "b"})
    load(settings, "4.ndjson", one | {"capsuleId": "b"})
    # Another capsule hashes otherwise, so only the same pair in the other order must agree.
    again = rows(settings, "select count(*) from raw.events")
    assert len(first) == 1
    assert again == [(2,)]


def test_the_same_file_under_another_name_is_recorded_and_adds_nothing(settings: Settings) -> None:
    load(settings, "a.ndjson", event())
    summary = load(settings, "b.ndjson", event())
    assert summary.repeated == ["b.ndjson"]
    assert rows(settings, "select file_name, status, repeated_of from raw.event_files order by file_id") == [
        ("a.ndjson", "loaded", None),
        ("b.ndjson", "repeated", 1),
    ]
    assert rows(settings, "select count(*) from raw.events") == [(1,)]


def test_a_refused_file_is_kept_with_its_reason_and_costs_the_others_nothing(settings: Settings) -> None:
    land(settings, "prose.json", b"no event at all\n")
    summary = load(settings, "good.ndjson", event())
    assert list(summary.refused) == ["prose.json"]
    assert summary.accounting == Accounting(received=1, accepted=1)
    assert (settings.landing / "refused" / "prose.json").read_bytes() == b"no event at all\n"
    reason = (settings.landing / "refused" / "prose.json.reason").read_text()
    assert reason == "no_json: no line of it is JSON; event files hold one JSON object a line\n"


def test_rejected_lines_can_be_looked_up(settings: Settings) -> None:
    land(settings, "a.ndjson", b'{"eventType": \n\n' + lines(event(timestamp="20/11/2026"), event()))
    summary = load_pending(settings)
    assert summary.accounting == Accounting(received=3, accepted=1, rejected=2)
    assert rows(
        settings, "select line_number, reason, field, capsule_id from raw.rejected_events order by 1"
    ) == [(1, "not_json", None, None), (3, "timestamp_unreadable", "timestamp", "capsule-a")]
    assert no_gaps(settings)


@pytest.mark.parametrize(
    "loss",
    [
        "delete from raw.events where line_number = 1",
        "delete from raw.rejected_events",
        "update raw.event_files set duplicate_count = 0",
        "update raw.event_files set received_count = received_count + 1",
    ],
)
def test_the_accounting_sees_every_loss(loss: str, settings: Settings) -> None:
    land(settings, "a.ndjson", lines(event(), event(), event(eventId="e2")) + b'{"cut": ')
    load_pending(settings)
    with writer_lock(settings), open_warehouse(settings) as connection:
        assert accounting_gaps(connection) == []
        connection.execute(loss)
        assert accounting_gaps(connection) == [1]


JANE = {"userId": "jane"}


def test_an_opted_out_person_is_suppressed_until_the_opt_in_in_every_order(settings: Settings) -> None:
    before = event(eventId="before", timestamp="2026-11-20T10:00:00Z", **JANE)
    opt_out = event(eventId="out", timestamp="2026-11-20T11:00:00Z", metadata={"optOut": True}, **JANE)
    after = event(eventId="after", timestamp="2026-11-20T12:00:00Z", sessionId="session-2", **JANE)
    back = event(eventId="in", timestamp="2026-11-20T13:00:00Z", metadata={"optOut": False}, **JANE)
    again = event(eventId="again", timestamp="2026-11-20T14:00:00Z", **JANE)
    # What was dropped is gone, so the opt-in has to be known when the events after it arrive.
    orders = [
        order
        for order in itertools.permutations([before, opt_out, after, back, again])
        if order.index(back) < order.index(again)
    ]
    for number, order in enumerate(orders[::8]):
        for step, made in enumerate(order):
            # A person and a capsule of their own for every order; one file an event.
            load(
                settings,
                f"{number}-{step}.ndjson",
                made | {"userId": f"jane{number}", "capsuleId": f"c{number}"},
            )
        assert rows(
            settings,
            f"""select strftime(occurred_at, '%H') from raw.events
            where capsule_id = 'c{number}' order by occurred_at""",
        ) == [("10",), ("13",), ("14",)]
        assert rows(
            settings,
            f"""select sum(accepted_count)::int, sum(suppressed_count)::int from raw.event_file_counts
            where capsule_id = 'c{number}'""",
        ) == [(3, 2)]
    assert no_gaps(settings)


def test_a_second_load_changes_nothing(settings: Settings) -> None:
    load(settings, "a.ndjson", event())
    before = rows(settings, "select * from raw.event_files")
    assert load_pending(settings).batches == []
    assert rows(settings, "select * from raw.event_files") == before


def test_a_missing_landing_folder_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_LANDING", str(settings.home / "nowhere"))
    with pytest.raises(
        LandingMissing, match=r"nowhere does not exist\. Create it, or set ENGAGEMENT_LANDING"
    ):
        load_pending(load_settings())


def test_catalogues_keep_the_newest_row_and_report_bad_lines(settings: Settings) -> None:
    catalog = settings.landing / "catalog"
    (catalog / "capsules.ndjson").write_bytes(
        b'{"capsuleId": "a", "name": "Old", "createdAt": "2026-01-01T00:00:00Z"}\n{"name": "no id"}\n'
    )
    said: list[str] = []
    load_pending(settings, said.append)
    (catalog / "capsules.ndjson").write_bytes(b'{"capsuleId": "a", "name": "New", "owner": "Ada"}\n')
    load_pending(settings, said.append)
    assert rows(settings, "select capsule_id, capsule_name, owner_name from raw.capsules") == [
        ("a", "New", "Ada")
    ]
    assert "Left out of the catalogue: catalog/capsules.ndjson, line 2: missing_field (capsuleId)" in said


def test_a_catalogue_accounts_for_every_line_like_a_file_of_events(settings: Settings) -> None:
    (settings.landing / "catalog" / "content.ndjson").write_bytes(
        b'{"capsuleId": "a", "contentId": "x", "title": "Old", "durationSeconds": 1e999}\n'
        b'{"capsuleId": "a", "contentId": "x", "title": "New", "durationSeconds": 12}\n\n'
        b'{"capsuleId": "a"}\n'
        b'{"capsuleId": 7, "contentId": "x"}\n'
        b'{"capsuleId": "a", "contentId": "  "}\n'
        b'{"capsuleId": "a", "contentId": "y", "contentId": "z"}\n'
        b'{"capsuleId": "a", "contentId": "y", "publishedAt": "2026-01-01T00:00:00"}\n'
        b"[1]\n"
        b'{"capsuleId": "a", "contentId": "\xff"}\n'
        b'{"capsuleId": "a", "contentId": "' + b"y" * 257 + b'"}\n'
        b'{"capsuleId": "a", "contentId": "y\\u0000"}\n'
    )
    load_pending(settings)
    wanted = [
        (1, "not_a_number", None),
        (4, "missing_field", "contentId"),
        (5, "wrong_type", "capsuleId"),
        (6, "blank_field", "contentId"),
        (7, "duplicate_key", None),
        (8, "timestamp_without_offset", "publishedAt"),
        (9, "not_an_object", None),
        (10, "not_utf8", None),
        (11, "id_too_long", "contentId"),
        (12, "nul_character", "contentId"),
    ]
    kept = "select line_number, reason, field from raw.rejected_events order by 1"
    counts = """select file_kind, received_count, accepted_count, duplicate_count, rejected_count,
        suppressed_count from raw.event_files"""
    assert rows(settings, kept) == wanted
    assert rows(settings, counts) == [("content", 11, 1, 0, 10, 0)]
    assert rows(settings, "select content_title, duration_seconds from raw.content") == [("New", 12.0)]
    assert no_gaps(settings)
    # The archive gives them back.
    settings.warehouse_file.unlink()
    load_pending(settings)
    assert rows(settings, kept) == wanted
    assert rows(settings, counts) == [("content", 11, 1, 0, 10, 0)]


def test_a_row_that_a_later_line_of_its_catalogue_replaces_is_a_duplicate(settings: Settings) -> None:
    (settings.landing / "catalog" / "capsules.ndjson").write_bytes(
        b"".join(b'{"capsuleId": "a", "name": "%d"}\n' % number for number in range(3))
    )
    load_pending(settings)
    counts = "select received_count, accepted_count, duplicate_count, rejected_count from raw.event_files"
    assert rows(settings, counts) == [(3, 1, 2, 0)]
    assert rows(settings, "select capsule_name from raw.capsules") == [("2",)]


def test_the_accounting_sees_a_lost_reject_of_a_catalogue(settings: Settings) -> None:
    (settings.landing / "catalog" / "capsules.ndjson").write_bytes(b"bad\n" + b'{"capsuleId": "a"}\n')
    load_pending(settings)
    assert no_gaps(settings)
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("delete from raw.rejected_events")
        assert accounting_gaps(connection) == [1]


def test_a_catalogue_that_was_cut_short_is_refused(settings: Settings) -> None:
    content = b"".join(b'{"capsuleId": "capsule-%d"}\n' % number for number in range(500))
    for packed in (zstandard.compress(content), gzip.compress(content)):
        name = "capsules.ndjson"
        (settings.landing / "catalog" / name).write_bytes(packed[:-30])
        assert list(load_pending(settings).refused) == [f"catalog/{name}"]
    assert rows(settings, "select count(*) from raw.capsules") == [(0,)]


def test_no_name_of_a_file_stops_the_others(settings: Settings) -> None:
    names = [b"p\xff.ndjson", b"line\nend.ndjson", b"a" * 240 + b".ndjson", b"-rf.ndjson"]
    for number, name in enumerate(names):
        (settings.landing / os.fsdecode(name)).write_bytes(lines(event(eventId=f"e{number}")))
    (settings.landing / ("x" * 243 + ".ndjson")).write_bytes(b"no json\n")
    summary = load_pending(settings)
    assert summary.accounting == Accounting(received=4, accepted=4)
    assert len(summary.refused) == 1
    assert [path.name for path in settings.landing.iterdir() if path.is_file()] == []
    assert len(list((settings.landing / "loaded").iterdir())) == 4
    assert len(list((settings.landing / "refused").glob("*.reason"))) == 1
    shown = {name for (name,) in rows(settings, "select file_name from raw.event_files")}
    assert {"p\\xff.ndjson", "line\\nend.ndjson", "-rf.ndjson"} <= shown


def test_a_file_that_breaks_the_program_is_refused_and_the_others_are_loaded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_on_bad(file: LandedFile, *arguments: Any) -> SealedFile:
        if file.name == "bad.ndjson":
            raise RuntimeError("nobody foresaw this")
        return draft_sealed(file, *arguments)

    monkeypatch.setattr(sealing, "draft_sealed", break_on_bad)
    land(settings, "bad.ndjson", lines(event()))
    summary = load(settings, "good.ndjson", event(eventId="e2"))
    assert summary.accounting == Accounting(received=1, accepted=1)
    reason = (settings.landing / "refused" / "bad.ndjson.reason").read_text()
    assert reason.startswith("unexpected_error: it made the load fail in a way nobody foresaw")
    assert "RuntimeError" in reason


def test_a_known_content_keeps_the_sealed_file_it_was_loaded_from(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = event(timestamp="2018-04-10T12:00:00Z")
    monkeypatch.setenv("ENGAGEMENT_ACCEPT_ANY_AGE", "true")
    any_age = load_settings()
    load(any_age, "a.ndjson", old)
    (sealed,) = settings.archive.glob("*.parquet")
    before = sealed.read_bytes()
    monkeypatch.delenv("ENGAGEMENT_ACCEPT_ANY_AGE")
    assert load(load_settings(), "b.ndjson", old).repeated == ["b.ndjson"]
    assert sealed.read_bytes() == before


def test_loaded_originals_go_also_when_nothing_is_pending(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(settings, "a.ndjson", event())
    assert [path.name for path in (settings.landing / "loaded").iterdir()] == ["a.ndjson"]
    monkeypatch.setenv("ENGAGEMENT_KEEP_LOADED_DAYS", "0")
    load_pending(load_settings())
    assert list((settings.landing / "loaded").iterdir()) == []


def test_a_home_with_quotes_spaces_and_signs_loads_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / 'o\'home "ü" {a} %20 $x; drop'))
    monkeypatch.setenv("ENGAGEMENT_QUIET_SECONDS", "0")
    odd = load_settings()
    create_state_folders(odd)
    assert load(odd, "a.ndjson", event()).accounting == Accounting(received=1, accepted=1)
    assert rows(odd, "select count(*) from raw.events") == [(1,)]


def test_conflict_and_opt_out_together_give_the_same_event_in_every_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Janes event is the earlier one, and her opt-out was before it: so the event of Victor is the one.
    jane = event(eventId="same", timestamp="2026-11-20T12:10:00Z", sessionId="s1", **JANE)
    victor = event(eventId="same", timestamp="2026-11-20T12:15:00Z", sessionId="s2", userId="victor")
    later = event(eventId="same", timestamp="2026-11-20T12:20:00Z", sessionId="s3", userId="zoe")
    out = event(
        eventId="o", timestamp="2026-11-20T12:00:00Z", sessionId="s9", metadata={"optOut": True}, **JANE
    )
    for number, (first, *others) in enumerate(itertools.permutations([jane, victor, out])):
        order = [first, later, *others]
        for is_split in (True, False):
            monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / f"{number}-{is_split}"))
            monkeypatch.setenv("ENGAGEMENT_QUIET_SECONDS", "0")
            settings = load_settings()
            create_state_folders(settings)
            for part, one in enumerate(order):
                land(settings, f"{part}.ndjson", lines(one))
                if is_split:
                    load_pending(settings)
            load_pending(settings)
            stored = rows(settings, "select occurred_at::text from raw.events")
            assert stored == [("2026-11-20 12:15:00",)], [one["timestamp"] for one in order]
            assert no_gaps(settings)
            # What is stored is what a copy is a duplicate of.
            again = load(settings, "again.ndjson", victor, event(eventId=f"filler-{number}"))
            assert again.accounting == Accounting(received=2, accepted=1, duplicate=1)


def test_every_sealed_file_and_its_name_are_on_disk_before_the_record_of_their_batch(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, str, int]] = []

    def noted(module: ModuleType, name: str) -> None:
        step = getattr(module, name)

        def call(path: Path, *rest: object) -> object:
            steps.append((name, path.name, len(list(settings.archive.glob("*.parquet")))))
            return step(path, *rest)

        monkeypatch.setattr(module, name, call)

    noted(archive, "make_durable")
    noted(sealing, "make_durable")
    noted(micro_batch, "write_record")
    for name in ("a", "b"):
        land(settings, f"{name}.ndjson", lines(event(eventId=name)))
    load_pending(settings)
    draft, second, *names = steps
    assert [(name, sealed) for name, _, sealed in (draft, second)] == [
        ("make_durable", 0),
        ("make_durable", 1),
    ]
    assert all(path.startswith("seal-") for _, path, _ in (draft, second))
    assert names == [("make_durable", "archive", 2), ("write_record", "archive", 2)]


@pytest.mark.parametrize("row_count", [1, 8, 9])
def test_a_sealed_file_has_the_same_columns_however_few_its_rows(settings: Settings, row_count: int) -> None:
    content = lines(*(event(eventId=f"e{number}") for number in range(row_count)))
    summary = load(settings, "a.ndjson", *(event(eventId=f"e{number}") for number in range(row_count)))
    assert summary.accounting == Accounting(received=row_count, accepted=row_count)
    sealed = pq.read_table(sealed_path(settings.archive, hashlib.sha256(content).hexdigest()))
    assert (sealed.schema, sealed.num_rows) == (SEALED_SCHEMA, row_count)


def test_files_and_a_warehouse_from_before_answers_were_kept_say_nothing_of_consent(
    settings: Settings,
) -> None:
    load(settings, "old.ndjson", event(eventId="old", metadata={"consent": True}))
    (sealed,) = settings.archive.glob("*.parquet")
    pq.write_table(pq.read_table(sealed).drop_columns(["consent"]), sealed)
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("alter table raw.events drop column consent")
    load(settings, "new.ndjson", event(eventId="new", metadata={"consent": True}))
    consents = "select consent, count(*) from raw.events group by all order by all nulls last"
    assert rows(settings, consents) == [("given", 1), (None, 1)]
    # From the archive both kinds of files are read, in one statement.
    recover(settings)
    assert rows(settings, consents) == [("given", 1), (None, 1)]
    (again,) = row_groups(sealed)
    assert again["consent"].to_pylist() == [None]


@pytest.mark.parametrize("group_files", [1, 2, 256])
def test_a_copy_adds_nothing_whether_it_is_looked_up_with_its_original_or_after_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, group_files: int
) -> None:
    monkeypatch.setattr(sealing, "_GROUP_FILES", group_files)
    load(settings, "old.ndjson", event(eventId="e0"))
    for name, number in {"a": 1, "b": 1, "c": 2, "d": 0}.items():
        land(settings, f"{name}.ndjson", lines(event(eventId=f"e{number}")))
    summary = load_pending(settings)
    assert summary.accounting == Accounting(received=2, accepted=2)
    assert sorted(summary.repeated)[-1] == "d.ndjson"
    assert len(summary.repeated) == 2
    assert len(list(settings.archive.glob("*.parquet"))) == 3
    assert list(settings.tmp.iterdir()) == []


def test_only_the_contents_that_are_asked_for_are_read_from_the_manifest(settings: Settings) -> None:
    contents = {name: lines(event(eventId=name)) for name in ("a", "b")}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    for name, content in contents.items():
        land(settings, f"{name}.ndjson", content)
    load_pending(settings)
    with writer_lock(settings), open_warehouse(settings) as connection:
        found = loaded_content(connection, [hashes["b"], "0" * 64])
        assert {content: name for content, (name, _) in found.items()} == {hashes["b"]: "b.ndjson"}
        assert loaded_content(connection, []) == {}
