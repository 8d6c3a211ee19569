"""Landed files: found, opened, read to the end."""

import gzip
import os
import time
from pathlib import Path

import polars as pl
import pytest
import zstandard

from orchestration.event_files import (
    REFUSAL_REASONS,
    REFUSAL_SENTENCES,
    FileRefused,
    view_landing,
)
from orchestration.line_reader import LineReader
from tests.event_lines import event, line, lines


def land(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(folder: Path, name: str, content: bytes) -> list[tuple[int, bytes]]:
    land(folder, name, content)
    (file,) = view_landing(folder, 0, time.time()).complete
    return list(LineReader(file))


def refusal(folder: Path, name: str, content: bytes) -> str:
    with pytest.raises(FileRefused) as refused:
        read(folder, name, content)
    return refused.value.reason


TWO = lines(event(), event(eventId="e2"))
BOTH = [(1, line(event())), (2, line(event(eventId="e2")))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ndjson", TWO),
        ("a.JSONL", TWO),
        ("a.json", TWO),
        ("a.ndjson.gz", gzip.compress(TWO)),
        ("a.ndjson.ZST", zstandard.compress(TWO)),
        ("lies.ndjson", gzip.compress(TWO)),
        ("lies.ndjson.gz", TWO),
        ("two members.ndjson.gz", gzip.compress(TWO[:20]) + gzip.compress(TWO[20:])),
        ("bom.ndjson", b"\xef\xbb\xbf" + TWO),
        ("crlf.ndjson", TWO.replace(b"\n", b"\r\n")),
        ("no end.ndjson", TWO.rstrip(b"\n")),
        ("array.json", b"[" + TWO.replace(b"\n", b",")[:-1] + b"]"),
        ("user'; drop table.ndjson", TWO),
        ("glob*[a]?.ndjson", TWO),
        ("userId=x/deep/a.ndjson", TWO),
        ("ünï.ndjson", TWO),
    ],
)
def test_every_spelling_of_a_file_gives_the_same_lines(name: str, content: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, name, content) == BOTH


def test_blank_lines_are_no_lines_but_keep_the_numbering(tmp_path: Path) -> None:
    content = b"\n  \n" + line(event()) + b"\n\t\n" + line(event(eventId="e2"))
    assert [number for number, _ in read(tmp_path, "a.ndjson", content)] == [3, 5]


def test_a_line_separator_inside_a_string_is_no_line_end(tmp_path: Path) -> None:
    made = '{"eventType":"view","metadata":{"topic":"a\u2028b"}}'.encode()
    assert read(tmp_path, "a.ndjson", made + b"\n") == [(1, made)]


def test_a_pretty_printed_object_is_one_event(tmp_path: Path) -> None:
    assert len(read(tmp_path, "a.json", b'{\n  "eventType": "view",\n  "capsuleId": "a"\n}\n')) == 1


def test_a_broken_first_line_does_not_cost_the_others(tmp_path: Path) -> None:
    content = b'{"eventType": "vi\n' + TWO
    assert [number for number, _ in read(tmp_path, "a.ndjson", content)] == [1, 2, 3]


def test_a_parquet_file_is_read_row_by_row(tmp_path: Path) -> None:
    rows = [event(metadata={"action": "search"}), event(eventId="e2", metadata={"action": None})]
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    (file,) = view_landing(tmp_path, 0, time.time()).complete
    assert [number for number, _ in LineReader(file)] == [1, 2]


def test_the_content_hash_does_not_depend_on_the_compression(tmp_path: Path) -> None:
    land(tmp_path, "plain.ndjson", TWO)
    land(tmp_path, "packed.ndjson.gz", gzip.compress(TWO))
    readers = [LineReader(file) for file in view_landing(tmp_path, 0, time.time()).complete]
    for reader in readers:
        list(reader)
    assert readers[0].content_hash == readers[1].content_hash


def test_a_file_without_json_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "prose.json", b"Dear all,\nthis is no event.\n") == "no_json"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_refused_file_of_another_encoding_says_so(encoding: str, tmp_path: Path) -> None:
    content = ("\ufeff" + TWO.decode()).encode(encoding)
    with pytest.raises(FileRefused, match="it is UTF-16; write it as UTF-8"):
        read(tmp_path, "from-a-shell.ndjson", content)


