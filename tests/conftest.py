"""Fixtures that more than one test file uses. Nothing of the machine's own settings reaches a test."""

import os
from pathlib import Path

import pytest

from orchestration.settings import Settings, load_settings
from orchestration.state_folder import create_state_folders

os.environ["GX_ANALYTICS_ENABLED"] = "false"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ENGAGEMENT_") or name == "DAGSTER_HOME":
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A fresh installation in a temporary home; files are complete at once."""
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGAGEMENT_QUIET_SECONDS", "0")
    made = load_settings()
    create_state_folders(made)
    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests recorded as `shown`: totals that a reader of the log should see."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "shown":
                terminalreporter.write_line(f"{report.nodeid.split('::')[-1]}: {value}")
