"""Lines admitted by column have the outcomes they have line by line."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from orchestration.admission import Accepted, AdmissionRules, Rejected, Suppressed, admit_line
from orchestration.admission_workers import admitted_blocks
from orchestration.archive import write_sealed
from orchestration.column_admission import BlockAdmission
from orchestration.event_fields import amount_of
from orchestration.limits import Limits
from orchestration.line_blocks import LineBlock, cut_into_blocks
from orchestration.opt_outs import OptOuts
from orchestration.privacy import Keyring
from orchestration.sealed_rows import SEALED_SCHEMA
from tests.dirty_lines import dirty_file
from tests.event_lines import event, lines

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FILES = int(os.environ.get("DIRTY_FILES", "60"))


@pytest.fixture(autouse=True)
def by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generated files are small; without this they would be admitted line by line."""
    monkeypatch.setattr("orchestration.column_admission.SMALLEST_TABLE", 1)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> AdmissionRules:
    keyring = Keyring(tmp_path_factory.mktemp("secrets"), NOW)
    return AdmissionRules(keyring, NOW, NOW - timedelta(days=396))


def line_by_line(block: LineBlock, rules: AdmissionRules) -> list[dict[str, Any]]:
    """The rows of a block as `admit_line` decides each of its lines."""
    nothing = dict.fromkeys(SEALED_SCHEMA.names) | {"refused_user_key": None, "refused_visitor_key": None}
    rows = []
    for number, text in block.lines():
        row: dict[str, Any] = nothing | {"line_number": number, "is_opt_in": False}
        match admit_line(text, rules):
            case Accepted(made, is_opt_in, (user_key, visitor_key)):
                row |= made | {"outcome": "accepted", "is_opt_in": is_opt_in}
                row |= {"refused_user_key": user_key, "refused_visitor_key": visitor_key}
            case Suppressed(made):
                row |= made | {"outcome": "suppressed"}
            case Rejected(reason, field, capsule_id, excerpt):
                row |= {"outcome": "rejected", "reason": reason, "field": field}
                row |= {"capsule_id": capsule_id, "excerpt": excerpt}
        rows.append(row)
    return rows


def by_columns_of(block: LineBlock, admission: BlockAdmission) -> list[dict[str, Any]]:
    return sorted(admission.admit(block).to_pylist(), key=lambda row: row["line_number"])


@pytest.mark.parametrize("part", range(4))
def test_both_ways_agree_on_every_line_of_generated_dirty_files(part: int, rules: AdmissionRules) -> None:
    admission = BlockAdmission(rules)
    any_age = AdmissionRules(rules.keyring, rules.now, None)
    admission_any_age = BlockAdmission(any_age)
    seen = 0
    for seed in range(part, FILES, 4):
        block = LineBlock(seed + 1, dirty_file(seed, 250))
        for ruled, admits in ((rules, admission), (any_age, admission_any_age)):
            expected = line_by_line(block, ruled)
            found = by_columns_of(block, admits)
            seen += len(expected)
            assert len(found) == len(expected), f"seed {seed}"
            for got, wanted in zip(found, expected, strict=True):
                text = block.data.split(b"\n")[wanted["line_number"] - block.first_number]
                assert got == wanted, f"seed {seed}, {text!r}"
    print(f"{seen} dirty lines admitted both ways")


