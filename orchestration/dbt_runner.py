"""Runs dbt inside this process.

Why it exists: as a child process dbt costs 7–9 s a run, in process 2–3.5 s (26 models, 37 tests, two cores);
and the warehouse stays under this process's writer lock. Pure of Dagster: events go to a callback.
Not here: what the models are (`models/`), how Dagster shows them (`assets.py`).
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestration.model_builds import (
    fingerprint_of,
    forget_build,
    last_good_build,
    record_build,
    touched_tables,
)
from orchestration.seed_files import seeds_not_utf8, unreadable_seeds
from orchestration.seed_mistakes import seed_mistake
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse import open_warehouse, writer_lock

MANIFEST_FILE: Final = PROJECT_ROOT / "dbt_project" / "target" / "manifest.json"
_SOURCES_OF_THE_MANIFEST: Final = ("models", "seeds", "dbt_project/macros", "dbt_project/tests")

OnEvent = Callable[[Any], None]

_FULL: Final = ["--full-refresh"]
# Seeds and views are what they were, or the fingerprint would have changed. What a batch can break are keys
# and sums, which are asked of the touched rows; what a row says of itself is asked of all rows at night.
_ASKED_AT_NIGHT: Final = frozenset(
    ("not_null", "accepted_values", "accepted_range", "expression_is_true", "relationships", "not_in_future")
)
_BATCH: Final = [
    "--exclude",
    "resource_type:seed",
    "config.materialized:view",
    *(f"test_name:{name}" for name in sorted(_ASKED_AT_NIGHT)),
    "--indirect-selection",
    "cautious",
]
_FAILED: Final = ("error", "fail", "runtime error", "partial success")


class DbtFailed(RuntimeError):
    """dbt ran and something failed, or it ran nothing; the text names the nodes."""


@dataclass(frozen=True, slots=True)
class DbtOutcome:
    """`node_count`: models, seeds and tests that ran; `failures`: unique id → message.

    `is_good`: nothing failed or was skipped, so the models hold every batch. `node_seconds`: by name.
    """

    node_count: int
    failures: dict[str, str]
    seconds: float
    is_full_refresh: bool
    is_good: bool
    node_seconds: dict[str, float]

    @property
    def failures_text(self) -> str:
        """What failed and why, in one line; a mistake in a seed says by itself where it is."""
        return "; ".join(
            why if why.startswith("seeds/") else f"{node.split('.')[2]}: {why}"
            for node, why in self.failures.items()
        )


def build(
    settings: Settings,
    on_event: OnEvent = lambda event: None,
    *,
    full_refresh: bool = False,
    with_unit_tests: bool = False,
) -> DbtOutcome:
    """`dbt build` of what the batches since the last good build touched, under the writer lock.

    Everything is built anew when asked for, the first time, and when a model, seed, macro or variable
    changed. Zero nodes is a failure: a build that did nothing must not look like one that passed. Raises
    `DbtFailed` for that, and for a seed that can't be read.
    `with_unit_tests`: they hold the rules on rows of their own, so they belong to `make test`.
    """
    with writer_lock(settings):
        manifest = _parsed(settings)
        fingerprint = fingerprint_of(manifest, settings.timezone)
        with open_warehouse(settings) as connection:
            last = last_good_build(connection)
            is_full = full_refresh or last is None or last.fingerprint != fingerprint
            if is_full:
                # Before anything is forgotten: the models stay what they are until the file can be read.
                if unreadable := unreadable_seeds(PROJECT_ROOT, manifest.nodes):
                    raise DbtFailed(unreadable)
                forget_build(connection)
        arguments = ["build", *(_FULL if is_full else _BATCH)]
        if not with_unit_tests:
            arguments += ["--exclude-resource-type", "unit_test"]
        outcome = _outcome(_invoke(arguments, settings, on_event, manifest), is_full, manifest.nodes)
        if outcome.is_good:
            with open_warehouse(settings) as connection:
                record_build(connection, fingerprint, touched_tables(manifest), datetime.now(UTC))
    return outcome


def ask_every_test(settings: Settings) -> DbtOutcome:
    """Every test of dbt over all rows; the caller holds the writer lock and has built the models."""
    found = _invoke(["test", "--exclude-resource-type", "unit_test"], settings, lambda event: None)
    return _outcome(found, is_full=False)


def _parsed(settings: Settings) -> Any:
    outcome = _invoke(["parse"], settings, lambda event: None)
    if not outcome.success:
        raise DbtFailed(_why_not_parsed(outcome))
    return outcome.result


def _why_not_parsed(outcome: Any) -> str:
    why = seeds_not_utf8(PROJECT_ROOT) or f"dbt can't parse the project: {_first_line(outcome.exception)}"
    return f"{why}. Readers stay on the last publication. Mend it, then: engagement load"


def _outcome(found: Any, is_full: bool, nodes: Mapping[str, Any] | None = None) -> DbtOutcome:
    results = list(getattr(found.result, "results", None) or [])
    if not results:
        raise DbtFailed(f"dbt ran no model: {_first_line(found.exception) or 'nothing was selected'}")
    return DbtOutcome(
        node_count=len(results),
        failures={
            result.node.unique_id: seed_mistake(PROJECT_ROOT, result.node, nodes or {})
            or _first_line(result.message)
            or str(result.status)
            for result in results
            if str(result.status) in _FAILED
        },
        seconds=float(getattr(found.result, "elapsed_time", 0.0)),
        is_full_refresh=is_full,
        is_good=all(str(result.status) not in (*_FAILED, "skipped") for result in results),
        node_seconds={result.node.name: float(result.execution_time) for result in results},
    )


def generate_docs(settings: Settings) -> Path:
    """dbt's documentation as one page; the caller holds the writer lock and has built the models."""
    outcome = _invoke(["docs", "generate", "--static"], settings, lambda event: None)
    if not outcome.success:
        raise DbtFailed(f"dbt can't write its documentation: {_first_line(outcome.exception)}")
    return settings.home / "dbt" / "static_index.html"


