"""Runs the installed commands as a person would: another process, real files, exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENGAGEMENT = str(Path(sys.executable).with_name("engagement"))


def environment(home: Path, **settings: str) -> dict[str, str]:
    """An environment with this home and no other setting of the machine."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ENGAGEMENT_")}
    return clean | {"ENGAGEMENT_HOME": str(home), "ENGAGEMENT_QUIET_SECONDS": "0", **settings}


def engagement(
    home: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`engagement …`; the caller looks at `returncode`, `stdout` and `stderr`."""
    return subprocess.run(
        [ENGAGEMENT, *arguments],
        env=environment(home, **(settings or {})),
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )


def printed_json(home: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> Any:
    """What a command prints with `--json`; fails with its error text."""
    done = engagement(home, *arguments, "--json", settings=settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
