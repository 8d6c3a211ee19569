"""Opt-outs and opt-ins that come by command or in a landed file, not with an event.

Why it exists: people write to the operator too. Each becomes a signal like that of an event: a sealed row
that holds the person's keyed hash and the moment, nothing else, in a batch of the journal; so it decides
about events in whatever order they come, and a recovered warehouse knows it. We never write raw ids.
Not here: what a signal does (`verdicts.py`), the order of a load (`micro_batch.py`).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.archive import sealed_path
from orchestration.erasure_list import ErasureList, read_erasure_list
from orchestration.event_fields import MAX_ID_CHARACTERS, FieldProblem
from orchestration.event_files import FileRefused, LandedFile
from orchestration.journal import BatchRecord, JournalFile, make_durable, write_record
from orchestration.line_reader import LineReader
from orchestration.privacy import Keyring, says_no, says_yes
from orchestration.raw_events import known_signals, last_batch_id, load_batch, loaded_content
from orchestration.recovery import catch_up
from orchestration.sealed_rows import SEALED_SCHEMA
from orchestration.settings import Settings
from orchestration.timestamps import parse_timestamp
from orchestration.unfinished_seals import sealing_noted
from orchestration.warehouse import open_warehouse, writer_lock

FOLDER: Final = "opt-outs"
IdKind = Literal["user", "visitor"]
_COLUMN_OF: Final[dict[str, str]] = {"user": "user_key", "visitor": "visitor_id_key"}
_KEY_OF: Final[dict[str, IdKind]] = {"userId": "user", "visitorId": "visitor"}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OptOutReceipt:
    """What was noted of one person, without naming the person. `is_new`: false when it was so before.

    `suppressed_event_count`: events that had come already, from that instant on.
    """

    signal: Literal["opt-out", "opt-in"]
    signalled_at: str
    is_new: bool
    suppressed_event_count: int = 0


class PersonErased(RuntimeError):
    """Somebody who was erased can't opt in again: who they were is not known any more."""


