"""Every setting of Engagement Metrics, typed, in one frozen object.

Why it exists: one place that knows names, defaults, ranges and the folders that follow from them.
Not here: reading files other than `.env`, creating folders (`state_folder.py`), or any other logic.

A path given in the environment is relative to the current folder; a default, or a path in `.env`, is
relative to the project's root, so that every command means the same folder wherever it is typed.
"""

import difflib
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration.limits import DEFAULT_LIMITS, Limits

# What the product itself tells its child processes (`profiles.yml` reads it).
_OWN_VARIABLES: Final = frozenset({"ENGAGEMENT_WAREHOUSE", "ENGAGEMENT_TMP"})
PROJECT_ROOT: Final = Path(__file__).resolve().parent.parent
ENVIRONMENT_PREFIX: Final = "ENGAGEMENT_"


# What lies in the home beside the landing folder.
_STATE_FOLDERS: Final = frozenset(
    "archive dagster exports logs published quality receipts secrets tmp warehouse".split()
)


def _holds_state(landing: Path, home: Path) -> bool:
    if home.is_relative_to(landing):
        return True
    return landing.is_relative_to(home) and landing.relative_to(home).parts[0] in _STATE_FOLDERS


class SettingsError(ValueError):
    """A setting cannot be used; the text names it, its value, what is allowed and the next step."""


class Settings(BaseSettings):
    """The settings; each field is the environment variable `ENGAGEMENT_<FIELD IN CAPITALS>`."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_file=PROJECT_ROOT / ".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    home: Annotated[Path, Field(description="a folder for all state, its path without the signs * ? [")] = (
        Path("data")
    )
    landing: Annotated[
        Path,
        Field(
            default_factory=lambda validated: validated["home"] / "landing",
            description="a folder event files are dropped in, with none of the other state in or around it",
        ),
    ]
    timezone: Annotated[str, Field(description="an IANA name such as Europe/Paris or UTC")] = "UTC"
    retention_months: Annotated[
        int, Field(ge=12, le=1200, description="a whole number of months, 12 or more")
    ] = 13
    keep_loaded_days: Annotated[
        int, Field(ge=0, le=3650, description="a whole number of days, 0 to 3650")
    ] = 7
    accept_any_age: Annotated[bool, Field(description="true or false")] = False
    quiet_seconds: Annotated[float, Field(ge=0, le=3600, description="a number of seconds, 0 to 3600")] = 2.0
    max_file_bytes: Annotated[int, Field(ge=1 << 20, description="a number of bytes, 1048576 or more")] = (
        DEFAULT_LIMITS.file_bytes
    )
    max_file_lines: Annotated[int, Field(ge=1, description="a number of lines, 1 or more")] = (
        DEFAULT_LIMITS.file_lines
    )
    max_line_bytes: Annotated[
        int, Field(ge=1 << 10, le=1 << 26, description="a number of bytes, 1024 to 67108864")
    ] = DEFAULT_LIMITS.line_bytes
    # What is parsed is also written again, to be hashed, and that writer gives up above 254 levels.
    max_nesting: Annotated[int, Field(ge=2, le=250, description="a number of levels, 2 to 250")] = (
        DEFAULT_LIMITS.nesting
    )
    max_keys: Annotated[int, Field(ge=10, description="a number of keys, 10 or more")] = DEFAULT_LIMITS.keys
    dashboard_address: Annotated[
        str, Field(description="an address of this machine, such as 127.0.0.1 or 0.0.0.0")
    ] = "127.0.0.1"
    open_to_all: Annotated[bool, Field(description="true or false")] = False
    dashboard_port: Annotated[int, Field(ge=1, le=65535, description="a port number, 1 to 65535")] = 8501
    orchestrator_port: Annotated[int, Field(ge=1, le=65535, description="a port number, 1 to 65535")] = 3000

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone")
        return value

    @field_validator("dashboard_address")
    @classmethod
    def _address_is_plain(cls, value: str) -> str:
        if value != "localhost":
            ipaddress.ip_address(value)
        return value

    @field_validator("home", "landing")
    @classmethod
    def _path_is_absolute(cls, value: Path, info: Any) -> Path:
        name = f"{ENVIRONMENT_PREFIX}{info.field_name}".upper()
        base = Path.cwd() if os.environ.get(name) == str(value) else PROJECT_ROOT
        path = (base / value.expanduser()).resolve()
        if info.field_name == "home":
            if path.exists() and not path.is_dir():
                raise ValueError("not a folder")
            if set("*?[") & set(str(path)):
                # Dagster takes the path of its configuration for a pattern and would go on without it.
                raise ValueError("looks like a pattern")
        elif (home := info.data.get("home")) is not None and _holds_state(path, home):
            # The archive would be taken for landed files, and deleted after their days.
            raise ValueError("not apart from the state")
        return path

    @property
    def limits(self) -> Limits:
        """What a landed file and a line may be at most."""
        return Limits(
            file_bytes=self.max_file_bytes,
            file_lines=self.max_file_lines,
            line_bytes=self.max_line_bytes,
            nesting=self.max_nesting,
            keys=self.max_keys,
        )

    @property
    def archive(self) -> Path:
        """Sealed files: reduced, typed events and rejects, one Parquet file a content hash."""
        return self.home / "archive"

    @property
    def warehouse_file(self) -> Path:
        """The DuckDB file that one writer at a time opens."""
        return self.home / "warehouse" / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """Publications, and `CURRENT` that names the one to read."""
        return self.home / "published"

    @property
    def exports(self) -> Path:
        """Report files written on a schedule."""
        return self.home / "exports"

    @property
    def receipts(self) -> Path:
        """What was erased on request: counts, and nothing of the person."""
        return self.home / "receipts"

    @property
    def quality(self) -> Path:
        """Results of the quality suite over raw batches: `results.json` and the pages `data_docs/`."""
        return self.home / "quality"

    @property
    def dagster_home(self) -> Path:
        """Dagster's run storage, logs and artifacts."""
        return self.home / "dagster"

    @property
    def secrets(self) -> Path:
        """Keys and daily salts, readable by the owner only."""
        return self.home / "secrets"

    @property
    def tmp(self) -> Path:
        """Spill files and unfinished work; wiped when a writer starts."""
        return self.home / "tmp"

    def environment(self) -> dict[str, str]:
        """These settings as environment variables with absolute paths, for child processes."""
        values = {
            f"{ENVIRONMENT_PREFIX}{name.upper()}": str(value) for name, value in self.model_dump().items()
        }
        return values | {
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "true",
            "ENGAGEMENT_WAREHOUSE": str(self.warehouse_file),
        }


