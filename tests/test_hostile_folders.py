"""Bombs, crowds and files that change: bounded memory, exact counts, nothing outside the folder touched."""

import gzip
import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration import archive
from orchestration.line_reader import LineReader
from orchestration.micro_batch import BATCH_FILES, LandingMissing, load_pending
from orchestration.raw_events import Accounting
from orchestration.settings import Settings
from orchestration.status import state_of
from orchestration.warehouse import WarehouseBusy, writer_lock
from tests.event_lines import event, line, lines
from tests.test_raw_events import no_gaps, rows
from tests.test_shortages import starved

# `make soak` makes the crowd 100,000 files, the larger bombs 1 GB and 300 million lines; here they are
# scaled down.
IS_SOAK = "KILLS" in os.environ
CROWD, PART = (100_000, BATCH_FILES) if IS_SOAK else (2_000, 800)
MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    ("unpacked_bytes", "block", "ending"),
    [
        # One line without an end, one of spaces, and lines that are no events: 300 KB that become 300 MB.
        pytest.param(300 * MEBIBYTE, b"x" * MEBIBYTE, "long", id="one-line-of-300-MB"),
        pytest.param(300 * MEBIBYTE, b" " * MEBIBYTE, "blank", id="300-MB-of-spaces"),
        pytest.param(
            (300 if IS_SOAK else 30) * MEBIBYTE, b"\n" * MEBIBYTE, "empty", id="millions-of-blank-lines"
        ),
        pytest.param((1024 if IS_SOAK else 300) * MEBIBYTE, b"\0" * MEBIBYTE, "zero", id="2.5-MB-to-1-GB"),
    ],
)
def test_a_bomb_is_refused_or_loaded_in_bounded_memory(
    unpacked_bytes: int, block: bytes, ending: str, settings: Settings
) -> None:
    good = line(event()) + b"\n"
    target = settings.landing / f"bomb-{ending}.ndjson.gz"
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as stream:
        stream.write(good)
        for _ in range(unpacked_bytes // len(block)):
            stream.write(block)
    target.write_bytes(packed.getvalue())
    assert target.stat().st_size < unpacked_bytes / 250
    found = starved(settings.home, "nothing", "0")
    rejected = 1 if ending in ("long", "zero") else 0
    assert (found["received"], found["accepted"], found["rejected"]) == (1 + rejected, 1, rejected)
    # Python, Arrow and DuckDB take 200 MB before the first line.
    assert found["peak_bytes"] < 500 * MEBIBYTE
    assert no_gaps(settings)


def test_a_bomb_of_one_document_is_refused(settings: Settings) -> None:
    target = settings.landing / "bomb.json.gz"
    with target.open("wb") as landed, gzip.GzipFile(fileobj=landed, mode="wb", compresslevel=9) as stream:
        stream.write(b"[")
        for _ in range(300):
            stream.write(b"[" * MEBIBYTE)
    found = starved(settings.home, "nothing", "0")
    assert list(found["refused"]) == ["bomb.json.gz"]
    assert "more bytes than one file may" in found["refused"]["bomb.json.gz"]
    assert found["peak_bytes"] < 1500 * MEBIBYTE


def test_a_crowd_of_tiny_files_is_loaded_whole_in_parts(
    settings: Settings, record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.micro_batch.BATCH_FILES", PART)
    for number in range(CROWD):
        (settings.landing / f"{number:06}.ndjson").write_bytes(lines(event(eventId=f"e{number}")))
    began = time.monotonic()
    said: list[str] = []
    summary = load_pending(settings, said.append)
    seconds = time.monotonic() - began
    parts = [text for text in said if text.startswith("Part ")]
    last = "Part 20 of 20: 5,000 of 100,000 files" if IS_SOAK else "Part 3 of 3: 400 of 2,000 files"
    assert (len(parts), parts[-1]) == (20 if IS_SOAK else 3, last)
    assert summary.accounting == Accounting(received=CROWD, accepted=CROWD)
    assert (summary.file_count, len(summary.batches)) == (CROWD, len(parts))
    assert rows(settings, "select count(*), count(distinct content_hash) from raw.event_files") == [
        (CROWD, CROWD)
    ]
    assert sum(1 for _ in (settings.landing / "loaded").iterdir()) == CROWD
    record_property("shown", f"{CROWD:,} files of one event: {1000 * seconds / CROWD:.1f} ms a file")


def test_a_file_that_grows_while_it_is_read_waits_and_is_then_loaded_whole(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = settings.landing / "grows.ndjson"
    target.write_bytes(lines(event()))

    class Growing(LineReader):
        def blocks(self) -> Any:
            for block in super().blocks():
                with target.open("ab") as more:
                    more.write(lines(event(eventId="more")))
                yield block

    with monkeypatch.context() as patch:
        patch.setattr(archive, "LineReader", Growing)
        first = load_pending(settings)
    assert (first.growing, first.accounting) == (["grows.ndjson"], Accounting())
    assert load_pending(settings).accounting == Accounting(received=2, accepted=2)
    assert no_gaps(settings)


def test_nothing_outside_the_home_is_read_or_written(settings: Settings, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.ndjson").write_bytes(lines(event(eventId="secret")))
    (settings.landing / "folder").symlink_to(outside)
    (settings.landing / "file.ndjson").symlink_to(outside / "secret.ndjson")
    (settings.landing / "loaded").mkdir()
    (settings.landing / "loaded" / "trap").symlink_to(outside)
    os.link(outside / "secret.ndjson", settings.landing / "hard.ndjson")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    (settings.landing / "good.ndjson").write_bytes(lines(event()))
    # A hard link is a regular file of the folder: loaded, and only the link is moved.
    assert load_pending(settings).accounting == Accounting(received=2, accepted=2)
    assert [path.name for path in outside.iterdir()] == ["secret.ndjson"]
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"home", "outside"}


def test_a_second_writer_waits_with_a_word_and_never_shows_a_lock_error(settings: Settings) -> None:
    (settings.landing / "a.ndjson").write_bytes(lines(event()))
    said: list[str] = []
    done: list[Any] = []
    with writer_lock(settings):
        second = threading.Thread(target=lambda: done.append(load_pending(settings, said.append)))
        second.start()
        while not said:
            time.sleep(0.01)
        assert done == []
    second.join(60)
    assert said[0] == f"Waiting for process {os.getpid()}, which is writing to the warehouse …"
    assert done[0].accounting.accepted == 1


def another_process(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Runs code that prints a line, then waits for one."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


HOLD_THE_LOCK = """
import sys
from orchestration.settings import load_settings
from orchestration.warehouse import writer_lock
with writer_lock(load_settings(home=sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""
OPEN_THE_FILE = """
import duckdb, sys
with duckdb.connect(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_writer_that_never_ends_is_named(settings: Settings) -> None:
    holder = another_process(HOLD_THE_LOCK, str(settings.home))
    with (
        pytest.raises(WarehouseBusy, match=f"in use by process {holder.pid} .* frees itself"),
        writer_lock(settings, wait_seconds=0),
    ):
        pass
    holder.communicate("\n", timeout=60)


def test_a_warehouse_that_another_program_has_open_is_no_damage(settings: Settings) -> None:
    holder = another_process(OPEN_THE_FILE, str(settings.warehouse_file))
    (settings.landing / "a.ndjson").write_bytes(lines(event()))
    with pytest.raises(WarehouseBusy, match=rf"open in another program \(process {holder.pid}\)\. Close it"):
        load_pending(settings)
    holder.communicate("\n", timeout=60)
    assert load_pending(settings).accounting.accepted == 1


def test_a_folder_named_like_a_file_that_is_put_away_blocks_nothing(settings: Settings) -> None:
    for name, content in [("a.ndjson", lines(event())), ("bad.ndjson", b"prose\n")]:
        (settings.landing / name).write_bytes(content)
        load_pending(settings)
        (settings.landing / name).mkdir()
    (settings.landing / "a.ndjson" / "in.ndjson").write_bytes(lines(event(eventId="e2")))
    (settings.landing / "bad.ndjson" / "in.ndjson").write_bytes(b"more prose\n")
    (settings.landing / "later.ndjson").write_bytes(lines(event(eventId="e3")))
    summary = load_pending(settings)
    assert summary.accounting == Accounting(received=2, accepted=2)
    assert list(summary.refused) == ["bad.ndjson/in.ndjson"]
    assert len([path for path in (settings.landing / "loaded").iterdir() if path.is_file()]) == 3
    refused = {path.name for path in (settings.landing / "refused").iterdir()}
    assert len(refused) == 4
    assert len([name for name in refused if name.endswith(".reason")]) == 2
    assert load_pending(settings).accounting == Accounting()


def nest(settings: Settings, name: str, depth: int) -> None:
    """Folders in one another by way of the working folder, whatever the length of the path."""
    before = Path.cwd()
    os.chdir(settings.landing)
    try:
        for _ in range(depth):
            Path(name).mkdir()
            os.chdir(name)
        Path("x.ndjson").write_bytes(lines(event(eventId=f"{name[0]}{depth}")))
    finally:
        os.chdir(before)


@pytest.fixture
def nesting_settings(settings: Settings) -> Iterator[Settings]:
    """Cleaned up by `rm`: what Python offers for it, and pytest uses, breaks off in a thousand folders."""
    yield settings
    subprocess.run(["rm", "-rf", str(settings.landing)], check=True)


def test_deep_folders_and_long_paths_block_nothing(nesting_settings: Settings) -> None:
    settings = nesting_settings
    (settings.landing / "good.ndjson").write_bytes(lines(event()))
    nest(settings, "d", 1200)
    nest(settings, "p" * 200, (4060 - len(str(settings.landing))) // 201)
    # Its folder is beyond what the system opens by one path.
    nest(settings, "q" * 200, 25)
    summary = load_pending(settings)
    assert summary.accounting == Accounting(received=3, accepted=3)
    (ignored,) = summary.ignored
    assert ignored.startswith("qqq")
    assert ignored.endswith("(File name too long)")
    assert len(ignored) < 300
    assert load_pending(settings).accounting == Accounting()
    assert len(list((settings.landing / "loaded").iterdir())) == 3
    assert state_of(settings, datetime.now(UTC))["landing"]["pending"] == 0


def test_a_folder_that_cannot_be_read_is_named_and_blocks_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = settings.landing / "locked"
    locked.mkdir()
    (settings.landing / "good.ndjson").write_bytes(lines(event()))
    scan = os.scandir

    def refusing(path: Any) -> Any:
        # As for a folder of mode 000; the superuser, who may run this test, is refused nothing.
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    summary = load_pending(settings)
    assert summary.accounting == Accounting(received=1, accepted=1)
    assert summary.ignored == ["locked (Permission denied)"]


def test_links_in_the_place_of_own_folders_are_never_followed(settings: Settings, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "capsules.ndjson").write_bytes(b'{"capsuleId": "c", "name": "C"}\n')
    landing = settings.landing
    (landing / "catalog").rmdir()
    (landing / "catalog").symlink_to(outside)
    for own in ("loaded", "refused"):
        (landing / own).mkdir()
        (landing / own / "sub").symlink_to(outside)
        (landing / own / "bad.ndjson.reason").symlink_to(outside / "reason")
    (landing / "sub").mkdir()
    (landing / "sub" / "x.ndjson").write_bytes(lines(event()))
    (landing / "sub" / "y.ndjson").write_bytes(b"prose\n")
    (landing / "bad.ndjson").write_bytes(b"prose too\n")
    summary = load_pending(settings)
    assert summary.accounting == Accounting(received=1, accepted=1)
    assert sorted(summary.refused) == ["bad.ndjson", "sub/y.ndjson"]
    assert summary.catalogues == []
    assert summary.ignored == ["catalog"]
    assert [path.name for path in outside.iterdir()] == ["capsules.ndjson"]


@pytest.mark.parametrize("own", ["loaded", "refused"])
@pytest.mark.parametrize("is_link", [True, False])
def test_what_is_no_folder_in_the_place_of_one_is_named(
    own: str, is_link: bool, settings: Settings, tmp_path: Path
) -> None:
    path = settings.landing / own
    path.symlink_to(tmp_path) if is_link else path.write_text("x")
    (settings.landing / "a.ndjson").write_bytes(lines(event()))
    with pytest.raises(LandingMissing, match=re.escape(f"{path} is a link or a file")):
        load_pending(settings)
    path.unlink()
    assert load_pending(settings).accounting == Accounting(received=1, accepted=1)