def opt_out(
    settings: Settings, kind: IdKind, sent_id: str, now: datetime, *, undo: bool = False
) -> OptOutReceipt:
    """Notes that a person wants not to be measured from now on, or with `undo` wants to be again.

    Safe to repeat. Figures follow with the next load, or within five minutes by the orchestrator. Of somebody
    erased nothing is noted, because that would store their key again: they are suppressed for good. Raises
    `PersonErased` when such a person wants to be measured again.
    """
    with writer_lock(settings):
        catch_up(settings)
        keyring = Keyring(settings.secrets, now)
        key = keyring.key(kind, sent_id.strip())
        if read_erasure_list(settings, keyring).erased_of("person", [key]):
            if undo:
                raise PersonErased(
                    "This person was erased, and nothing of them is measured any more. If they come back, "
                    "give them a new id."
                )
            return OptOutReceipt("opt-out", now.astimezone(UTC).isoformat(), is_new=False)
        with open_warehouse(settings) as connection:
            known = [
                (moment, is_out) for person, moment, is_out in known_signals(connection) if person == key
            ]
            before = _event_count(connection)
        signal: Literal["opt-out", "opt-in"] = "opt-in" if undo else "opt-out"
        is_out = max(known)[1] if known else False
        if is_out != undo:
            at = max(known)[0] if known else now
            return OptOutReceipt(signal, at.astimezone(UTC).isoformat(), is_new=False)
        moment = now.astimezone(UTC).replace(microsecond=now.microsecond // 1000 * 1000)
        rows = [_signal_row(1, kind, key, moment, is_opt_out=not undo)]
        content = orjson.dumps([rows[0][_COLUMN_OF[kind]], moment.isoformat(), undo])
        _commit(
            settings, f"{FOLDER}/by-command", hashlib.sha256(content).hexdigest(), len(content), rows, now
        )
        with open_warehouse(settings) as connection:
            gone = before - _event_count(connection)
        return OptOutReceipt(signal, moment.isoformat(), is_new=True, suppressed_event_count=gone)


def load_requests(settings: Settings, file: LandedFile, now: datetime) -> FileRefused | LandedFile | None:
    """Notes the requests of a landed file, one JSON object a line, then deletes it: it names people.

    A line holds `userId` or `visitorId`, `optOut` (true or false) and optionally `timestamp`. Returns why the
    file could not be read, or the file as it is now: only with the lines that could not be read, for somebody
    to mend. The caller holds the writer lock.
    """
    keyring = Keyring(settings.secrets, now)
    erased = read_erasure_list(settings, keyring)
    reader = LineReader(file, settings.limits)
    rows: list[Row] = []
    unread: list[bytes] = []
    try:
        for number, line in reader:
            rows.append(_without_erased(_row_of(number, line, keyring, now), erased))
            if rows[-1]["outcome"] == "rejected":
                unread.append(line)
    except FileRefused as refusal:
        return refusal
    with open_warehouse(settings) as connection:
        is_known = bool(loaded_content(connection, [reader.content_hash]))
    if not is_known:
        _commit(settings, file.shown_name, reader.content_hash, file.byte_count, rows, now)
    if not file.is_unchanged():
        # Somebody goes on writing: it is read again when it is whole.
        return None
    if unread:
        return _with_lines(file, unread)
    file.path.unlink(missing_ok=True)
    return None


def _with_lines(file: LandedFile, lines: list[bytes]) -> LandedFile:
    """The file with these lines only, under the same name."""
    draft = file.path.with_name(f".{file.path.name[:200]}.tmp")
    draft.write_bytes(b"\n".join(lines) + b"\n")
    make_durable(draft)
    seen = draft.stat()
    draft.replace(file.path)
    return LandedFile(file.path, file.name, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


def _row_of(number: int, line: bytes, keyring: Keyring, now: datetime) -> Row:
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _rejected(number, "not_json", None)
    if not isinstance(parsed, dict):
        return _rejected(number, "not_an_object", None)
    sent = {name: parsed[name] for name in _KEY_OF if isinstance(parsed.get(name), str)}
    ids = [(name, value.strip()) for name, value in sent.items() if value.strip()]
    wish = parsed.get("optOut")
    if len(ids) != 1 or len(ids[0][1]) > MAX_ID_CHARACTERS:
        return _rejected(number, "missing_field", "userId")
    if not (says_yes(wish) or says_no(wish)):
        return _rejected(number, "missing_field", "optOut")
    try:
        moment = parse_timestamp(str(parsed["timestamp"])) if "timestamp" in parsed else now.astimezone(UTC)
    except FieldProblem as problem:
        return _rejected(number, problem.reason, "timestamp")
    if moment > now:
        return _rejected(number, "timestamp_in_future", "timestamp")
    ((name, value),) = ids
    key = keyring.key(_KEY_OF[name], value)
    return _signal_row(number, _KEY_OF[name], key, moment, is_opt_out=says_yes(wish))


def _without_erased(row: Row, erased: ErasureList) -> Row:
    """The row of somebody erased says no more than that it was there: they are suppressed anyway."""
    if not erased.erased_of("person", [row.get(column) for column in _COLUMN_OF.values()]):
        return row
    return {"line_number": row["line_number"], "outcome": "suppressed", "is_opt_in": False}


def _signal_row(number: int, kind: IdKind, key: str, moment: datetime, *, is_opt_out: bool) -> Row:
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    decided = {"outcome": "suppressed"} if is_opt_out else {"outcome": "expired", "reason": "suppressed"}
    return decided | {
        "line_number": number,
        "is_opt_in": not is_opt_out,
        _COLUMN_OF[kind]: key,
        "occurred_at": plain,
        "event_date": plain.date(),
    }


def _rejected(number: int, reason: str, field: str | None) -> Row:
    return {
        "line_number": number,
        "outcome": "rejected",
        "reason": reason,
        "field": field,
        "is_opt_in": False,
    }


def _commit(
    settings: Settings, name: str, content_hash: str, byte_count: int, rows: Iterable[Row], now: datetime
) -> None:
    target = sealed_path(settings.archive, content_hash)
    settings.tmp.mkdir(parents=True, exist_ok=True)
    draft = settings.tmp / f"opt-outs-{content_hash}.parquet"
    with sealing_noted(settings.archive), open_warehouse(settings) as connection:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=SEALED_SCHEMA), draft, compression="zstd")
        make_durable(draft)
        draft.replace(target)
        make_durable(settings.archive)
        listed = JournalFile(name, "events", "loaded", byte_count, content_hash)
        record = BatchRecord(last_batch_id(connection) + 1, now.astimezone(UTC), (listed,))
        write_record(settings.archive, record)
        load_batch(connection, settings.archive, record)


def _event_count(connection: Any) -> int:
    row = connection.execute("select count(*) from raw.events").fetchone()
    return int(row[0])