@dataclass(frozen=True, slots=True)
class SourceAge:
    """How old the newest row of a raw table is. `status`: pass, warn or error, by the source's yml."""

    table: str
    status: str
    age_seconds: float


def source_freshness(settings: Settings) -> list[SourceAge]:
    """`dbt source freshness` over the warehouse; the caller holds the writer lock.

    A table without a row has no age and is left out: nothing is late where nothing was ever sent.
    """
    output = settings.home / "dbt" / "sources.json"
    outcome = _invoke(["source", "freshness", "--output", str(output)], settings, lambda event: None)
    results = list(getattr(outcome.result, "results", None) or [])
    if not results:
        raise DbtFailed(f"dbt measured no source: {_first_line(outcome.exception) or 'none has thresholds'}")
    for result in results:
        if str(result.status) == "runtime error":
            raise DbtFailed(f"dbt can't measure {result.node.name}: {_first_line(result.message)}")
    return [
        SourceAge(result.node.name, str(result.status), float(result.age))
        for result in results
        # dbt gives a table without a row the year 1.
        if result.max_loaded_at.year > 1
    ]


def parse_when_stale() -> Path:
    """The project's manifest, parsed anew when a model, seed, macro or test is newer than it."""
    if not MANIFEST_FILE.exists() or MANIFEST_FILE.stat().st_mtime < newest_source():
        outcome = _invoke(["parse"], None, lambda event: None)
        if not outcome.success:
            raise DbtFailed(_why_not_parsed(outcome))
        MANIFEST_FILE.touch()
    return MANIFEST_FILE


def newest_source() -> float:
    """When a model, seed, macro or test was last written to, as seconds since 1970."""
    files = [PROJECT_ROOT / "dbt_project.yml", PROJECT_ROOT / "profiles.yml"]
    for folder in _SOURCES_OF_THE_MANIFEST:
        files.extend(path for path in (PROJECT_ROOT / folder).rglob("*") if path.is_file())
    return max(path.stat().st_mtime for path in files)


def _invoke(arguments: list[str], settings: Settings | None, on_event: OnEvent, manifest: Any = None) -> Any:
    # Importing dbt takes about a second, which commands that only read should not wait for.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    target, logs = MANIFEST_FILE.parent, MANIFEST_FILE.parent
    if settings:
        # Of its own for every home, so that two installations of one checkout don't overwrite each other.
        target, logs = settings.home / "dbt", settings.home / "logs"
        # In every call the same, or dbt parses the whole project anew: ten seconds instead of one.
        arguments = [*arguments, "--vars", json.dumps({"reporting_timezone": settings.timezone})]
        os.environ |= {
            "ENGAGEMENT_WAREHOUSE": str(settings.warehouse_file),
            "ENGAGEMENT_TMP": str(settings.tmp),
        }
    try:
        return dbtRunner(manifest=manifest, callbacks=[on_event]).invoke(
            [
                # What goes wrong comes back in the outcome; on the console it would mix with results.
                "--log-level",
                "none",
                "--no-use-colors",
                "--no-send-anonymous-usage-stats",
                "--log-path",
                str(logs),
                *arguments,
                "--target-path",
                str(target),
                "--project-dir",
                str(PROJECT_ROOT),
                "--profiles-dir",
                str(PROJECT_ROOT),
            ]
        )
    finally:
        # Otherwise this process keeps the file open and every other writer is refused.
        environment = DuckDBConnectionManager._ENV
        if environment is not None:
            environment.close()
        DuckDBConnectionManager.close_all_connections()


def _first_line(message: Any) -> str:
    lines = [line.strip() for line in str(message or "").splitlines() if line.strip()]
    return " ".join(lines[:3])[:500]
