"""The optional catalogues: which capsules and content items exist.

Why it exists: names, owners and unused content can't be known from events. Files under
`landing/catalog/` named `capsules.*` or `content.*` (any ending of an event file) replace the newest row per
key. A row that can't be read is reported with its line and changes nothing.
Not here: reading bytes (`event_files.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson

from orchestration.event_fields import FieldProblem
from orchestration.event_files import FileRefused, LandedFile
from orchestration.journal import BatchRecord, FileKind, make_durable
from orchestration.limits import DEFAULT_LIMITS, Limits
from orchestration.line_reader import LineReader
from orchestration.masking import mask_id, mask_text
from orchestration.privacy import Keyring
from orchestration.raw_events import next_file_id, roll_back, write_file_rows
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


@dataclass(frozen=True, slots=True)
class CatalogueRows:
    """The readable rows of one file, and a sentence for every other line."""

    catalogue: FileKind
    content_hash: str
    rows: list[dict[str, Any]]
    problems: list[str]


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
    problems: list[str] = []
    for number, line in reader:
        try:
            row = _catalogue_row(line, catalogue, keyring)
        except (FieldProblem, orjson.JSONDecodeError) as problem:
            reason = (
                f"{problem.reason} ({problem.field})" if isinstance(problem, FieldProblem) else "not_json"
            )
            problems.append(f"{file.shown_name}, line {number}: {reason}")
            continue
        rows[tuple(row[name] for name in _IDENTITY[catalogue])] = row
    return CatalogueRows(catalogue, reader.content_hash, list(rows.values()), problems)


def _catalogue_row(line: bytes, catalogue: FileKind, keyring: Keyring) -> dict[str, Any]:
    parsed = orjson.loads(line)
    if not isinstance(parsed, dict):
        raise FieldProblem("not_an_object", catalogue)
    row: dict[str, Any] = {}
    for name, column in CATALOGUES[catalogue].items():
        value = parsed.get(name, parsed.get(column))
        if column in _IDENTITY[catalogue]:
            if not isinstance(value, str) or not value.strip():
                raise FieldProblem("missing_field", name)
            # As in events, or the two would not find each other.
            reduced = keyring.capsule_id if column == "capsule_id" else mask_id
            row[column] = reduced(value.strip())
        elif column.endswith("_at"):
            row[column] = parse_timestamp(value).replace(tzinfo=None) if isinstance(value, str) else None
        elif column == "duration_seconds":
            row[column] = float(value) if type(value) in (int, float) else None  # type: ignore[arg-type]
        else:
            row[column] = mask_text(value.strip())[:500] if isinstance(value, str) else None
    return row


def archive_catalogue(archive: Path, found: CatalogueRows) -> None:
    """Keeps the rows beside the sealed event files, durably: what `load_catalogue` loads from."""
    archive.mkdir(parents=True, exist_ok=True)
    content = {"rows": found.rows, "rejected_count": len(found.problems)}
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
    """Replaces the rows with the same identity and records the one file, in one transaction."""
    (file,) = record.files
    archived = orjson.loads(archived_catalogue_path(archive, str(file.content_hash)).read_bytes())
    rows = archived["rows"]
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
            """update raw.event_files set received_count = ?, accepted_count = ?, rejected_count = ?
            where file_id = ?""",
            [len(rows) + archived["rejected_count"], len(rows), archived["rejected_count"], file_id],
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
    for problem in found.problems:
        say(f"Left out of the catalogue: {problem}")
    return found
