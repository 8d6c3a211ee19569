"""The folders and files an installation needs before its first step; safe to make again and again.

Not here: their names (`settings.py`) and what is written into them.
"""

import shutil
from datetime import UTC, datetime
from typing import Final

from orchestration.privacy import Keyring
from orchestration.settings import PROJECT_ROOT, Settings

_KEY_BYTES: Final = 32


class IdentityKeyMissing(RuntimeError):
    """Events are stored under a key that is gone; a new one would make strangers of all of them."""


def require_identity_key(settings: Settings) -> None:
    """Raises `IdentityKeyMissing` when there are events and the key they were stored under is not there."""
    key = settings.secrets / "identity.key"
    is_whole = key.exists() and key.stat().st_size == _KEY_BYTES
    has_events = settings.warehouse_file.exists() or any(settings.archive.glob("*.parquet"))
    if not is_whole and (key.exists() or has_events):
        raise IdentityKeyMissing(
            f"The key {key} is {'damaged' if key.exists() else 'missing'}, and events are stored under it: "
            "with another one, events that are sent again would be counted again and every visitor be new. "
            f"Restore {settings.secrets} from a backup. Only to begin anew: move {settings.archive} and "
            f"{settings.warehouse_file.parent} away too."
        )


def destroy_old_salts(settings: Settings) -> None:
    """Daily salts older than 48 hours go, whether anything is loaded or not."""
    if (settings.secrets / "identity.key").exists():
        Keyring(settings.secrets, datetime.now(UTC)).destroy_old_salts()


def create_state_folders(settings: Settings, *, but_landing: bool = False) -> None:
    """Creates the state folder, the secrets (readable by the owner only) and Dagster's home.

    `but_landing`: a configured landing folder that is missing is an error to report, not to paper over.
    """
    landing = [settings.landing, settings.landing / "catalog"]
    if but_landing and settings.landing != settings.home / "landing":
        landing = []
    for folder in (
        *landing,
        settings.archive,
        settings.warehouse_file.parent,
        settings.published,
        settings.exports,
        settings.dagster_home,
        settings.tmp,
    ):
        folder.mkdir(parents=True, exist_ok=True)
    require_identity_key(settings)
    settings.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    Keyring(settings.secrets, datetime.now(UTC))
    # Dagster reads it from its home; the one at the root is the one that is edited.
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", settings.dagster_home / "dagster.yaml")
