"""The folders and files an installation needs before its first step; safe to make again and again.

Not here: their names (`settings.py`) and what is written into them.
"""

import shutil
from datetime import UTC, datetime

from orchestration.privacy import Keyring
from orchestration.settings import PROJECT_ROOT, Settings


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
    settings.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    Keyring(settings.secrets, datetime.now(UTC))
    # Dagster reads it from its home; the one at the root is the one that is edited.
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", settings.dagster_home / "dagster.yaml")