@pytest.mark.parametrize("kept", [1, 5, 10, 15, 18, 25, 40, 60])
def test_a_torn_gzip_is_refused_wherever_it_was_cut(kept: int, tmp_path: Path) -> None:
    packed = gzip.compress(TWO)
    assert kept < len(packed)
    name = "torn.ndjson.gz"
    # Under two bytes nothing shows that it was meant to be gzip.
    expected = "no_json" if kept < 2 else "damaged_compression"
    assert refusal(tmp_path, name, packed[:kept]) == expected


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(TWO))
    packed[-6] ^= 0xFF
    assert refusal(tmp_path, "a.ndjson.gz", bytes(packed)) == "damaged_compression"


def test_a_torn_parquet_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.parquet", b"PAR1" + b"x" * 100) == "damaged_parquet"


def test_a_file_that_grows_while_it_is_read_is_not_loaded(tmp_path: Path) -> None:
    path = land(tmp_path, "a.ndjson", TWO)
    (file,) = view_landing(tmp_path, 0, time.time()).complete
    with path.open("ab") as more:
        more.write(TWO)
    with pytest.raises(FileRefused) as refused:
        list(LineReader(file))
    assert refused.value.reason == "changed_while_read"


def test_a_file_is_complete_only_after_the_quiet_time(tmp_path: Path) -> None:
    land(tmp_path, "a.ndjson", TWO)
    # `cp -p` sets the modification time back; that does not make a file complete.
    os.utime(tmp_path / "a.ndjson", (0, 0))
    now = time.time()
    assert [file.name for file in view_landing(tmp_path, 60, now).growing] == ["a.ndjson"]
    assert [file.name for file in view_landing(tmp_path, 60, now + 61).complete] == ["a.ndjson"]


def test_what_is_no_event_file_is_left_alone_and_named(tmp_path: Path) -> None:
    land(tmp_path, "notes.txt", b"x")
    land(tmp_path, ".hidden.ndjson", TWO)
    land(tmp_path, "half.ndjson.part", TWO)
    land(tmp_path, "half.ndjson.tmp", TWO)
    land(tmp_path, "loaded/old.ndjson", TWO)
    land(tmp_path, "refused/old.ndjson", TWO)
    os.mkfifo(tmp_path / "pipe.ndjson")
    (tmp_path / "link.ndjson").symlink_to("/etc/passwd")
    (tmp_path / "folder-link").symlink_to("/etc")
    view = view_landing(tmp_path, 0, time.time())
    assert (view.complete, view.growing) == ([], [])
    assert sorted(view.ignored) == ["folder-link", "link.ndjson", "notes.txt", "pipe.ndjson"]


def test_every_refusal_says_what_to_do() -> None:
    assert set(REFUSAL_SENTENCES) == set(REFUSAL_REASONS)


def test_a_file_that_grows_as_fast_as_it_is_read_is_given_up(tmp_path: Path) -> None:
    path = land(tmp_path, "a.ndjson", TWO * 100_000)
    (file,) = view_landing(tmp_path, 0, time.time()).complete

    def read_while_it_grows() -> None:
        with path.open("ab") as more:
            for _, _ in zip(range(100), LineReader(file).blocks(), strict=False):
                more.write(TWO * 100_000)
                more.flush()

    with pytest.raises(FileRefused) as refused:
        read_while_it_grows()
    assert refused.value.reason == "changed_while_read"


@pytest.mark.parametrize("packed", [False, True])
def test_old_line_ends_are_known_however_late_the_first_object_comes(tmp_path: Path, packed: bool) -> None:
    # Five megabytes of log in lines of 100 bytes, then two events; every line end is a lone carriage return.
    noise = (b"x" * 99 + b"\r") * 50_000
    content = noise + TWO.replace(b"\n", b"\r")
    name = "old.ndjson.gz" if packed else "old.ndjson"
    found = read(tmp_path, name, gzip.compress(content, 1) if packed else content)
    assert found[-2:] == [(50_001, BOTH[0][1]), (50_002, BOTH[1][1])]
    assert len(found) == 50_002
