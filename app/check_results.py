"""The last run of the quality suite, as it left it in `quality/results.json`.

Not here: what is checked (`orchestration/quality.py` writes the file), Streamlit.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from app.format import number_text, rate_text


def last_checks(folder: Path) -> dict[str, Any] | None:
    """`checked_at`, `looked_at` and the `checks`; None before the first run or when it can't be read."""
    try:
        found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        wanted = {"checked_at": str, "looked_at": str, "checks": list}
        return {name: kind(found[name]) for name, kind in wanted.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None


VERDICTS: Final = {True: "holds", False: "does not hold", None: "too few lines to tell"}


def check_rows(checks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Checks as a reader sees them, those that do not hold first; shares in the direction of the sentence."""
    worst_first = sorted(checks, key=lambda one: (one["passed"] is not False, one["passed"] is None))
    return [
        {
            "Result": VERDICTS[one["passed"]],
            "What is expected": one["sentence"],
            "Found": _found_text(one),
            "Lines": one["line_count"],
        }
        for one in worst_first
    ]


def check_numbers(folder: Path) -> list[dict[str, Any]]:
    """Every check as it was stored, for a file: `found` is a fraction, or how many times the usual volume."""
    checks = last_checks(folder)
    if checks is None:
        return []
    return [
        {
            "check": one["name"],
            "what_is_expected": one["sentence"],
            "result": VERDICTS[one["passed"]],
            "found": one.get("stated", one["found"]),
            "line_count": one["line_count"],
            "checked_at": checks["checked_at"],
        }
        for one in checks["checks"]
    ]


def _found_text(one: Mapping[str, Any]) -> str:
    # Results of an older release know only the share that holds.
    stated = one.get("stated", one["found"])
    if stated is not None and one["name"] == "day_volume_is_usual":
        return f"{number_text(stated)} times"
    return rate_text(stated)
