"""Lines admitted by shape have the outcomes they have line by line."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.admission import Accepted, AdmissionRules, Rejected, Suppressed, admit_line
from orchestration.admission_workers import admitted_blocks
from orchestration.line_blocks import LineBlock, cut_into_blocks
from orchestration.opt_outs import OptOuts
from orchestration.privacy import Keyring
from orchestration.sealed_rows import SEALED_SCHEMA, as_table
from orchestration.shape_admission import BlockAdmission
from tests.dirty_lines import dirty_file
from tests.event_lines import event, lines

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FILES = int(os.environ.get("DIRTY_FILES", "60"))


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


def by_shape(block: LineBlock, admission: BlockAdmission) -> list[dict[str, Any]]:
    return sorted(as_table(*admission.admit(block)).to_pylist(), key=lambda row: row["line_number"])


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
            found = by_shape(block, admits)
            seen += len(expected)
            assert len(found) == len(expected), f"seed {seed}"
            for got, wanted in zip(found, expected, strict=True):
                text = block.data.split(b"\n")[wanted["line_number"] - block.first_number]
                assert got == wanted, f"seed {seed}, {text!r}"
    print(f"{seen} dirty lines admitted both ways")


def test_a_good_part_of_the_generated_lines_is_read_by_shape(
    rules: AdmissionRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one: list[bytes] = []

    def noted(text: bytes, rules: AdmissionRules) -> object:
        one_by_one.append(text)
        return admit_line(text, rules)

    monkeypatch.setattr("orchestration.shape_admission.admit_line", noted)
    admission = BlockAdmission(rules)
    count = sum(admission.admit(LineBlock(1, dirty_file(seed, 250)))[0] for seed in range(20))
    # Or the comparison above would compare `admit_line` with itself.
    assert len(one_by_one) < 0.8 * count


def test_who_admits_a_block_and_where_it_was_cut_changes_no_row(rules: AdmissionRules) -> None:
    content = b"".join(dirty_file(seed, 200) for seed in range(10))
    found = []
    for processes, block_bytes in ((1, 1 << 30), (1, 50_000), (2, 50_000)):
        fresh = AdmissionRules(rules.keyring, rules.now, rules.oldest)
        blocks = cut_into_blocks([content], fresh.limits.line_bytes, block_bytes)
        tables = admitted_blocks(blocks, fresh, processes)
        rows = [row for table in tables for row in table.to_pylist()]
        found.append(sorted(rows, key=lambda row: row["line_number"]))
    assert len(found[0]) > 1500
    assert found[0] == found[1] == found[2]


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
