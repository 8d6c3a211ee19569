"""Starts the job `micro_batch` from the command line: the job the sensor starts, in this process.

Not here: what the job does (`assets.py`).
"""

import os
import re
import warnings
from collections.abc import Callable
from typing import Any, Final

from orchestration.micro_batch import (
    LoadSummary,
    delete_old_originals,
    is_behind,
    wait_until_quiet,
)
from orchestration.publication import current_manifest
from orchestration.settings import Settings
from orchestration.shortage import shortage_in, shortages_named
from orchestration.state_folder import create_state_folders

Say = Callable[[str], None]

_OWN_WORDS: Final = re.compile(r"(?:The disk is full|There is too little memory).*engagement load", re.DOTALL)

# Dagster puts the class before what it says; of one of ours the words say enough.
_CLASS_OF_OURS: Final = re.compile(r"^orchestration\.[\w.]+: ")

# Checks that hold the rows against the counts of their files.
_OF_THE_ACCOUNTING: Final = ("accounting_adds_up", "assert_rejects_match_the_accounting")


class RunFailed(RuntimeError):
    """The job failed; the text says which step, why, and that readers stay on the last publication."""


def run_micro_batch(settings: Settings, say: Say, *, full_refresh: bool = False) -> dict[str, Any]:
    """Loads, builds, tests and publishes; returns the load's accounting and the publication.

    Does nothing when no file waits and the publication holds everything that was loaded.
    Raises `RunFailed`, `LandingMissing`.
    """
    create_state_folders(settings, but_landing=True)
    view = wait_until_quiet(settings, say)
    delete_old_originals(settings)
    if not view.complete and not full_refresh and not is_behind(settings):
        idle = LoadSummary(growing=[file.name for file in view.growing], ignored=view.ignored)
        return {**idle.as_json(), "is_new": False, "publication": _published(settings)}
    os.environ |= settings.environment()
    say("Starting the job micro_batch …")
    summary = _execute(settings, full_refresh, say)
    return {**summary, "is_new": True, "publication": _published(settings)}


def end_dead_runs_at_start(settings: Settings) -> int:
    """Ends what a killed orchestrator left unfinished; for its next start, when nothing of it lives."""
    if not (settings.dagster_home / "history").exists():
        return 0
    os.environ |= settings.environment()
    import dagster as dg

    from orchestration.run_history import end_dead_runs

    with dg.DagsterInstance.get() as instance:
        return end_dead_runs(instance, settings, is_first_start=True)


def _execute(settings: Settings, full_refresh: bool, say: Say) -> dict[str, Any]:
    # Dagster and dbt take five seconds to import, which other commands should not wait for.
    warnings.simplefilter("ignore")
    import dagster as dg

    from orchestration.assets import Warehouse
    from orchestration.definitions import defs

    tags = {"engagement/full_refresh": "true"} if full_refresh else {}
    job = defs.resolve_job_def("micro_batch")
    # Dagster keeps its own records on the same disk.
    with shortages_named("the run", settings.home), dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            tags=tags,
            raise_on_error=False,
            resources={"warehouse": Warehouse(is_talking=True)},
            # The log is kept for the Dagster UI; a person reads the few lines of `Warehouse.say`.
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    if not result.success:
        step, why = _why(result)
        if shortage := shortage_in(why, f"the step {step}", settings.home):
            # What raised it in one of our own steps says more than its bare text.
            why = _OWN_WORDS.findall(why)[0] if _OWN_WORDS.search(why) else str(shortage)
            raise RunFailed(f"The run {result.run_id[:8]} failed: {why}")
        raise RunFailed(
            f"The run {result.run_id[:8]} failed: {step}: {why.rstrip('.')}. What was loaded is kept; "
            f"readers stay on the last publication. {_next_step(why)}".strip()
        )
    if not result.asset_materializations_for_node("publication"):
        raise RunFailed(
            f"The run {result.run_id[:8]} published nothing. What was loaded is kept; readers stay on the "
            "last publication. Please report it, then: engagement rebuild"
        )
    for event in result.asset_materializations_for_node("raw_events"):
        if event.asset_key.path == ["raw", "events"]:
            return dict(event.metadata["summary"].value)  # type: ignore[arg-type]
    raise RunFailed(f"The run {result.run_id[:8]} loaded nothing")


def _next_step(why: str) -> str:
    if any(check in why for check in _OF_THE_ACCOUNTING):
        return (
            "Rows and counts of a file differ, as in a warehouse of an older version with bad lines of a "
            "catalogue. Make both anew from the archive: engagement recover"
        )
    # It says what to do already, and that builds and publishes by itself.
    return "" if "`engagement recover` rebuilds" in why else "Mend the cause, then: engagement load"


def _why(result: Any) -> tuple[str, str]:
    """The step that failed, and its reason."""
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            described = failure.user_failure_data and failure.user_failure_data.description
            error = failure.error.cause or failure.error
            return event.step_key, _CLASS_OF_OURS.sub("", (described or error.message).strip())
    return "job", "see `engagement up`, port 3000, for its log"


def _published(settings: Settings) -> dict[str, Any] | None:
    manifest = current_manifest(settings.published)
    if manifest is None:
        return None
    return {"id": manifest.id, "published_at": manifest.published_at, "as_of": manifest.as_of}
