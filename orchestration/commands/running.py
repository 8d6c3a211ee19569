"""Commands that start something that goes on: `up`, and `sample`, which gives it something to do.

Not here: the processes (`services.py`) and the stream (`sample_events`).
"""

import shutil
import signal
import threading
from datetime import UTC, datetime
from typing import Any, Final

import click

from orchestration.printing import print_json, say
from orchestration.settings import Settings, load_settings

# Begins with a dot, so that nothing in it is ever read.
_SAMPLE_DRAFT: Final = ".sample"


@click.command()
@click.option("--sample-if-empty", is_flag=True, help="Write a sample stream when nothing ever landed.")
def up(sample_if_empty: bool) -> None:
    """Starts the orchestrator and the dashboard; Ctrl-C stops both.

    \b
    Example:  engagement up
    """
    from orchestration.runs import end_dead_runs_at_start
    from orchestration.services import only_one, run_services
    from orchestration.state_folder import create_state_folders

    settings = load_settings()
    create_state_folders(settings)
    if sample_if_empty and _nothing_ever_landed(settings):
        say("Nothing has ever landed here: writing a sample stream (a few seconds) …")
        _write_sample(settings, {})
    stop = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: stop.set())
    with only_one(settings):
        ended = end_dead_runs_at_start(settings)
        if ended:
            say(f"Ended {ended} runs whose process had died; their files are loaded now")
        run_services(settings, say, stop.is_set)


def _nothing_ever_landed(settings: Settings) -> bool:
    landed = (path for path in settings.landing.rglob("[!.]*") if path.is_file())
    return not any(_SAMPLE_DRAFT not in path.parts for path in landed) and not any(settings.archive.iterdir())


@click.command()
@click.option("--capsules", "capsule_count", type=int, help="How many capsules.")
@click.option("--days", "day_count", type=int, help="How many days, up to now.")
@click.option("--events-per-day", type=int, help="Events per capsule and day, on average.")
@click.option("--seed", type=int, help="Same seed, same stream.")
@click.option("--live", is_flag=True, help="Keep writing small files every few seconds until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def sample(live: bool, as_json: bool, **arguments: int | None) -> None:
    """Writes a deterministic sample stream to the landing folder, and its exact truth beside it.

    \b
    Example:  engagement sample --days 30 --seed 7
    Example:  engagement sample --live
    """
    from orchestration.state_folder import create_state_folders

    settings = load_settings()
    create_state_folders(settings)
    chosen = {name: value for name, value in arguments.items() if value is not None}
    if live:
        _sample_live(settings, chosen)
        return
    summary = _write_sample(settings, chosen)
    if as_json:
        print_json(summary)
        return
    click.echo(
        f"Wrote {summary['received_count']:,} lines in {summary['file_count']} files to "
        f"{summary['landing']}\nWhat they must add up to: {summary['truth_file']}\n"
        "Next: engagement load"
    )


def _write_sample(settings: Settings, arguments: dict[str, int]) -> dict[str, Any]:
    from dataclasses import asdict

    from orchestration.event_files import wipe_folder
    from orchestration.sample_events.stream import write_sample

    # Written aside and then moved, so that an interrupted one leaves nothing that looks like a sample.
    draft = settings.landing / _SAMPLE_DRAFT
    wipe_folder(draft)
    truth_file = settings.home / "sample.expected.json"
    summary = asdict(write_sample(draft, truth_file, now=datetime.now(UTC), **arguments))
    for path in sorted(path for path in draft.rglob("*") if path.is_file()):
        target = settings.landing / path.relative_to(draft)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    shutil.rmtree(draft)
    return summary | {"landing": settings.landing}


def _sample_live(settings: Settings, arguments: dict[str, int]) -> None:
    from orchestration.sample_events.live import write_live
    from orchestration.sample_events.stream import DEFAULT_CAPSULE_COUNT, DEFAULT_SEED

    stop = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: stop.set())
    say(f"Writing small files to {settings.landing}; Ctrl-C stops.")
    write_live(
        settings.landing,
        seed=arguments.get("seed", DEFAULT_SEED),
        stop=stop.is_set,
        capsule_count=arguments.get("capsule_count", DEFAULT_CAPSULE_COUNT),
        on_file=lambda path, count: say(f"{path.name}: {count} events"),
    )
