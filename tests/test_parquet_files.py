"""Parquet files: each row is a line by itself, and limits are known before anything is unpacked."""

import time
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.event_files import FileRefused, view_landing
from orchestration.limits import DEFAULT_LIMITS, Limits
from orchestration.line_reader import LineReader
from tests.event_lines import NOON

THREE: dict[str, Any] = {
    "eventId": ["a", "b", "c"],
    "eventType": ["view"] * 3,
    "capsuleId": ["c1"] * 3,
    "sessionId": ["s"] * 3,
    "timestamp": [NOON] * 3,
}


def read(folder: Path, table: pa.Table, limits: Limits = DEFAULT_LIMITS) -> list[bytes]:
    pq.write_table(table, folder / "a.parquet", compression="zstd", use_dictionary=False)
    (file,) = view_landing(folder, 0, time.time() + 5).complete
    return [text for _, text in LineReader(file, limits)]


def rows(folder: Path, **columns: Any) -> list[Any]:
    lines = read(folder, pa.table(THREE | columns))
    return [orjson.loads(text) if text[:1] == b"{" else text for text in lines]


def test_a_text_that_is_no_utf8_costs_its_own_row_only(tmp_path: Path) -> None:
    buffers = pa.array([b"x", b"\xff", b"y"]).buffers()
    first, second, third = rows(tmp_path, userId=pa.Array.from_buffers(pa.string(), 3, buffers))
    assert (first["userId"], second, third["userId"]) == ("x", b"\xff", "y")


def test_a_time_beyond_the_calendar_costs_its_own_row_only(tmp_path: Path) -> None:
    far = pa.array([0, 600_000_000_000_000, 0], pa.timestamp("ms", "UTC"))
    first, second, third = rows(tmp_path, timestamp=far)
    assert (first["eventId"], second, third["eventId"]) == ("a", b"unreadable", "c")


def test_deep_metadata_is_left_to_admission(tmp_path: Path) -> None:
    deep = '{"a":' + "[" * 400 + "]" * 400 + "}"
    lines = read(tmp_path, pa.table(THREE | {"metadata": [deep, None, "{}"]}))
    assert [text.count(b"[") for text in lines] == [400, 0, 0]


def test_a_key_that_comes_twice_in_metadata_text_is_seen(tmp_path: Path) -> None:
    lines = read(tmp_path, pa.table(THREE | {"metadata": ['{"action":"a",\n"action":"b"}', "{}", "no"]}))
    assert lines[0].count(b'"action"') == 2
    assert orjson.loads(lines[2])["metadata"] == "no"


def test_bytes_are_text_or_the_wrong_type(tmp_path: Path) -> None:
    found = rows(tmp_path, capsuleId=pa.array([b"c1", b"\xff", b"c3"]))
    assert [row["capsuleId"] for row in found] == ["c1", {}, "c3"]


def test_a_map_is_an_object(tmp_path: Path) -> None:
    told = pa.array([[("action", "x")]] * 3, pa.map_(pa.string(), pa.string()))
    assert rows(tmp_path, metadata=told)[0]["metadata"] == {"action": "x"}


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays(
        [*map(pa.array, THREE.values()), pa.array(["c2"] * 3)], [*THREE, "capsuleId"]
    )
    with pytest.raises(FileRefused, match="a column name comes twice") as refused:
        read(tmp_path, twice)
    assert refused.value.reason == "damaged_parquet"


def test_the_footer_tells_a_bomb_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = pa.table({name: values[:1] for name, values in THREE.items()} | {"blob": ["x" * (8 << 20)]})
    with pytest.raises(FileRefused) as refused:
        read(tmp_path, bomb, Limits(file_bytes=1 << 20))
    assert refused.value.reason == "too_large"
    assert (tmp_path / "a.parquet").stat().st_size < 50_000


def test_one_stored_value_in_many_rows_counts_as_often_as_it_stands_there(tmp_path: Path) -> None:
    many = pa.table(
        {name: values[:1] * 400 for name, values in THREE.items()} | {"blob": ["x" * 50_000] * 400}
    )
    pq.write_table(many, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 50_000
    (file,) = view_landing(tmp_path, 0, time.time() + 5).complete
    with pytest.raises(FileRefused) as refused:
        list(LineReader(file, Limits(file_bytes=1 << 20)))
    assert refused.value.reason == "too_large"


@pytest.mark.parametrize(("allowed", "is_refused"), [(2, True), (3, False)])
def test_rows_are_counted_exactly(allowed: int, is_refused: bool, tmp_path: Path) -> None:
    if is_refused:
        with pytest.raises(FileRefused) as refused:
            read(tmp_path, pa.table(THREE), Limits(file_lines=allowed))
        assert refused.value.reason == "too_many_lines"
    else:
        assert len(read(tmp_path, pa.table(THREE), Limits(file_lines=allowed))) == 3


@pytest.mark.parametrize(("content", "allowed"), [(b"{}\n" * 20, 20), (b"{}\n{}", 2)])
def test_lines_are_counted_exactly(content: bytes, allowed: int, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(content)
    (file,) = view_landing(tmp_path, 0, time.time() + 5).complete
    assert len(list(LineReader(file, Limits(file_lines=allowed)))) == allowed
    with pytest.raises(FileRefused) as refused:
        list(LineReader(file, Limits(file_lines=allowed - 1)))
    assert refused.value.reason == "too_many_lines"
