"""`engagement up`: two processes come up, see new files, and end cleanly."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.services import ServiceFailed, free_port
from tests.commands import ENGAGEMENT, engagement, environment
from tests.event_lines import event, lines

FIXTURES = Path(__file__).parent / "fixtures"
# Seconds; how long something takes is measured elsewhere, here it only has to happen.
PATIENCE = 300


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_taken_port_is_replaced_with_a_clear_word() -> None:
    said: list[str] = []
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        other = free_port(taken, "dashboard", said.append)
    assert other > taken
    assert said == [f"Port {taken} is taken; the dashboard uses {other} instead"]


def test_no_free_port_names_the_setting() -> None:
    every = frozenset(range(9000, 9050))
    with pytest.raises(ServiceFailed, match="Set ENGAGEMENT_DASHBOARD_PORT to a free one"):
        free_port(9000, "dashboard", lambda text: None, every)


def wait_for(what: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.3)


def processes_of(home: Path) -> list[str]:
    """Command lines of the living processes that were started with this home."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if f"ENGAGEMENT_HOME={home}".encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


@pytest.mark.end_to_end
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_up_loads_what_lands_and_stops_without_leaving_a_process(
    ending: signal.Signals, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "landing").mkdir(parents=True)
    # A first publication, so that only the new file's way is waited for.
    shutil.copy(FIXTURES / "conversations" / "2018-04-29.ndjson.gz", home / "landing")
    any_age = {"ENGAGEMENT_ACCEPT_ANY_AGE": "true"}
    assert engagement(home, "load", settings=any_age).returncode == 0
    first = (home / "published" / "CURRENT").read_text()
    dashboard, orchestrator = unused_port(), unused_port()
    started = environment(
        home,
        **any_age,
        ENGAGEMENT_DASHBOARD_PORT=str(dashboard),
        ENGAGEMENT_ORCHESTRATOR_PORT=str(orchestrator),
    )
    log = tmp_path / "up.log"
    with log.open("wb") as output:
        up = subprocess.Popen([ENGAGEMENT, "up"], env=started, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: f"Orchestrator: http://127.0.0.1:{orchestrator}" in log.read_text(), PATIENCE)
        assert f"Dashboard: http://127.0.0.1:{dashboard}" in log.read_text()
        (home / "landing" / "new.ndjson").write_bytes(lines(event(capsuleId="fresh")))
        wait_for(lambda: (home / "published" / "CURRENT").read_text() != first, PATIENCE)
        published = (home / "published" / "CURRENT").read_text().strip()
        manifest = json.loads((home / "published" / published / "manifest.json").read_text())
        loaded = sum(1 for _ in (home / "archive").glob("*.parquet"))
        assert (loaded, manifest["batch_id"]) == (2, 2)
    finally:
        up.send_signal(ending)
        code = up.wait(60)
    assert code == 0, log.read_text()
    assert log.read_text().endswith("Stopping …\nStopped.\n")
    wait_for(lambda: processes_of(home) == [], 20)


@pytest.mark.end_to_end
def test_after_a_hard_kill_the_next_start_loads_what_was_left(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "landing").mkdir(parents=True)
    ports = {
        "ENGAGEMENT_DASHBOARD_PORT": str(unused_port()),
        "ENGAGEMENT_ORCHESTRATOR_PORT": str(unused_port()),
    }
    started = environment(home, **ports)
    log = tmp_path / "up.log"
    with log.open("wb") as output:
        up = subprocess.Popen([ENGAGEMENT, "up"], env=started, stdout=output, stderr=subprocess.STDOUT)
    wait_for(lambda: "Orchestrator: http" in log.read_text(), PATIENCE)
    second = engagement(home, "up", settings=ports)
    assert second.returncode == 1
    assert f"is running already for {home} (process {up.pid})" in second.stderr

    (home / "landing" / "new.ndjson").write_bytes(lines(event(capsuleId="fresh")))
    # The run holds the writer lock from its start; then everything is killed at once.
    lock = home / "warehouse" / "writer.lock"
    wait_for(lambda: lock.exists() and lock.read_text() != "", 60)
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if f"ENGAGEMENT_HOME={home}".encode() in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                continue
    up.wait(30)
    assert not (home / "published" / "CURRENT").exists()

    with log.open("wb") as output:
        up = subprocess.Popen([ENGAGEMENT, "up"], env=started, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for((home / "published" / "CURRENT").exists, PATIENCE)
        assert "Ended 1 runs whose process had died" in log.read_text()
    finally:
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0
