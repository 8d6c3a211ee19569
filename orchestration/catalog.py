"""The optional catalogues: which capsules and content items exist.

Why it exists: names, owners and unused content can't be known from events. Files under
`landing/catalog/` named `capsules.*` or `content.*` (any ending of an event file) replace the newest row per
key. A row that can't be read is rejected like a line of events: with file, line, reason and field.
Not here: reading bytes (`line_reader.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson

from orchestration.admission import redacted_excerpt
from orchestration.event_fields import MAX_ID_CHARACTERS, FieldProblem
from orchestration.event_files import FileRefused, LandedFile
from orchestration.journal import BatchRecord, FileKind, make_durable
from orchestration.limits import DEFAULT_LIMITS, Limits
from orchestration.line_reader import LineReader
from orchestration.masking import mask_id, mask_text
from orchestration.privacy import Keyring
from orchestration.raw_events import next_file_id, roll_back, write_file_rows
from orchestration.strict_json import Unreadable, parse_line
from orchestration.timestamps import parse_timestamp

CATALOGUES: Final[Mapping[FileKind, dict[str, str]]] = {
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
_IDENTITY: Final[Mapping[FileKind, tuple[str, ...]]] = {
    "capsules": ("capsule_id",),
    "content": ("capsule_id", "content_id"),
}

# Of more lines that are left out only the number is said.
_SAID_REJECTS: Final = 20


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A line that is no row of its catalogue: reason and key as for events, the shape of the line."""

    line_number: int
    reason: str
    field: str | None
    excerpt: str


@dataclass(frozen=True, slots=True)
class CatalogueRows:
    """One file: received lines = `rows` + `duplicate_count` + `rejects`.

    `rows`: the last one of each key; `duplicate_count`: the ones before it.
    """

    catalogue: FileKind
    content_hash: str
    rows: list[dict[str, Any]]
    duplicate_count: int
    rejects: list[RejectedRow]


def catalogue_of(file: LandedFile) -> FileKind | None:
    """`capsules` or `content` by the file's name; null for any other name."""
    stem = Path(file.name).name.lower().split(".", 1)[0]
    return next((name for name in CATALOGUES if stem == name or stem.startswith(f"{name}-")), None)


def read_catalogue(
    file: LandedFile, catalogue: FileKind, keyring: Keyring, limits: Limits = DEFAULT_LIMITS
) -> CatalogueRows:
    """Reads a catalogue file to its end. Raises `FileRefused`."""
    reader = LineReader(file, limits)
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    readable_count = 0
    rejects: list[RejectedRow] = []
    for number, line in reader:
        parsed = parse_line(line, limits)
        if isinstance(parsed, Unreadable):
            rejects.append(RejectedRow(number, parsed.reason, None, redacted_excerpt(line)))
            continue
        try:
            row = _catalogue_row(parsed, catalogue, keyring)
        except FieldProblem as problem:
            rejects.append(RejectedRow(number, problem.reason, problem.field, redacted_excerpt(line)))
            continue
        rows[tuple(row[name] for name in _IDENTITY[catalogue])] = row
        readable_count += 1
    return CatalogueRows(
        catalogue, reader.content_hash, list(rows.values()), readable_count - len(rows), rejects
    )


def _catalogue_row(parsed: dict[str, Any], catalogue: FileKind, keyring: Keyring) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, column in CATALOGUES[catalogue].items():
        value = parsed.get(name, parsed.get(column))
        if column in _IDENTITY[catalogue]:
            # As in events, or the two would not find each other.
            reduced = keyring.capsule_id if column == "capsule_id" else mask_id
            row[column] = reduced(_identifier(value, name))
        elif column.endswith("_at"):
            row[column] = _instant(value, name) if isinstance(value, str) else None
        elif column == "duration_seconds":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            row[column] = float(value) if is_number else None  # type: ignore[arg-type]
        else:
            row[column] = mask_text(value.strip())[:500] if isinstance(value, str) else None
    return row


def _instant(text: str, name: str) -> datetime:
    try:
        return parse_timestamp(text).replace(tzinfo=None)
    except FieldProblem as problem:
        raise FieldProblem(problem.reason, name) from problem


