"""The orchestrator and the dashboard as two supervised processes.

Why it exists: `engagement up` is one command that starts both, says what happens, and ends both cleanly
on Ctrl-C, SIGTERM or when one of them dies. Not here: what they do.
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestration.micro_batch import LandingMissing, view_pending
from orchestration.publication import PublicationManifest, current_manifest
from orchestration.settings import PROJECT_ROOT, Settings

Say = Callable[[str], None]

PORTS_TRIED: Final = 50
START_SECONDS: Final = 120
STOP_SECONDS: Final = 20


class ServiceFailed(RuntimeError):
    """A process did not start or ended by itself; the text holds the end of its log."""


@dataclass
class Service:
    """One supervised process and its log."""

    name: str
    arguments: list[str]
    port: int
    log: Path
    # Where it can be reached from this machine.
    address: str = "127.0.0.1"
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self, environment: dict[str, str]) -> None:
        """Starts it in a session of its own: started plainly it would ignore SIGINT and SIGTERM."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.arguments,
                cwd=PROJECT_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_reachable(self) -> bool:
        """Whether something accepts connections on its port."""
        try:
            socket.create_connection((self.address, self.port), timeout=0.5).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Ends it and the processes it started: politely, then for good."""
        endings = ((signal.SIGINT, STOP_SECONDS), (signal.SIGTERM, 5), (signal.SIGKILL, 5))
        for ending, seconds in endings:
            _signal_group(self.process.pid, ending)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and _group_lives(self.process.pid):
                self.process.poll()
                time.sleep(0.1)
            if not _group_lives(self.process.pid):
                return

    def log_end(self) -> str:
        """The last lines of its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.strip().splitlines()[-15:])


def _signal_group(group: int, ending: signal.Signals) -> None:
    try:
        os.killpg(group, ending)
    except ProcessLookupError:
        return


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def free_port(wanted: int, name: str, say: Say, taken: frozenset[int] = frozenset()) -> int:
    """`wanted`, or the next free port after it with a word about it."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65_536)):
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port != wanted:
            say(f"Port {wanted} is taken; the {name} uses {port} instead")
        return port
    raise ServiceFailed(
        f"No free port for the {name} between {wanted} and {wanted + PORTS_TRIED - 1}. Set "
        f"ENGAGEMENT_{name.upper()}_PORT to a free one."
    )


@contextlib.contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Holds `dagster/up.lock`: two orchestrators over one home would start every load twice.

    Raises `ServiceFailed` with the process id of the other one.
    """
    with (settings.dagster_home / "up.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ServiceFailed(
                f"`engagement up` is running already for {settings.home} (process {lock.read().strip()}). "
                "Stop that one, or set ENGAGEMENT_HOME to another folder."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def run_services(settings: Settings, say: Say, should_stop: Callable[[], bool]) -> None:
    """Starts both, then reports every publication until `should_stop()`; stops both at the end.

    Raises `ServiceFailed` when one of them does not come up or ends by itself.
    """
    orchestrator_port = free_port(settings.orchestrator_port, "orchestrator", say)
    dashboard_port = free_port(settings.dashboard_port, "dashboard", say, frozenset({orchestrator_port}))
    services = [
        Service(
            "dashboard", _dashboard_arguments(settings.dashboard_address, dashboard_port), dashboard_port,
            settings.home / "logs" / "dashboard.log", _reachable(settings.dashboard_address),
        ),
        Service(
            "orchestrator", _orchestrator_arguments(orchestrator_port), orchestrator_port,
            settings.home / "logs" / "orchestrator.log",
        ),
    ]  # fmt: skip
    environment = os.environ | settings.environment()
    try:
        for service in services:
            say(f"Starting the {service.name} (log: {service.log})")
            service.start(environment)
        for service in services:
            _wait_until_reachable(service, should_stop)
            say(f"{service.name.capitalize()}: http://{_shown(service.address)}:{service.port}")
        say(f"Drop event files into {settings.landing}; Ctrl-C stops everything.")
        _report(settings, services, say, should_stop)
    finally:
        say("Stopping …")
        for service in services:
            if hasattr(service, "process"):
                service.stop()
        say("Stopped.")


def _reachable(address: str) -> str:
    """An address of every interface is reached as this machine's own."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _dashboard_arguments(address: str, port: int) -> list[str]:
    return [
        sys.executable, "-m", "streamlit", "run", str(PROJECT_ROOT / "app" / "server.py"),
        "--server.address", address, "--server.port", str(port),
    ]  # fmt: skip


def _orchestrator_arguments(port: int) -> list[str]:
    return [
        sys.executable, "-m", "dagster", "dev", "--module-name", "orchestration.definitions",
        "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning",
    ]  # fmt: skip


def _wait_until_reachable(service: Service, should_stop: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not service.is_reachable():
        _check_alive(service)
        if should_stop():
            return
        if time.monotonic() > deadline:
            raise ServiceFailed(
                f"The {service.name} did not answer within {START_SECONDS} s. The end of {service.log}:\n"
                f"{service.log_end()}"
            )
        time.sleep(0.2)


def _check_alive(service: Service) -> None:
    if service.process.poll() is not None:
        raise ServiceFailed(
            f"The {service.name} ended with exit code {service.process.returncode}. The end of "
            f"{service.log}:\n{service.log_end()}"
        )


def _report(settings: Settings, services: list[Service], say: Say, should_stop: Callable[[], bool]) -> None:
    seen: PublicationManifest | None = None
    waiting = -1
    while not should_stop():
        for service in services:
            _check_alive(service)
        published = current_manifest(settings.published)
        if published and published != seen:
            seen = published
            say(f"Published {published.accepted_count:,} events, newest {published.as_of} ({published.id})")
        waiting = _say_waiting(settings, waiting, say)
        time.sleep(0.5)


def _say_waiting(settings: Settings, waiting: int, say: Say) -> int:
    try:
        now_waiting = len(view_pending(settings).complete)
    except LandingMissing as missing:
        if waiting != -2:
            say(str(missing))
        return -2
    if now_waiting > max(waiting, 0):
        say(f"{now_waiting} files landed; loading …")
    return now_waiting
