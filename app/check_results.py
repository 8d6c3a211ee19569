"""The last run of the quality suite, as it left it in `quality/results.json`.

Not here: what is checked (`orchestration/quality.py` writes the file), Streamlit.
"""

import json
from pathlib import Path
from typing import Any


def last_checks(folder: Path) -> dict[str, Any] | None:
    """`checked_at`, `looked_at` and the `checks`; None before the first run or when it can't be read."""
    try:
        found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        wanted = {"checked_at": str, "looked_at": str, "checks": list}
        return {name: kind(found[name]) for name, kind in wanted.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None
