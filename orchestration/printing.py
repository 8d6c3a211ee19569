"""How the `engagement` command shows things: progress on stderr, results on stdout as text or JSON.

Not here: what is shown (`commands`).
"""

import json
import shutil
from collections.abc import Sequence
from typing import Any, Final

import click

from orchestration.line_accounting import COUNTED

_DAYS_SHOWN: Final = 14
_FILES_SHOWN: Final = 10
_GAPS_SHOWN: Final = 20
# What a click-through rate is of, in words.
_BASIS_WORDS: Final[dict[str | None, str]] = {
    "impressions": "of impressions",
    "sessions": "of sessions with a view",
    "mixed": "of impressions, or sessions with a view where a capsule sends none",
}


def say(text: str) -> None:
    """Progress, for the person who waits."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Any plain value, days and instants as ISO 8601."""
    from app.exports import plain_value

    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=plain_value))


def print_load(summary: dict[str, Any]) -> None:
    """The accounting of a load, and every file that was not loaded."""
    for name, sentence in summary["refused"].items():
        say(f"Refused {name}: {sentence}")
    for name in summary["repeated"]:
        say(f"{name} was loaded before; it adds nothing")
    for name in summary["ignored"]:
        say(f"Left alone: {name}")
    if summary["ignored"]:
        say("An event file is a regular file, no link, named .ndjson .jsonl .json .parquet, also .gz or .zst")
    for name in summary["growing"]:
        say(f"Still growing: {name} is loaded when nobody writes to it any more")
    if not summary["is_new"]:
        published = "every landed file is in the current publication"
        nothing = "no event file has landed, and nothing has been published yet"
        click.echo(f"Nothing to load: {published if summary['publication'] else nothing}.")
        return
    click.echo(
        f"Files {summary['files']}: received {summary['received']:,} = accepted {summary['accepted']:,}"
        f" + duplicate {summary['duplicate']:,} + rejected {summary['rejected']:,}"
        f" + suppressed {summary['suppressed']:,}"
    )
    for reason, count in summary["rejected_by_reason"].items():
        click.echo(f"  rejected {count:,}: {reason}")
    click.echo(f"Published {summary['publication']['id']}, newest event {summary['publication']['as_of']}")


def print_metrics(report: dict[str, Any]) -> None:
    """A line a metric: label, value, change; of a rate in points and in percent, from zero `new`."""
    from app.comparison import Change
    from app.format import money_text, value_text
    from app.metric_texts import both_changes
    from app.metrics import METRICS_BY_ID

    _print_period(report)
    for metric_id, figure in report["metrics"].items():
        metric = METRICS_BY_ID[metric_id]
        if metric_id == "revenue":
            figures = {f"{metric.label} {name}": (name, amount) for name, amount in figure.items()}
        else:
            figures = {metric.label: ("", figure)}
        for label, (currency, found) in figures.items():
            change = Change(
                found["value"], found["previous"], found["change"], found["change_points"],
                is_new=found["previous"] == 0 and bool(found["value"]),
            )  # fmt: skip
            value = change.value
            text = money_text(value, currency) if currency else value_text(value, metric.unit)
            line = f"{label:<44}{text:>16}  {both_changes(change, metric):<22}{_remark(found)}"
            click.echo(line.rstrip())


def _remark(figure: dict[str, Any]) -> str:
    """What belongs beside a rate: its 95 % interval, or what it is a rate of."""
    if figure.get("interval"):
        low, high = figure["interval"]
        few = ", too few visitors" if figure["is_too_few"] else ""
        return f"95% between {low * 100:.1f}% and {high * 100:.1f}%{few}"
    return _BASIS_WORDS.get(figure.get("ctr_basis"), "")


def _print_period(report: dict[str, Any]) -> None:
    click.echo(f"{report['from']} to {report['to']} ({report['timezone']})")
    compared = report.get("compared_with") or {"from": None, "reason": None}
    if compared["from"]:
        so_far = ", so far: up to the same hour" if compared["is_so_far"] else ""
        click.echo(f"compared with {compared['from']} to {compared['to']}{so_far}")
    elif compared["reason"]:
        click.echo(compared["reason"])


