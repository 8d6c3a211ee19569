"""A person's own data, as JSON: what is stored under their id, and in the sessions they were in.

Why it exists: people may ask what is known of them (GDPR, article 15). The same rows that an erasure would
take. Not here: finding them (`erased_rows.py`), erasing (`erasure.py`).
"""

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb

from orchestration.erased_rows import find_person
from orchestration.privacy import Keyring
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock

# What people may ask besides their rows (GDPR, article 15). The operator adds purposes and recipients.
_EXPLAINED: Final = {
    "read": "The events of the ids that were given and, without a user, of the same sessions; the sessions "
    "and conversions made of them; opt-outs and opt-ins of these ids.",
    "not_read": "Landed files, which hold events as they were sent for some days; rejected lines, of which "
    "only the shape is kept; events of other ids; texts in which others name the person; reports, which hold "
    "figures of many.",
    "identity": "Ids are kept as keyed hashes (user_key, visitor_id_key, client_session_key). The ids as "
    "they were sent, IP addresses, user agents and the texts of messages are not stored.",
}

Say = Callable[[str], None]

# Of the project, not of the person: where a row stands, and keys that only join.
_LEFT_OUT: Final = frozenset({"file_id", "line_number", "batch_id", "content_hash"})


def own_data(
    settings: Settings,
    user_ids: Sequence[str],
    visitor_ids: Sequence[str],
    now: datetime,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Events, sessions, conversions and opt-outs of people by their ids; empty lists for somebody unknown.

    `explained`: what was read and what was not, and for how long it is kept.

    Instants are UTC. Ids and sessions are keyed hashes here: what was sent is not stored.
    """
    keyring = Keyring(settings.secrets, now)
    persons = [keyring.key("user", one) for one in user_ids]
    persons += [keyring.key("visitor", one) for one in visitor_ids]
    kept = (
        f"Events for {settings.retention_months} months, landed files for {settings.keep_loaded_days} days; "
        "figures by day, in which nobody can be told, and opt-outs stay."
    )
    content: dict[str, Any] = {
        "made_at": now.astimezone(UTC).isoformat(),
        "explained": {**_EXPLAINED, "kept": kept},
        "events": [], "sessions": [], "conversions": [], "opt_outs": [],
    }  # fmt: skip
    if not settings.warehouse_file.exists():
        return content
    with writer_lock(settings, say), open_warehouse(settings) as connection:
        found = find_person(connection, settings.archive, persons)
        content["events"] = _rows(
            connection,
            """select events.* from raw.events as events
            inner join erased_stored as theirs
                on events.file_id = theirs.file_id and events.line_number = theirs.line_number
            order by events.occurred_at, events.event_key""",
        )
        for row in content["events"]:
            # Stored as one text; to read as what it is.
            if "properties" in row:
                row["properties"] = json.loads(row["properties"])
        content["opt_outs"] = _rows(
            connection,
            """select signalled_at, is_opt_out from raw.privacy_signals
            where person_key in (select unnest(?::varchar[])) order by all""",
            [[*persons, *found.sessions]],
        )
        built = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
        for name, table in (("sessions", "fct_sessions"), ("conversions", "fct_conversions")):
            if table in built:
                content[name] = _rows(
                    connection,
                    f"""select * from marts.{table}
                    where session_key in (select unnest(?::varchar[])) order by all""",
                    [found.session_keys],
                )
    return content


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()
) -> list[dict[str, Any]]:
    cursor = connection.execute(query, list(values))
    names = [column[0] for column in cursor.description or ()]
    return [
        {
            name: _as_json(value)
            for name, value in zip(names, row, strict=True)
            if value is not None and name not in _LEFT_OUT
        }
        for row in cursor.fetchall()
    ]


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def write_own_data(content: dict[str, Any], target: Path) -> None:
    """Writes the file for its owner only; whole or not at all."""
    draft = target.with_name(f".{target.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.write("\n")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
