"""Settings are known by name, or they are an error."""

from pathlib import Path

import pytest

from orchestration.settings import Settings, SettingsError, load_settings


def test_a_mistyped_setting_is_an_error_that_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_MAX_FILE_BTYES", "1048576")
    with pytest.raises(SettingsError, match=r"BTYES is no setting. The nearest is ENGAGEMENT_MAX_FILE_BYTES"):
        load_settings()


def test_what_child_processes_are_told_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in load_settings().environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings().environment() == load_settings().environment()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ENGAGEMENT_KEEP_LOADED_DAY=3", "ENGAGEMENT_KEEP_LOADED_DAY is no setting"),
        ("export ENGAGEMENT_RETENTION='14'\n", "The nearest is ENGAGEMENT_RETENTION_MONTHS"),
        ("engagement_qiet_seconds=1", "engagement_qiet_seconds is no setting"),
        ("ENGAGMENT_TIMEZONE=Europe/Paris", "The nearest is ENGAGEMENT_TIMEZONE"),
    ],
)
def test_a_typo_in_the_env_file_is_an_error_too(
    text: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(text)
    monkeypatch.setitem(Settings.model_config, "env_file", env_file)
    with pytest.raises(SettingsError, match=named) as problem:
        load_settings()
    assert f"in {env_file}" in str(problem.value)


def test_an_env_file_may_hold_settings_comments_and_what_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("# ENGAGEMENT_HOEM=x\nPOSTGRES_URL=x\nengagement_keep_loaded_days=3\n")
    monkeypatch.setitem(Settings.model_config, "env_file", env_file)
    assert load_settings().keep_loaded_days == 3


@pytest.mark.parametrize("folder", ["", "..", "archive", "archive/more", "tmp"])
def test_a_landing_folder_with_other_state_inside_or_around_it_is_an_error(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("ENGAGEMENT_HOME", str(home))
    monkeypatch.setenv("ENGAGEMENT_LANDING", str(home / folder))
    # The sealed files and the journal would be taken for landed files, moved and deleted.
    with pytest.raises(SettingsError, match=r"ENGAGEMENT_LANDING is .* with none of the other state"):
        load_settings()


@pytest.mark.parametrize("folder", ["landing", "drop/events", "../events", "../home-landing"])
def test_any_other_landing_folder_is_taken(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("ENGAGEMENT_HOME", str(home))
    monkeypatch.setenv("ENGAGEMENT_LANDING", str(home / folder))
    assert load_settings().landing == (home / folder).resolve()
