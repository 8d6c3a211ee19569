"""Commands for what people may ask for: `erase`, `access-request`.

Not here: the work (`erasure.py`, `access_requests.py`).
"""

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from orchestration.printing import print_json, say
from orchestration.settings import Settings, load_settings


@click.command()
@click.option("--user-id", "user_ids", multiple=True, metavar="ID", help="As it was sent; repeatable.")
@click.option("--visitor-id", "visitor_ids", multiple=True, metavar="ID", help="As it was sent; repeatable.")
@click.option("--open", "only_open", is_flag=True, help="Go on with requests that are open or landed.")
@click.option("--dry-run", is_flag=True, help="Say how many rows and files would go; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the receipts as JSON.")
def erase(
    user_ids: tuple[str, ...], visitor_ids: tuple[str, ...], only_open: bool, dry_run: bool, as_json: bool
) -> None:
    """Erases people for good: their events, and what they did in the same sessions before they signed in.

    From landed files, archive, warehouse, publications, reports and logs; proves it by reading every file,
    and writes a receipt. Several ids are erased in one pass. Whatever comes again later is suppressed.

    \b
    Example:  engagement erase --user-id u-4711 --visitor-id v-0815
    """
    settings = load_settings()
    from orchestration.erasure import erase_open_requests
    from orchestration.erasure_preview import dry_run as look
    from orchestration.erasure_receipts import ErasureIncomplete
    from orchestration.erasure_requests import ErasureRequest, open_request
    from orchestration.state_folder import create_state_folders

    if only_open == bool(user_ids or visitor_ids):
        raise click.UsageError("Give --user-id or --visitor-id, or --open and neither of them.")
    create_state_folders(settings, but_landing=True)
    os.environ |= settings.environment()
    now = datetime.now(UTC)
    if dry_run:
        asked = ErasureRequest("dry-run", now.isoformat(), list(user_ids), list(visitor_ids))
        would = look(settings, asked, say)
        if as_json:
            print_json({"dry_run": True, **asdict(would)})
            return
        _print_counts("Would go", would.found | would.files)
        if would.capsule_ids_naming:
            click.echo(f"Would stay: {would.capsule_ids_naming} ids of capsules that hold an id of theirs")
        return
    if not only_open:
        open_request(settings, user_ids, visitor_ids, now)
    try:
        receipts = erase_open_requests(settings, say)
    except ErasureIncomplete as incomplete:
        _print_receipts(settings, incomplete.receipts, as_json)
        raise
    _print_receipts(settings, receipts, as_json)
    if not receipts and not as_json:
        click.echo("No request is open")


def _print_receipts(settings: Settings, receipts: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(receipts)
        return
    for receipt in receipts:
        _print_counts(
            f"Request {receipt['request_id']}: erased and proven", receipt["found"] | receipt["files"]
        )
        click.echo(f"Receipt: {settings.receipts / receipt['request_id']}.json")


def _print_counts(title: str, counts: dict[str, Any]) -> None:
    click.echo(f"{title}: {'nothing of them was stored' if not counts else ''}".rstrip())
    for place, count in counts.items():
        click.echo(f"  {count:>9,}  {place}")


@click.command("access-request")
@click.option("--user-id", "user_ids", multiple=True, metavar="ID", help="As it was sent; repeatable.")
@click.option("--visitor-id", "visitor_ids", multiple=True, metavar="ID", help="As it was sent; repeatable.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Target file.")
def access_request(user_ids: tuple[str, ...], visitor_ids: tuple[str, ...], out: Path) -> None:
    """Writes a person's own data as JSON: every event, session and conversion stored of them.

    \b
    Example:  engagement access-request --user-id u-4711 --out u-4711.json
    """
    settings = load_settings()
    from orchestration.access_requests import own_data, write_own_data

    if not user_ids and not visitor_ids:
        raise click.UsageError("Give --user-id or --visitor-id.")
    if not out.parent.is_dir():
        raise click.UsageError(f"The folder {out.parent} does not exist; create it or choose another --out")
    content = own_data(settings, user_ids, visitor_ids, datetime.now(UTC), say)
    write_own_data(content, out)
    click.echo(f"Wrote {len(content['events']):,} events in {len(content['sessions']):,} sessions to {out}")
