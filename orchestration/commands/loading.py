"""Commands over what is loaded: `load`, `rebuild`, `recover`, `status`.

Not here: the work (`runs.py`, `recovery.py`, `status.py`) and how it is shown (`printing.py`).
"""

import sys
from datetime import UTC, datetime

import click

from orchestration.printing import print_json, print_load, print_status, say
from orchestration.settings import load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the accounting as JSON.")
def load(as_json: bool) -> None:
    """One micro-batch now: every complete pending file is sealed, loaded, built, tested and published.

    Exit code 1 when a file was refused or the run failed; all other files are loaded all the same.

    \b
    Example:  engagement load
    """
    settings = load_settings()
    from orchestration.runs import run_micro_batch

    summary = run_micro_batch(settings, say)
    if as_json:
        print_json(summary)
    else:
        print_load(summary)
    if summary["refused"]:
        sys.exit(1)


@click.command()
def rebuild() -> None:
    """Builds every model anew from raw events and publishes.

    \b
    Example:  engagement rebuild
    """
    settings = load_settings()
    from orchestration.runs import run_micro_batch

    summary = run_micro_batch(settings, say, full_refresh=True)
    click.echo(f"Published {summary['publication']['id']}, newest event {summary['publication']['as_of']}")


@click.command()
def recover() -> None:
    """Rebuilds the warehouse from the archive, then builds and publishes; wipes temporary files.

    For a warehouse that was deleted or can't be opened. The old file is set aside, not deleted.

    \b
    Example:  engagement recover
    """
    settings = load_settings()
    from orchestration.recovery import recover as replay
    from orchestration.runs import run_micro_batch

    recovery = replay(settings, say)
    click.echo(f"Replayed {recovery.batch_count:,} batches: {recovery.accepted_count:,} events accepted")
    if recovery.set_aside:
        click.echo(f"The old warehouse is in {recovery.set_aside}; delete it when you no longer need it")
    summary = run_micro_batch(settings, say, full_refresh=True)
    click.echo(f"Published {summary['publication']['id']}, newest event {summary['publication']['as_of']}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """The publication and its age, the last batches, accounting, rejects by reason, disk use.

    \b
    Example:  engagement status --json
    """
    settings = load_settings()
    from orchestration.status import state_of

    state = state_of(settings, datetime.now(UTC))
    if as_json:
        print_json(state)
        return
    print_status(state)