def _identifier(value: Any, name: str) -> str:
    if value is None:
        raise FieldProblem("missing_field", name)
    if not isinstance(value, str):
        raise FieldProblem("wrong_type", name)
    if not (trimmed := value.strip()):
        raise FieldProblem("blank_field", name)
    if len(trimmed) > MAX_ID_CHARACTERS:
        raise FieldProblem("id_too_long", name)
    if "\0" in trimmed:
        raise FieldProblem("nul_character", name)
    return trimmed


def archive_catalogue(archive: Path, found: CatalogueRows) -> None:
    """Keeps the rows beside the sealed event files, durably: what `load_catalogue` loads from."""
    archive.mkdir(parents=True, exist_ok=True)
    content = {
        "rows": found.rows,
        "duplicate_count": found.duplicate_count,
        "rejects": [asdict(one) for one in found.rejects],
    }
    path = archived_catalogue_path(archive, found.content_hash)
    draft = path.with_suffix(".tmp")
    draft.write_bytes(orjson.dumps(content))
    make_durable(draft)
    draft.replace(path)
    make_durable(archive)


def archived_catalogue_path(archive: Path, content_hash: str) -> Path:
    """Where the rows of a catalogue's content are kept."""
    return archive / f"{content_hash}.catalogue.json"


def load_catalogue(connection: duckdb.DuckDBPyConnection, archive: Path, record: BatchRecord) -> None:
    """Replaces the rows with the same identity, records the one file and its rejects, in one transaction."""
    (file,) = record.files
    archived = orjson.loads(archived_catalogue_path(archive, str(file.content_hash)).read_bytes())
    rows = archived["rows"]
    # Files of before rejects were kept have none, and no duplicates.
    rejects, duplicate_count = archived.get("rejects", []), archived.get("duplicate_count", 0)
    columns = list(CATALOGUES[file.kind].values())
    loaded_at = record.loaded_at.replace(tzinfo=None)
    marks = ", ".join("?" for _ in columns)
    same = " and ".join(f"{name} = ?" for name in _IDENTITY[file.kind])
    file_id = next_file_id(connection)
    connection.execute("begin transaction")
    try:
        for row in rows:
            identity = [row[name] for name in _IDENTITY[file.kind]]
            connection.execute(f"delete from raw.{file.kind} where {same}", identity)
            connection.execute(
                f"insert into raw.{file.kind} ({', '.join(columns)}, loaded_at) values ({marks}, ?)",
                [*(row[name] for name in columns), loaded_at],
            )
        write_file_rows(connection, record, [file], file_id)
        connection.execute(
            """insert into raw.rejected_events
                (file_id, line_number, batch_id, reason, field, excerpt, loaded_at)
            select ?, unnest(?::bigint[]), ?, unnest(?::varchar[]), unnest(?::varchar[]),
                unnest(?::varchar[]), ?""",
            [
                file_id,
                [one["line_number"] for one in rejects],
                record.batch_id,
                *([one[name] for one in rejects] for name in ("reason", "field", "excerpt")),
                loaded_at,
            ],
        )
        connection.execute(
            """update raw.event_files set received_count = ?, accepted_count = ?, duplicate_count = ?,
                rejected_count = ?
            where file_id = ?""",
            [len(rows) + duplicate_count + len(rejects), len(rows), duplicate_count, len(rejects), file_id],
        )
        connection.execute(
            "insert into raw.load_batches values (?, ?, 1, 0, null)", [record.batch_id, loaded_at]
        )
        connection.execute("commit")
    except BaseException:
        roll_back(connection)
        raise


def read_or_refuse(
    file: LandedFile, say: Callable[[str], None], keyring: Keyring, limits: Limits
) -> CatalogueRows | FileRefused:
    """Reads a catalogue file; a name or content that can't be read comes back as the refusal."""
    catalogue = catalogue_of(file)
    if catalogue is None:
        say(f"{file.shown_name} is no catalogue: name it capsules.ndjson or content.ndjson")
        return FileRefused("no_json")
    try:
        found = read_catalogue(file, catalogue, keyring, limits)
    except FileRefused as refusal:
        return refusal
    for one in found.rejects[:_SAID_REJECTS]:
        why = f"{one.reason} ({one.field})" if one.field else one.reason
        say(f"Left out of the catalogue: {file.shown_name}, line {one.line_number}: {why}")
    if len(found.rejects) > _SAID_REJECTS:
        say(f"… and {len(found.rejects) - _SAID_REJECTS:,} more lines; all of them are in rejected_lines")
    return found
