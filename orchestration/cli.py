"""The `engagement` command.

Why it exists: every task of an operator and every question of an analyst without a browser. Commands parse
words, call one function and print; progress goes to stderr, so that stdout can be piped.
Exit codes: 0 done, 1 failed, 2 wrong usage or setting.
Not here: what the commands do. Imports inside the commands keep the others from waiting for Dagster.
"""

import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from orchestration.printing import (
    print_json,
    print_load,
    print_metric_rows,
    print_metrics,
    print_status,
    print_table,
    say,
)
from orchestration.settings import Settings, SettingsError, load_settings
from orchestration.shortage import shortage_in

# Begins with a dot, so that nothing in it is ever read.
_SAMPLE_DRAFT: Final = ".sample"
_DAY: Final = click.DateTime(formats=["%Y-%m-%d"])


class _Group(click.Group):
    """Turns expected failures into one clear sentence and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except BrokenPipeError:
            # Whoever read the output, such as `head`, has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None
        except SettingsError as error:
            raise click.UsageError(str(error)) from error
        except Exception as error:
            if type(error).__name__ in _WRONG_USAGE:
                raise click.UsageError(str(error)) from error
            if type(error).__name__ in _EXPECTED:
                raise click.ClickException(str(error)) from error
            if shortage := shortage_in(error, "this command", load_settings().home):
                raise click.ClickException(str(shortage)) from error
            if isinstance(error, OSError):
                raise click.ClickException(str(error)) from error
            raise click.ClickException(_unexpected(error)) from error


# By name: importing the modules that define them would make every command wait.
_WRONG_USAGE: Final = frozenset({"SelectionError", "SampleError"})
_EXPECTED: Final = frozenset(
    {
        "DbtFailed",
        "DiskFull",
        "ExportTooLarge",
        "IdentityKeyMissing",
        "JournalDamaged",
        "LandingMissing",
        "MemoryShort",
        "PublicationMissing",
        "QueryRefused",
        "RecoveryRefused",
        "RunFailed",
        "ServiceFailed",
        "WarehouseBusy",
        "WarehouseDamaged",
    }
)


def _unexpected(error: Exception) -> str:
    log = load_settings().home / "logs" / "errors.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat()}\n{traceback.format_exc()}\n")
    except OSError as problem:
        return f"Unexpected {type(error).__name__}: {error}. Its details can't be kept in {log}: {problem}"
    return f"Unexpected {type(error).__name__}. The details are in {log}; please report them."


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="engagement-metrics")
def main() -> None:
    """Measures capsules: who came, how deep the conversations went, what worked, what it earned."""


@main.command()
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


@main.command()
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


@main.command()
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


@main.command()
def rebuild() -> None:
    """Builds every model anew from raw events and publishes.

    \b
    Example:  engagement rebuild
    """
    settings = load_settings()
    from orchestration.runs import run_micro_batch

    summary = run_micro_batch(settings, say, full_refresh=True)
    click.echo(f"Published {summary['publication']['id']}, newest event {summary['publication']['as_of']}")


@main.command()
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


@main.command()
@click.option("--from", "date_from", type=_DAY, help="First day, of the reporting zone.")
@click.option("--to", "date_to", type=_DAY, help="Last day, inclusive.")
@click.option("--capsule", "capsules", multiple=True, metavar="ID", help="Only this capsule; repeatable.")
@click.option(
    "--by", multiple=True, help="A row per day, week, month, hour, capsule, channel, …; repeatable."
)
@click.option(
    "--compare",
    type=click.Choice(["previous", "year", "none"]),
    help="With the period before (the default of totals), or the same days one year before.",
)
@click.option("--filter", "filters", multiple=True, metavar="DIM=VALUE", help="channel=search; repeatable.")
@click.option("--bots", type=click.Choice(["exclude", "include", "only"]), default="exclude")
@click.option("--metric", "chosen", multiple=True, metavar="ID", help="Columns of rows as text; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def metrics(
    date_from: datetime | None,
    date_to: datetime | None,
    capsules: tuple[str, ...],
    by: tuple[str, ...],
    compare: str | None,
    filters: tuple[str, ...],
    bots: str,
    chosen: tuple[str, ...],
    as_json: bool,
) -> None:
    """Every metric of the registry for a range of days, by default the last 30.

    `change` is the percentage change against the earlier period, `change_points` the percentage points of a
    rate. Rows (--by) are compared when --compare is given, along every key but time.

    \b
    Example:  engagement metrics --from 2026-11-01 --to 2026-11-30 --by channel --json
    """
    settings = load_settings()
    from app.known_values import check_known
    from app.metric_reports import checked_metrics, metrics_report
    from app.publications import current_publication
    from app.selection import Selection

    checked_metrics(chosen)
    publication = current_publication(settings.published)
    first, last = _days_of(date_from, date_to, publication.last_event_date)
    selection = Selection(first, last, capsules, _parsed_filters(filters), bots)  # type: ignore[arg-type]
    check_known(publication, selection)
    report = metrics_report(publication, selection, by, compare)  # type: ignore[arg-type]
    if as_json:
        print_json(report)
    elif by:
        print_metric_rows(report, by, chosen)
    else:
        print_metrics(report)


@main.command("custom-events")
@click.option("--from", "date_from", type=_DAY, help="First day, of the reporting zone.")
@click.option("--to", "date_to", type=_DAY, help="Last day, inclusive.")
@click.option("--capsule", "capsules", multiple=True, metavar="ID", help="Only this capsule; repeatable.")
@click.option("--name", metavar="EVENT", help="The properties of this custom event.")
@click.option("--property", "property_name", metavar="NAME", help="The values of this property of --name.")
@click.option("--filter", "filters", multiple=True, metavar="DIM=VALUE", help="channel=search; repeatable.")
@click.option("--bots", type=click.Choice(["exclude", "include", "only"]), default="exclude")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def custom_events(
    date_from: datetime | None,
    date_to: datetime | None,
    capsules: tuple[str, ...],
    name: str | None,
    property_name: str | None,
    filters: tuple[str, ...],
    bots: str,
    as_json: bool,
) -> None:
    """Custom events by name; the properties of one with count, unique, sum, mean, median and p90.

    Days are those of the event, by default the last 30. Sums are over the values that are numbers.

    \b
    Example:  engagement custom-events
    Example:  engagement custom-events --name quiz_finished --property score --json
    """
    settings = load_settings()
    from app.custom_event_figures import custom_event_rows
    from app.known_values import check_known
    from app.publications import current_publication
    from app.selection import Selection

    if property_name and not name:
        raise click.UsageError("--property needs the event it belongs to: add --name EVENT")
    publication = current_publication(settings.published)
    first, last = _days_of(date_from, date_to, publication.last_event_date)
    selection = Selection(first, last, capsules, _parsed_filters(filters), bots)  # type: ignore[arg-type]
    check_known(publication, selection)
    rows = custom_event_rows(publication, selection, name, property_name)
    if as_json:
        print_json(rows)
    else:
        click.echo(f"{first} to {last} ({publication.timezone})")
        print_table(rows)


def _days_of(date_from: datetime | None, date_to: datetime | None, newest: date | None) -> tuple[date, date]:
    """The days asked for; without them 30 that end with the newest event's."""
    last = date_to.date() if date_to else newest or datetime.now(UTC).date()
    return (date_from.date() if date_from else last - timedelta(days=29)), last


