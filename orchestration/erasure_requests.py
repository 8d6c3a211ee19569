"""Requests to be erased: kept while they are open, due within 30 days, closed by a receipt.

Why it exists: a request must survive a crash and must not be forgotten, and it names who is to be erased: so
an open one lies in `secrets/requests/`, readable by the owner only, and is deleted when its receipt is
written. A receipt holds counts and no personal data. Not here: erasing (`erasure.py`).
"""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from orchestration.event_files import is_own_folder
from orchestration.journal import make_durable
from orchestration.settings import Settings

# GDPR, article 12 (3): without undue delay, and within one month.
DAYS_TO_ANSWER: Final = 30
REQUESTS: Final = "requests"
_PERSON_KEYS: Final = {"userId": "user_ids", "user_id": "user_ids", "visitorId": "visitor_ids",
                       "visitor_id": "visitor_ids"}  # fmt: skip


class RequestUnreadable(ValueError):
    """A request names nobody, or its file can't be read; the text says what one looks like."""


@dataclass(slots=True)
class ErasureRequest:
    """One request, of one or several people. `counts`: what was found by place, before anything was removed.

    Without any id it is a return: somebody erased came again, and files still hold their bytes.
    """

    request_id: str
    requested_at: str
    user_ids: list[str] = field(default_factory=list)
    visitor_ids: list[str] = field(default_factory=list)
    step: str = "noted"
    counts: dict[str, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    capsules: list[str] = field(default_factory=list)
    first_day: str | None = None
    last_day: str | None = None

    @property
    def due_at(self) -> datetime:
        """The instant (UTC) by which it must be done."""
        return datetime.fromisoformat(self.requested_at) + timedelta(days=DAYS_TO_ANSWER)

    @property
    def ids(self) -> list[str]:
        """Every id as it was sent."""
        return [*self.user_ids, *self.visitor_ids]


def open_request(
    settings: Settings, user_ids: Sequence[str], visitor_ids: Sequence[str], requested_at: datetime
) -> ErasureRequest:
    """Notes a request durably. Raises `RequestUnreadable` when it names nobody."""
    named = [[one.strip() for one in ids if one.strip()] for ids in (user_ids, visitor_ids)]
    if not any(named):
        raise RequestUnreadable("The request names nobody: give --user-id or --visitor-id.")
    request = ErasureRequest(
        _new_id(requested_at), requested_at.astimezone(UTC).isoformat(), named[0], named[1]
    )
    save_request(settings, request)
    return request


def open_return(settings: Settings, now: datetime) -> None:
    """Notes that somebody erased came again: the next pass clears what was removed out of every file."""
    if not any(not request.ids for request in open_requests(settings)):
        save_request(settings, ErasureRequest(_new_id(now), now.astimezone(UTC).isoformat()))


def _new_id(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def save_request(settings: Settings, request: ErasureRequest) -> None:
    """Writes an open request, whole or not at all."""
    _write(_open_folder(settings) / f"{request.request_id}.json", asdict(request))


def open_requests(settings: Settings) -> list[ErasureRequest]:
    """Requests without a receipt, oldest first."""
    return [
        ErasureRequest(**json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(_open_folder(settings).glob("*.json"))
    ]


def close_request(settings: Settings, request: ErasureRequest, receipt: dict[str, Any]) -> None:
    """Writes the receipt, then deletes the request, which names the person."""
    _write(settings.receipts / f"{request.request_id}.json", receipt)
    (_open_folder(settings) / f"{request.request_id}.json").unlink(missing_ok=True)


def request_state(settings: Settings, now: datetime) -> dict[str, Any]:
    """What `engagement status` and the check `erasures_in_time` say: open, overdue, next due."""
    found = open_requests(settings)
    waiting = _landed_requests(settings)
    due = [request.due_at for request in found] + [
        _landed_at(path) + timedelta(days=DAYS_TO_ANSWER) for path in waiting
    ]
    return {
        "open": len(found),
        "landed": len(waiting),
        "overdue": sum(moment < now for moment in due),
        "next_due_at": min(due).isoformat() if due else None,
        "done": sum(not path.name.startswith("retention-") for path in settings.receipts.glob("*.json")),
    }


def has_work(settings: Settings, since: float = 0) -> bool:
    """Whether a request waits, landed or open, that is younger than a moment (seconds since 1970)."""
    waiting = [*_landed_requests(settings), *_open_folder(settings).glob("*.json")]
    return any(path.stat().st_ctime > since for path in waiting)


def take_landed_requests(settings: Settings, problems: list[str]) -> list[ErasureRequest]:
    """Opens the requests of `landing/requests/*.json` and deletes the files, which name people.

    A file: `{"erase": [{"userId": "…"}, {"visitorId": "…"}], "requestedAt": "2026-11-25T10:00:00Z"}`; the
    moment is that of the file when it is not given. One that can't be read stays, and is told in `problems`.
    """
    taken = []
    for path in _landed_requests(settings):
        try:
            user_ids, visitor_ids, moment = _read_landed(path)
            taken.append(open_request(settings, user_ids, visitor_ids, moment))
        except (RequestUnreadable, OSError) as problem:
            problems.append(f"requests/{path.name}: {problem}")
            continue
        path.unlink()
    return taken


def _landed_requests(settings: Settings) -> list[Path]:
    folder = settings.landing / REQUESTS
    if not is_own_folder(folder):
        return []
    return sorted(
        path
        for path in folder.glob("*.json")
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    )


def _landed_at(path: Path) -> datetime:
    """When a landed request was made; the moment of a file that can't be read."""
    try:
        return _read_landed(path)[2]
    except (RequestUnreadable, OSError):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _read_landed(path: Path) -> tuple[list[str], list[str], datetime]:
    shape = 'it must be like {"erase": [{"userId": "…"}, {"visitorId": "…"}]}'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise RequestUnreadable(f"it is no JSON; {shape}") from None
    people = content.get("erase") if isinstance(content, dict) else None
    if not isinstance(people, list) or not people:
        raise RequestUnreadable(shape)
    found: dict[str, list[str]] = {"user_ids": [], "visitor_ids": []}
    for person in people:
        named = (
            {_PERSON_KEYS.get(name): value for name, value in person.items()}
            if isinstance(person, dict)
            else {}
        )
        if (
            not named
            or None in named
            or not all(isinstance(one, str) and one.strip() for one in named.values())
        ):
            raise RequestUnreadable(shape)
        for kind, value in named.items():
            found[str(kind)].append(value)
    moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if "requestedAt" in content:
        try:
            moment = datetime.fromisoformat(content["requestedAt"])
        except (TypeError, ValueError):
            raise RequestUnreadable("requestedAt must be like 2026-11-25T10:00:00Z") from None
        if moment.tzinfo is None:
            raise RequestUnreadable("requestedAt needs an offset, such as Z")
    return found["user_ids"], found["visitor_ids"], moment


def _open_folder(settings: Settings) -> Path:
    return settings.secrets / REQUESTS


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    make_durable(path.parent)
