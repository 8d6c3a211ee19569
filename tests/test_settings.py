"""Settings are known by name, or they are an error."""

import pytest

from orchestration.settings import SettingsError, load_settings


def test_a_mistyped_setting_is_an_error_that_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_MAX_FILE_BTYES", "1048576")
    with pytest.raises(SettingsError, match=r"BTYES is no setting. The nearest is ENGAGEMENT_MAX_FILE_BYTES"):
        load_settings()


def test_what_child_processes_are_told_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in load_settings().environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings().environment() == load_settings().environment()
