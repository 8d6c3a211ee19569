"""The command `opt-out`.

Not here: what it notes (`opt_out_requests.py`).
"""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from orchestration.printing import print_json
from orchestration.settings import load_settings


@click.command("opt-out")
@click.option("--user-id", help="The person's userId, as events send it.")
@click.option("--visitor-id", help="The person's visitorId, as events send it.")
@click.option("--undo", is_flag=True, help="The person wants to be measured again.")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
def opt_out(user_id: str | None, visitor_id: str | None, undo: bool, as_json: bool) -> None:
    """From now on nothing of this person is stored, until they opt in again. What was counted before stays.

    \b
    Example:  engagement opt-out --user-id u-81
    Example:  engagement opt-out --visitor-id v-7 --undo
    """
    sent = user_id or visitor_id
    if not sent or not sent.strip() or (user_id and visitor_id):
        raise click.UsageError("Name one person: --user-id or --visitor-id.")
    settings = load_settings()
    from orchestration.opt_out_requests import opt_out as note
    from orchestration.state_folder import create_state_folders

    create_state_folders(settings, but_landing=True)
    receipt = note(settings, "user" if user_id else "visitor", sent, datetime.now(UTC), undo=undo)
    if as_json:
        print_json(asdict(receipt))
        return
    noted = "noted" if receipt.is_new else "was so already"
    click.echo(f"{receipt.signal} {noted}, from {receipt.signalled_at} on")
