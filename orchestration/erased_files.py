"""What else may name an erased person: names of files in the journal, logs, reports of the schedule.

Not here: landed files (`erased_originals.py`), sealed files (`erased_rows.py`).
"""

import json
import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from orchestration.erased_originals import Mentions
from orchestration.erasure_requests import ErasureRequest
from orchestration.journal import make_durable
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

Say = Callable[[str], None]

_REPORT: Final = re.compile(
    r"report_(?P<capsule>.+)_(?P<first>\d{4}-\d\d-\d\d)_to_(?P<last>\d{4}-\d\d-\d\d)\.pdf"
)


def clean_journal(settings: Settings, mentions: Mentions) -> int:
    """Names of landed files that hold an id, in the journal and in the manifest; returns how many records."""
    count = 0
    for path in sorted((settings.archive / "batches").glob("*.json")):
        content = path.read_bytes()
        if mentions.within(content):
            record = json.loads(content)
            for file in record["files"]:
                file["name"] = mentions.without(file["name"].encode()).decode()
            draft = path.with_name(f".{path.stem}.tmp")
            draft.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
            make_durable(draft)
            draft.replace(path)
            count += 1
    with open_warehouse(settings) as connection:
        names = connection.execute("select file_id, file_name from raw.event_files").fetchall()
        for file_id, name in names:
            if mentions.within(name.encode()):
                connection.execute(
                    "update raw.event_files set file_name = ? where file_id = ?",
                    [mentions.without(name.encode()).decode(), file_id],
                )
                count += 1
    return count


def clean_logs(settings: Settings, mentions: Mentions) -> int:
    """Takes lines that hold an id out of logs and dbt's artefacts, and runs out of Dagster's records.

    A log that a service has open is written in place, so that it goes on there. Returns the number of files.
    """
    count = 0
    for folder in (settings.home / "logs", settings.home / "dbt", settings.dagster_home):
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            content = path.read_bytes()
            if not mentions.within(content):
                continue
            count += 1
            if content.startswith(b"SQLite format 3"):
                _clean_records(path, mentions)
            else:
                with path.open("rb+") as file:
                    file.write(
                        b"".join(line for line in content.splitlines(True) if not mentions.within(line))
                    )
                    file.truncate()
                    os.fsync(file.fileno())
    return count


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
                if any(mentions.within(str(value).encode("utf-8", "replace")) for value in row[1:])
            ]
            connection.executemany(f'delete from "{table}" where rowid = ?', gone)
        connection.commit()
        connection.execute("vacuum")
        connection.execute("pragma wal_checkpoint(truncate)")


def redraw_reports(settings: Settings, requests: Sequence[ErasureRequest], say: Say) -> int:
    """Writes the scheduled reports anew that cover an erased person; returns how many."""
    files = [
        (path, found)
        for path in sorted(settings.exports.glob("*.pdf"))
        if (found := _REPORT.match(path.name))
    ]
    if not files:
        return 0
    # Typst and the charts take a second to import.
    from app.about import file_word
    from app.publications import current_publication
    from app.selection import Selection
    from orchestration.reports import write_report

    publication = current_publication(settings.published)
    count = 0
    for path, found in files:
        first, last = date.fromisoformat(found["first"]), date.fromisoformat(found["last"])
        capsules = {
            capsule
            for request in requests
            for capsule in request.capsules
            if file_word(capsule) == found["capsule"] and _is_covered(request, first, last)
        }
        for capsule in capsules:
            say(f"Drawing {path.name} anew")
            write_report(publication, Selection(first, last, (capsule,)), path, datetime.now(UTC))
            count += 1
    return count


def _is_covered(request: ErasureRequest, first: date, last: date) -> bool:
    if request.first_day is None or request.last_day is None:
        return False
    # Days of events are UTC, those of a report of the reporting zone; the week before is compared with.
    before = first.toordinal() - (last.toordinal() - first.toordinal()) - 3
    return (
        date.fromisoformat(request.last_day).toordinal() >= before
        and date.fromisoformat(request.first_day).toordinal() <= last.toordinal() + 1
    )
