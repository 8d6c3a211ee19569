"""The command `retention`.

Not here: what leaves and what stays (`retention.py`).
"""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from orchestration.printing import print_json, say
from orchestration.settings import load_settings


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
def retention(dry_run: bool, as_json: bool) -> None:
    """Removes events older than ENGAGEMENT_RETENTION_MONTHS for good; figures by day stay.

    The orchestrator does it every night. Safe to repeat; a run that was killed goes on where it was.

    \b
    Example:  engagement retention --dry-run
    """
    settings = load_settings()
    from orchestration.retention import retire
    from orchestration.state_folder import create_state_folders

    create_state_folders(settings, but_landing=True)
    receipt = retire(settings, datetime.now(UTC), say, dry_run=dry_run)
    if as_json:
        print_json(asdict(receipt))
        return
    verb = "would leave" if dry_run else "left"
    click.echo(f"Kept from {receipt.first_kept_day} on: {receipt.event_count:,} older events {verb}")
    files = f"Sealed files written anew {receipt.rewritten_file_count:,}"
    days = f"days closed {receipt.closed_day_count:,}"
    if dry_run:
        click.echo(f"{files}, {days}; landed files and publications that hold such events go as well")
        return
    click.echo(
        f"{files}, {days}, originals deleted {receipt.deleted_original_count:,}, "
        f"publications removed {receipt.removed_publication_count:,}"
    )
