"""What else may name an erased person: names of files in the journal, and logs.

Not here: landed files (`erased_originals.py`), sealed files (`erased_rows.py`),
reports (`reports.py`).
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from orchestration.journal import make_durable
from orchestration.mentions import Mentions
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

_LOGS: Final = ("-wal", "-journal")


def clean_journal(settings: Settings, mentions: Mentions) -> int:
    """Names of landed files that hold an id, in the journal and in the manifest; returns how many records."""
    count = 0
    for path in sorted((settings.archive / "batches").glob("*.json")):
        content = path.read_bytes()
        if mentions.within_name(content):
            record = json.loads(content)
            for file in record["files"]:
                file["name"] = mentions.name_without(file["name"].encode()).decode()
            draft = path.with_name(f".{path.stem}.tmp")
            draft.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
            make_durable(draft)
            draft.replace(path)
            count += 1
    with open_warehouse(settings) as connection:
        names = connection.execute("select file_id, file_name from raw.event_files").fetchall()
        for file_id, name in names:
            if mentions.within_name(name.encode()):
                connection.execute(
                    "update raw.event_files set file_name = ? where file_id = ?",
                    [mentions.name_without(name.encode()).decode(), file_id],
                )
                count += 1
    return count


def names_with(settings: Settings, mentions: Mentions) -> int:
    """How many records `clean_journal` would rewrite, in the journal and in the manifest."""
    paths = (settings.archive / "batches").glob("*.json")
    with open_warehouse(settings) as connection:
        names = connection.execute("select file_name from raw.event_files").fetchall()
    return sum(mentions.within_name(path.read_bytes()) for path in paths) + sum(
        mentions.within_name(name.encode()) for (name,) in names
    )


def clean_logs(settings: Settings, mentions: Mentions) -> int:
    """Takes lines that hold an id out of logs and dbt's artefacts, and runs out of Dagster's records.

    A log that a service has open is written in place, so that it goes on there. Returns the number of files.
    """
    count = 0
    for path, content in logs_with(settings, mentions):
        count += 1
        database = _database_of(path, content)
        if database:
            _clean_records(database, mentions)
        else:
            with path.open("rb+") as file:
                file.write(
                    b"".join(line for line in content.splitlines(True) if not mentions.within_log(line))
                )
                file.truncate()
                os.fsync(file.fileno())
    return count


def logs_with(settings: Settings, mentions: Mentions) -> Iterator[tuple[Path, bytes]]:
    """Logs, artefacts of dbt and files of Dagster that hold an id, with their bytes."""
    for folder in (settings.home / "logs", settings.home / "dbt", settings.dagster_home):
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                # A log of a database that was merged meanwhile.
                continue
            if mentions.within_log(content):
                yield path, content


def _database_of(path: Path, content: bytes) -> Path | None:
    """The SQLite database that a file is, or is the log of: rows that were just written are only there."""
    if content.startswith(b"SQLite format 3"):
        return path
    owner = next(
        (path.with_name(path.name.removesuffix(end)) for end in _LOGS if path.name.endswith(end)), path
    )
    return owner if owner != path and owner.exists() else None


def _clean_records(path: Path, mentions: Mentions) -> None:
    """Deletes the rows of Dagster's own database that hold an id, and the bytes they leave."""
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        tables = [
            name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
        ]
        for table in tables:
            rows = connection.execute(f'select rowid, * from "{table}"').fetchall()
            gone = [
                (row[0],)
                for row in rows
                if any(mentions.within_log(str(value).encode("utf-8", "replace")) for value in row[1:])
            ]
            connection.executemany(f'delete from "{table}" where rowid = ?', gone)
        connection.commit()
        connection.execute("vacuum")
        connection.execute("pragma wal_checkpoint(truncate)")