def _parsed_filters(filters: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in filters:
        dimension, sign, value = text.partition("=")
        if not sign or not dimension.strip():
            raise click.UsageError(f"--filter takes dim=value, such as channel=search, not {text!r}")
        found[dimension.strip()] = (*found.get(dimension.strip(), ()), value.strip())
    return found


@main.command()
@click.argument("table")
@click.option("--from", "date_from", type=_DAY, help="First day, of the reporting zone.")
@click.option("--to", "date_to", type=_DAY, help="Last day, inclusive.")
@click.option("--capsule", "capsules", multiple=True, metavar="ID", help="Only this capsule; repeatable.")
@click.option(
    "--format", "export_format", type=click.Choice(["csv", "xlsx", "parquet", "json"]), default="csv"
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Target file.")
def export(
    table: str,
    date_from: datetime | None,
    date_to: datetime | None,
    capsules: tuple[str, ...],
    export_format: str,
    out: Path,
) -> None:
    """Writes a mart to a file: every row of the range, text that a spreadsheet would run made harmless.

    \b
    Example:  engagement export capsule_traffic_daily --from 2026-11-01 --to 2026-11-30 --out november.csv
    """
    settings = load_settings()
    from app.exports import write_export
    from app.publications import current_publication
    from app.queries import table_reader

    publication = current_publication(settings.published)
    if not out.parent.is_dir():
        raise click.UsageError(f"The folder {out.parent} does not exist; create it or choose another --out")
    with table_reader(publication, table, _date_of(date_from), _date_of(date_to), capsules) as reader:
        count = write_export(reader, out, export_format)  # type: ignore[arg-type]
    click.echo(f"Wrote {count:,} rows of {table} to {out}")


@main.command()
@click.option("--from", "date_from", type=_DAY, required=True, help="First day, of the reporting zone.")
@click.option("--to", "date_to", type=_DAY, required=True, help="Last day, inclusive.")
@click.option("--capsule", "capsules", multiple=True, metavar="ID", help="Only this capsule; repeatable.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Target file.")
def report(date_from: datetime, date_to: datetime, capsules: tuple[str, ...], out: Path) -> None:
    """Writes the figures of the dashboard as a PDF: every tab, every metric with its definition.

    \b
    Example:  engagement report --from 2026-11-01 --to 2026-11-30 --out november.pdf
    """
    settings = load_settings()
    from app.publications import current_publication
    from app.selection import Selection
    from orchestration.reports import write_report

    selection = Selection(date_from.date(), date_to.date(), capsules)
    publication = current_publication(settings.published)
    if not out.parent.is_dir():
        raise click.UsageError(f"The folder {out.parent} does not exist; create it or choose another --out")
    write_report(publication, selection, out, datetime.now(UTC))
    click.echo(f"Wrote {out}")


def _date_of(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


@main.command()
@click.argument("query")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def sql(query: str, as_json: bool) -> None:
    """A read-only query over the current publication (schema `marts`): no files, no network.

    \b
    Example:  engagement sql "select channel, count(*) from marts.fct_sessions group by all"
    """
    settings = load_settings()
    from app.free_query import run_query
    from app.publications import current_publication

    rows = run_query(current_publication(settings.published), query)
    if as_json:
        print_json(rows)
    else:
        print_table(rows)


@main.command()
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


if __name__ == "__main__":
    main()