def print_metric_rows(report: dict[str, Any], keys: Sequence[str], chosen: Sequence[str] = ()) -> None:
    """The rows of a breakdown as a table as wide as the terminal, 100 columns where there is none."""
    from app.metric_texts import rows_text

    _print_period(report)
    if not report["rows"]:
        click.echo("No rows.")
        return
    width = max(shutil.get_terminal_size((100, 24)).columns, 60)
    click.echo(rows_text(report["rows"], keys, width, chosen))


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Rows under their column names; columns without any value are left out."""
    if not rows:
        click.echo("No rows.")
        return
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(names, *cells, strict=True)]
    for line in (names, *cells):
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def print_status(state: dict[str, Any]) -> None:
    """The state of an installation."""
    publication = state["publication"]
    if publication is None:
        click.echo(
            "Nothing is published yet. Drop event files into the landing folder, then: engagement load"
        )
    else:
        click.echo(
            f"Publication {publication['id']}, {publication['age_seconds']:,.0f} s old; "
            f"newest event {publication['as_of']}"
        )
    landing = state["landing"]
    click.echo(
        f"Landing {landing['folder']}: {landing['pending']} pending, {landing['growing']} growing, "
        f"{landing['refused']} refused"
    )
    if state["accounting"]:
        _print_accounting(state)
    asked = state["erasures"]
    if asked["open"] or asked["landed"]:
        click.echo(
            f"Requests to be erased: {asked['open'] + asked['landed']} open, {asked['overdue']} overdue, "
            f"next due {asked['next_due_at'][:10]}"
        )
    if state["quality"]:
        _print_quality(state["quality"])
    sizes = ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in state["disk_bytes"].items())
    click.echo(f"Disk: {sizes}")


def _print_accounting(state: dict[str, Any]) -> None:
    """Received = accepted + duplicate + rejected + suppressed: in all, by reason, day, batch and file."""
    accounting = state["accounting"]
    click.echo(
        f"Received {accounting['received']:,} = accepted {accounting['accepted']:,} + duplicate "
        f"{accounting['duplicate']:,} + rejected {accounting['rejected']:,} + suppressed "
        f"{accounting['suppressed']:,}"
    )
    for reason, count in state["rejected_by_reason"].items():
        click.echo(f"  rejected {count:,}: {reason}")
    gaps = state["unaccounted"]
    if lost := [f"day {day}" for day in gaps["days"]] + [f"file {file_id}" for file_id in gaps["file_ids"]]:
        click.echo(f"Lines that are NOT accounted for: {', '.join(lost[:_GAPS_SHOWN])}")
    for batch in state["last_batches"]:
        click.echo(
            f"  batch {batch['batch_id']}  {batch['loaded_at']}  {batch['file_count']} files, "
            f"{batch['accepted_count']:,} of {batch['received_count']:,} lines accepted"
        )
    days, files = state["accounting_by_day"], state["last_files"]
    if days:
        click.echo(_equation("lines of the day", COUNTED))
    for day in days[:_DAYS_SHOWN]:
        click.echo(_counts_line(day["load_date"], day))
    if len(days) > _DAYS_SHOWN:
        click.echo(f"  … and {len(days) - _DAYS_SHOWN} earlier days: engagement status --json")
    if files:
        click.echo(_equation("lines of the file", COUNTED))
    for file in files[:_FILES_SHOWN]:
        kind = "" if file["file_kind"] == "events" else f" ({file['file_kind']})"
        click.echo(f"{_counts_line(file['loaded_at'], file)}  {_fate_of(file)}  {file['file_name']}{kind}")


def _counts_line(name: str, row: dict[str, Any]) -> str:
    return _equation(name, [f"{row[f'{word}_count']:,}" for word in COUNTED])


def _equation(name: str, texts: Sequence[str]) -> str:
    """`name`, then received = accepted + duplicate + rejected + suppressed, as counts or as these words."""
    received, *fates = (f"{text:>10}" for text in texts)
    return f"  {name:<20}{received} = {' + '.join(fates)}"


def _fate_of(file: dict[str, Any]) -> str:
    return f"{file['status']}: {file['refused_reason']}" if file["refused_reason"] else str(file["status"])


def _print_quality(quality: dict[str, Any]) -> None:
    failed = quality["failed"]
    click.echo(
        f"Quality of batches {quality['first_batch']} to {quality['last_batch']} ({quality['checked_at']}): "
        f"{quality['judged_count'] - len(failed)} of {quality['judged_count']} expectations hold"
    )
    for check in failed:
        click.echo(f"  {check['severity']}: {check['sentence']} Found: {check['found']}")