def load_settings(**overrides: Any) -> Settings:
    """Reads the settings from the environment and `.env`.

    Raises `SettingsError` that names the variable, the value it has and what is allowed; also for a
    variable of the environment or of `.env` that is no setting, because a mistyped limit is no limit.
    """
    _check_names(os.environ, "the environment")
    env_file = Settings.model_config.get("env_file")
    if isinstance(env_file, Path) and env_file.is_file():
        _check_names(dotenv_values(env_file, encoding="utf-8"), str(env_file))
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problem = error.errors()[0]
        field = str(problem["loc"][0])
        allowed = Settings.model_fields[field].description
        raise SettingsError(
            f"{ENVIRONMENT_PREFIX}{field.upper()} is {str(problem['input'])!r}, but must be {allowed}. "
            "Change it in the environment or in .env, then try again."
        ) from error


def _check_names(variables: Iterable[str], place: str) -> None:
    settings = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in sorted(variables):
        # Small letters are read, too.
        spelt = name.upper()
        if spelt in settings | _OWN_VARIABLES:
            continue
        # A typo may be in the prefix itself; other programs may have variables of their own here.
        if spelt.startswith(ENVIRONMENT_PREFIX) or difflib.get_close_matches(spelt, settings, 1, 0.9):
            nearest = difflib.get_close_matches(spelt, settings, 1, 0)[0]
            raise SettingsError(
                f"{name} is no setting. The nearest is {nearest}. Rename or remove it in {place}, then try "
                "again."
            )
