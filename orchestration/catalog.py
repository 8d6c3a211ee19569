"""The optional catalogues: which capsules and content items exist.

Why it exists: names, owners and unused content can't be known from events. Files under
`landing/catalog/` named `capsules.*` or `content.*` (any ending of an event file) replace the newest row per
key. A row that can't be read is reported with its line and changes nothing.
Not here: reading bytes (`event_files.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import duckdb
import orjson

from orchestration.admission import parse_timestamp
from orchestration.event_fields import FieldProblem
from orchestration.event_files import FileRefused, LandedFile, LineReader
from orchestration.privacy import mask_text
from orchestration.raw_events import last_batch_id

CATALOGUES: Final[Mapping[str, dict[str, str]]] = {
    # key of the landed object → column of the table; the first ones are the row's identity
    "capsules": {
        "capsuleId": "capsule_id",
        "name": "capsule_name",
        "owner": "owner_name",
        "createdAt": "created_at",
    },
    "content": {
        "capsuleId": "capsule_id",
        "contentId": "content_id",
        "title": "content_title",
        "type": "content_type",
        "publishedAt": "published_at",
        "durationSeconds": "duration_seconds",
    },
}
_IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    "capsules": ("capsule_id",),
    "content": ("capsule_id", "content_id"),
}


@dataclass(frozen=True, slots=True)
class CatalogueRows:
    """The readable rows of one file, and a sentence for every other line."""

    catalogue: str
    content_hash: str
    rows: list[dict[str, Any]]
    problems: list[str]


def catalogue_of(file: LandedFile) -> str | None:
    """`capsules` or `content` by the file's name; null for any other name."""
    stem = file.path.name.lower().split(".", 1)[0]
    return next((name for name in CATALOGUES if stem == name or stem.startswith(f"{name}-")), None)


def read_catalogue(file: LandedFile, catalogue: str) -> CatalogueRows:
    """Reads a catalogue file to its end. Raises `FileRefused`."""
    reader = LineReader(file)
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    problems: list[str] = []
    for number, line in reader:
        try:
            row = _catalogue_row(line, catalogue)
        except (FieldProblem, orjson.JSONDecodeError) as problem:
            reason = (
                f"{problem.reason} ({problem.field})" if isinstance(problem, FieldProblem) else "not_json"
            )
            problems.append(f"{file.name}, line {number}: {reason}")
            continue
        rows[tuple(row[name] for name in _IDENTITY[catalogue])] = row
    return CatalogueRows(catalogue, reader.content_hash, list(rows.values()), problems)


def _catalogue_row(line: bytes, catalogue: str) -> dict[str, Any]:
    parsed = orjson.loads(line)
    if not isinstance(parsed, dict):
        raise FieldProblem("not_an_object", catalogue)
    row: dict[str, Any] = {}
    for name, column in CATALOGUES[catalogue].items():
        value = parsed.get(name, parsed.get(column))
        if column in _IDENTITY[catalogue]:
            if not isinstance(value, str) or not value.strip():
                raise FieldProblem("missing_field", name)
            row[column] = value.strip()
        elif column.endswith("_at"):
            row[column] = parse_timestamp(value).replace(tzinfo=None) if isinstance(value, str) else None
        elif column == "duration_seconds":
            row[column] = float(value) if type(value) in (int, float) else None  # type: ignore[arg-type]
        else:
            row[column] = mask_text(value.strip())[:500] if isinstance(value, str) else None
    return row


def load_catalogue(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, found: CatalogueRows, now: datetime
) -> None:
    """Replaces the rows with the same identity and records the file, in one transaction."""
    loaded_at = now.replace(tzinfo=None)
    columns = list(CATALOGUES[found.catalogue].values())
    identity = _IDENTITY[found.catalogue]
    marks = ", ".join("?" for _ in columns)
    same = " and ".join(f"{name} = ?" for name in identity)
    batch_id = last_batch_id(connection) + 1
    connection.execute("begin transaction")
    try:
        for row in found.rows:
            connection.execute(
                f"delete from raw.{found.catalogue} where {same}", [row[name] for name in identity]
            )
            connection.execute(
                f"insert into raw.{found.catalogue} ({', '.join(columns)}, loaded_at) values ({marks}, ?)",
                [*(row[name] for name in columns), loaded_at],
            )
        connection.execute(
            """insert into raw.event_files
                (file_id, batch_id, file_kind, file_name, content_hash, status, byte_count, received_count,
                 accepted_count, duplicate_count, rejected_count, suppressed_count, loaded_at)
            select coalesce(max(file_id), 0) + 1, ?, ?, ?, ?, 'loaded', ?, ?, ?, 0, ?, 0, ?
            from raw.event_files""",
            [
                batch_id,
                found.catalogue,
                mask_text(file.name),
                found.content_hash,
                file.byte_count,
                len(found.rows) + len(found.problems),
                len(found.rows),
                len(found.problems),
                loaded_at,
            ],
        )
        connection.execute("insert into raw.load_batches values (?, ?, 1, 0, null)", [batch_id, loaded_at])
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def read_or_refuse(file: LandedFile, say: Callable[[str], None]) -> CatalogueRows | FileRefused:
    """Reads a catalogue file; a name or content that can't be read comes back as the refusal."""
    catalogue = catalogue_of(file)
    if catalogue is None:
        say(f"{file.name} is no catalogue: name it capsules.ndjson or content.ndjson")
        return FileRefused("no_json")
    try:
        found = read_catalogue(file, catalogue)
    except FileRefused as refusal:
        return refusal
    for problem in found.problems:
        say(f"Left out of the catalogue: {problem}")
    return found
