"""Commands that read the current publication (`metrics`, `export`, `report`, `sql`), and `access`: who may.

None of them opens the warehouse, so none waits for a load. Not here: queries and figures (`app`).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from orchestration.printing import print_json, print_metric_rows, print_metrics, print_table
from orchestration.settings import load_settings

if TYPE_CHECKING:
    from app.selection import Comparing

_DAY: Final = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.option("--from", "date_from", type=_DAY, help="First day, of the reporting zone.")
@click.option("--to", "date_to", type=_DAY, help="Last day, inclusive.")
@click.option("--capsule", "capsules", multiple=True, metavar="ID", help="Only this capsule; repeatable.")
@click.option(
    "--by", multiple=True, help="A row per day, week, month, hour, capsule, channel, …; repeatable."
)
@click.option(
    "--compare",
    metavar="previous|year|none|DAY",
    help="With the period before (the default of totals), the same days one year before, or as many "
    "days from DAY on.",
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
    from app.scope import EVERYTHING
    from app.selection import Selection

    checked_metrics(chosen)
    publication = current_publication(settings.published, EVERYTHING)
    first, last = _days_of(date_from, date_to, publication.last_event_date)
    selection = Selection(first, last, capsules, _parsed_filters(filters), bots)  # type: ignore[arg-type]
    check_known(publication, selection)
    report = metrics_report(publication, selection, by, _comparing(compare))
    if as_json:
        print_json(report)
    elif by:
        print_metric_rows(report, by, chosen)
    else:
        print_metrics(report)


@click.command("custom-events")
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
    from app.scope import EVERYTHING
    from app.selection import Selection

    if property_name and not name:
        raise click.UsageError("--property needs the event it belongs to: add --name EVENT")
    publication = current_publication(settings.published, EVERYTHING)
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


def _comparing(text: str | None) -> "Comparing | None":
    if text is None or text in ("previous", "year", "none"):
        return text  # type: ignore[return-value]
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"--compare takes previous, year, none or a first day such as 2026-01-31, not {text!r}"
        ) from None


def _parsed_filters(filters: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in filters:
        dimension, sign, value = text.partition("=")
        if not sign or not dimension.strip():
            raise click.UsageError(f"--filter takes dim=value, such as channel=search, not {text!r}")
        found[dimension.strip()] = (*found.get(dimension.strip(), ()), value.strip())
    return found


@click.command()
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
    from app.known_values import check_capsules
    from app.publications import current_publication
    from app.queries import check_table, table_reader
    from app.scope import EVERYTHING

    if date_from and date_to and date_from > date_to:
        raise click.UsageError(
            f"The range begins on {date_from.date()}, after its end on {date_to.date()}: swap them."
        )
    publication = current_publication(settings.published, EVERYTHING)
    check_table(publication, table)
    check_capsules(publication, capsules, table)
    if not out.parent.is_dir():
        raise click.UsageError(f"The folder {out.parent} does not exist; create it or choose another --out")
    with table_reader(publication, table, _date_of(date_from), _date_of(date_to), capsules) as reader:
        count = write_export(reader, out, export_format)  # type: ignore[arg-type]
    click.echo(f"Wrote {count:,} rows of {table} to {out}")


@click.command()
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
    from app.known_values import check_known
    from app.publications import current_publication
    from app.scope import EVERYTHING
    from app.selection import Selection
    from orchestration.reports import write_report

    selection = Selection(date_from.date(), date_to.date(), capsules)
    publication = current_publication(settings.published, EVERYTHING)
    check_known(publication, selection)
    if not out.parent.is_dir():
        raise click.UsageError(f"The folder {out.parent} does not exist; create it or choose another --out")
    write_report(publication, selection, out, datetime.now(UTC))
    click.echo(f"Wrote {out}")


def _date_of(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


@click.command()
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
    from app.scope import EVERYTHING

    rows = run_query(current_publication(settings.published, EVERYTHING), query)
    if as_json:
        print_json(rows)
    else:
        print_table(rows)


@click.command()
@click.option("--email", help="Only what this address sees.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def access(email: str | None, as_json: bool) -> None:
    """Who may read the dashboard, as `access.yml` in the state folder says; names what is wrong in it.

    \b
    Example:  engagement access --email ada@example.org
    """
    settings = load_settings()
    from app.access import FILE_NAME, AccessError, read_access
    from app.scope import Scope

    def row(who: str, scope: Scope | None) -> dict[str, object]:
        capsules = None if scope is None or scope.capsules is None else sorted(scope.capsules)
        return {"who": who, "role": scope.role if scope else None, "capsules": capsules}

    try:
        rules = read_access(settings.home / FILE_NAME)
    except AccessError as error:
        raise click.ClickException(str(error)) from error
    everybody = {**rules.people, **rules.domains}
    asked = {email: rules.scope_of(email)} if email else everybody
    rows = [row(who, scope) for who, scope in asked.items()]
    if as_json:
        print_json(rows)
        return
    for who, scope in asked.items():
        seen = (
            "all capsules" if scope is None or scope.capsules is None else ", ".join(sorted(scope.capsules))
        )
        click.echo(f"{who}: {scope.role}, {seen}" if scope else f"{who}: not on the list, sees nothing")