def test_a_good_part_of_the_generated_lines_is_read_by_column(
    rules: AdmissionRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one: list[bytes] = []

    def noted(text: bytes, rules: AdmissionRules) -> object:
        one_by_one.append(text)
        return admit_line(text, rules)

    monkeypatch.setattr("orchestration.column_admission.admit_line", noted)
    admission = BlockAdmission(rules)
    count = sum(admission.admit(LineBlock(1, dirty_file(seed, 250))).num_rows for seed in range(20))
    # Or the comparison above would compare `admit_line` with itself.
    assert len(one_by_one) < 0.8 * count


PLAIN = (
    b'{"eventId":"e-1","eventType":"view","capsuleId":"capsule-a","sessionId":"s-1","userId":"u-1",'
    b'"timestamp":"2026-11-20T12:00:00Z","metadata":{"positionSeconds":1.5,"percent":10,"topic":"tea",'
    b'"location":{"country":"DE"},"consent":true,"rating":4,"content_id":"guide"}}'
)
# What DuckDB takes for a good line, or for another line than it is: (what, in place of what).
GUARDED = {
    "one key twice": (b'"userId":"u-1","userId":"u-2"', b'"userId":"u-1"'),
    "one key twice, null second": (b'"userId":"u-1","userId":null', b'"userId":"u-1"'),
    "one key twice, null first": (b'"userId":null,"userId":"u-1"', b'"userId":"u-1"'),
    "one key twice in metadata": (b'"topic":"tea","topic":"tea"', b'"topic":"tea"'),
    "metadata twice": (b'"metadata":{},"metadata":{"p', b'"metadata":{"p'),
    "one key twice inside a value": (b'{"country":"DE","country":"DE"}', b'{"country":"DE"}'),
    "a comma behind the last key": (b'"content_id":"guide",}}', b'"content_id":"guide"}}'),
    "a comma behind metadata": (b'"content_id":"guide"},}', b'"content_id":"guide"}}'),
    "a comma inside a value": (b'{"country":"DE",}', b'{"country":"DE"}'),
    "a key nobody knows": (b'"topic":"tea","never_seen":1', b'"topic":"tea"'),
    "white space before a colon": (b'"userId" :"u-1"', b'"userId":"u-1"'),
    "NaN": (b'"percent":NaN', b'"percent":10'),
    "NaN inside a value": (b'{"country":NaN}', b'{"country":"DE"}'),
    "Infinity": (b'"percent":Infinity', b'"percent":10'),
    "-inf": (b'"percent":-inf', b'"percent":10'),
    "more than a double": (b'"percent":1e400', b'"percent":10'),
    "more than 64 bits": (b'"percent":18446744073709551616', b'"percent":10'),
    "a comma hidden by a shorter number": (b'"positionSeconds":1e5,    }', None),
    "a comma hidden inside a value": (b'"location":{"country":1e5,    }', b'"location":{"country":"DE"}'),
    "a key twice hidden by a shorter number": (
        b'"positionSeconds":1e20,"percent":1,"percent":1', b'"positionSeconds":1.5,"percent":10',
    ),
    "a number as long as an empty object": (b'"metadata":12}', None),
    "a list as long as an empty object": (b'"metadata":[]}', None),
    "an empty object": (b'"metadata":{}}', None),
    "an escape": (b'"topic":"te\\u0061"', b'"topic":"tea"'),
    "half a character": (b'"topic":"te\\ud800"', b'"topic":"tea"'),
    "no UTF-8": (b'"topic":"te\xff"', b'"topic":"tea"'),
    "another letter case": (b'"TOPIC":"tea"', b'"topic":"tea"'),
    "both spellings": (b'"content_id":"guide","contentId":"other"', b'"content_id":"guide"'),
    "a padded id": (b'"userId":" u-1"', b'"userId":"u-1"'),
    "an id padded in front": (b'"eventId":" e-1"', b'"eventId":"e-1"'),
    "a user beyond ASCII": ('"userId":"\u017fu-1"'.encode(), b'"userId":"u-1"'),
    "a session with a line end inside": ('"sessionId":"s\u20281"'.encode(), b'"sessionId":"s-1"'),
    "a text with a quote": (b'"topic":"green \\"tea\\""', b'"topic":"tea"'),
    "an id padded behind": (b'"eventId":"e-1 "', b'"eventId":"e-1"'),
    "a blank id": (b'"eventId":""', b'"eventId":"e-1"'),
    "an id that is a number": (b'"eventId":711', b'"eventId":"e-1"'),
    "an id of 257 signs": (b'"eventId":"' + b"e" * 257 + b'"', b'"eventId":"e-1"'),
    "an id beyond ASCII": ("\"eventId\":\"\u017fe-1\"".encode(), b'"eventId":"e-1"'),
    "an own id in a text": (b'"topic":"of U-1 itself","sessionX":0', b'"topic":"tea"'),
    "an own id in a text as URLs spell it": (
        b'"visitorId":"visitor-42","topic":"of%20visitor%2D42"', b'"topic":"tea"',
    ),
    "a capsule that holds an address": (b'"capsuleId":"jane@example.com"', b'"capsuleId":"capsule-a"'),
    "an opt-out": (b'"optOut":true,"topic":"tea"', b'"topic":"tea"'),
    "an id of a thing of 257 signs": (b'"content_id":"' + b"c" * 257 + b'"', b'"content_id":"guide"'),
    "an unknown type": (b'"eventType":"look"', b'"eventType":"view"'),
    "no session": (b"", b'"sessionId":"s-1",'),
    "a custom event without a name": (b'"eventType":"custom"', b'"eventType":"view"'),
    "a moment too late": (b"2026-11-22T12:05:00.001Z", b"2026-11-20T12:00:00Z"),
    "a day that is none": (b"2026-02-30T12:00:00Z", b"2026-11-20T12:00:00Z"),
    "no object": (b"[1]", PLAIN),
    "one digit": (b"7", PLAIN),
    "a number as long as a line with empty metadata": (b"123456789012345", PLAIN),
    "a text as long as a line with empty metadata": (b'"aaaaaaaaaaaaa"', PLAIN),
    "a list as long as a line with empty metadata": (b"[1,2,3,4,5,6,7]", PLAIN),
    "two objects": (b"{}{}", PLAIN),
}  # fmt: skip


@pytest.mark.parametrize("what", GUARDED)
def test_what_a_tolerant_parser_takes_for_good_has_its_outcome(what: str, rules: AdmissionRules) -> None:
    wrong, right = GUARDED[what]
    if right is None:
        # The last key of `metadata`, or `metadata` itself, and what follows.
        name = wrong[: wrong.index(b":")]
        line = PLAIN[: PLAIN.index(name)] + wrong + (b"" if name == b'"metadata"' else b"}")
    else:
        line = PLAIN.replace(right, wrong)
        assert line != PLAIN, "the part to be replaced is not there"
    admission = BlockAdmission(rules)
    # Then the names of all keys are known, and nothing shows by being new.
    every_key = PLAIN.replace(b'"topic"', b'"optOut":false,"contentId":"guide","sessionX":1,"topic"')
    admission.admit(LineBlock(1, b"\n".join([PLAIN, PLAIN, every_key])))
    block = LineBlock(4, b"\n".join([PLAIN, PLAIN, line, PLAIN]))
    assert by_columns_of(block, admission) == line_by_line(block, rules)


@pytest.mark.parametrize("limits", [{"keys": 15}, {"nesting": 3}, {"line_bytes": 290}], ids=str)
def test_limits_hold_by_column_too(limits: dict[str, int], rules: AdmissionRules) -> None:
    within = AdmissionRules(rules.keyring, rules.now, rules.oldest, limits=Limits(**limits))
    # 15 keys, three levels, 265 bytes; then more of each.
    more = [
        PLAIN.replace(b'"topic":"tea"', b'"topic":"tea","role":"user"'),
        PLAIN.replace(b'{"country":"DE"}', b'{"country":["DE"]}'),
        PLAIN.replace(b"capsule-a", b"capsule-" + b"a" * 40),
    ]
    admission = BlockAdmission(within)
    block = LineBlock(1, b"\n".join([PLAIN] * 4 + more))
    for _ in range(2):
        rows = by_columns_of(block, admission)
        assert rows == line_by_line(block, within)
    assert [row["outcome"] for row in rows].count("rejected") == 1


def test_a_file_of_few_lines_opens_no_database(
    rules: AdmissionRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    monkeypatch.setattr("orchestration.leaf_columns.duckdb.connect", lambda **_: opened.append(1))
    monkeypatch.setattr("orchestration.column_admission.SMALLEST_TABLE", 400)
    (table,) = admitted_blocks([LineBlock(1, lines(event()))], rules)
    # In a crowd of tiny files it took two thirds of the time.
    assert (table.num_rows, opened) == (1, [])


def test_a_mistake_of_ours_about_one_value_costs_that_line_only(
    rules: AdmissionRules, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistaken(value: Any) -> Any:
        return 1 // (value != 13) and amount_of(value)

    monkeypatch.setattr("orchestration.event_fields.amount_of", mistaken)
    monkeypatch.setattr("orchestration.column_rules.amount_of", mistaken)
    sales = [event("conversion", eventId=f"e{n}", metadata={"value": n}) for n in range(10, 17)]
    (table,) = admitted_blocks([LineBlock(1, lines(*sales))], rules)
    rows = sorted(table.to_pylist(), key=lambda row: row["line_number"])
    assert [row["reason"] for row in rows] == [None] * 3 + ["unexpected_error"] + [None] * 3
    assert [row["amount"] for row in rows] == [10, 11, 12, None, 14, 15, 16]
    assert "ZeroDivisionError" in caplog.text


def test_two_spellings_of_one_text_are_one_text_in_the_sealed_file(
    rules: AdmissionRules, tmp_path: Path
) -> None:
    topics = [("Prices", "  Prices ", "Plans")[number % 3] for number in range(600)]
    sent = [event(eventId=f"e{number}", metadata={"topic": topic}) for number, topic in enumerate(topics)]
    target = tmp_path / "sealed.parquet"
    write_sealed(admitted_blocks([LineBlock(1, lines(*sent))], rules), target, tmp_path)
    sealed = sorted(pq.read_table(target).to_pylist(), key=lambda row: row["line_number"])
    assert [row["topic"] for row in sealed] == ["Prices", "Prices", "Plans"] * 200


def test_who_admits_a_block_and_where_it_was_cut_changes_no_row(
    rules: AdmissionRules, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("orchestration.admission_workers._OWN_BLOCKS", 2)
    # A second process would be ready when all is done.
    waited = lambda ready: sum(one.result() for one in ready)  # noqa: E731
    monkeypatch.setattr("orchestration.admission_workers._count_ready", waited)
    content = b"".join(dirty_file(seed, 200) for seed in range(10))
    found = []
    # The last is a file that is known to be long.
    for processes, block_bytes, byte_count in (
        (1, 1 << 30, 0), (1, 50_000, 0), (2, 50_000, 0), (2, 50_000, 1 << 40),
    ):  # fmt: skip
        fresh = AdmissionRules(rules.keyring, rules.now, rules.oldest)
        blocks = cut_into_blocks([content], fresh.limits.line_bytes, block_bytes)
        tables = admitted_blocks(blocks, fresh, processes, byte_count=byte_count)
        rows = [row for table in tables for row in table.to_pylist()]
        found.append(sorted(rows, key=lambda row: row["line_number"]))
    assert len(found[0]) > 1500
    assert found[0] == found[1] == found[2] == found[3]
    # Of what a process still holds at its end DuckDB prints a page.
    assert "leaked" not in capfd.readouterr().err


def test_an_opted_out_person_is_suppressed_when_consent_is_refused_too(rules: AdmissionRules) -> None:
    later = event(
        userId="jane", sessionId="other", timestamp="2026-11-20T13:00:00Z", metadata={"consent": False}
    )
    out = event(userId="jane", timestamp="2026-11-20T11:00:00Z", metadata={"optOut": True})
    earlier = later | {"eventId": "e3", "timestamp": "2026-11-20T10:00:00Z"}
    fresh = AdmissionRules(rules.keyring, rules.now, rules.oldest, OptOuts())
    (table,) = admitted_blocks([LineBlock(1, lines(later, out, earlier))], fresh)
    first, signal, before = sorted(table.to_pylist(), key=lambda row: row["line_number"])
    assert [first["outcome"], signal["outcome"], before["outcome"]] == [
        "suppressed",
        "suppressed",
        "accepted",
    ]
    # A refused identity leaves no key behind, not even here.
    keys = ("user_key", "visitor_id_key", "client_session_key", "daily_key")
    assert [first[name] for name in keys] == [None] * 4
    assert "refused_user_key" not in table.column_names


def test_blocks_are_cut_at_line_ends_and_keep_the_numbers() -> None:
    chunks = [b"a\nbb", b"b\n\nc", b"c\r\nd"]
    blocks = list(cut_into_blocks(chunks, 100, block_bytes=4))
    assert [list(block.lines()) for block in blocks] == [
        [(1, b"a"), (2, b"bbb")], [(4, b"cc")], [(5, b"d")],
    ]  # fmt: skip


def test_of_a_line_without_end_only_the_beginning_is_held() -> None:
    chunks = [b"a\n", *[b"x" * 50] * 100, b"\nb\n"]
    (block,) = cut_into_blocks(chunks, 100)
    assert [(number, len(text)) for number, text in block.lines()] == [(1, 1), (2, 101), (3, 1)]


def test_a_block_of_very_short_lines_is_cut_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.line_blocks.BLOCK_LINES", 2)
    blocks = list(cut_into_blocks([b"a\n\nb\nc\n\nd"], 100))
    assert [list(block.lines()) for block in blocks] == [
        [(1, b"a")], [(3, b"b"), (4, b"c")], [(6, b"d")],
    ]  # fmt: skip
