"""Writes the files of the sample so that nobody reads half of one and equal input gives equal bytes."""

import gzip
import io
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from orchestration.sample_events.audience import Metadata
from orchestration.sample_events.catalog import Capsule
from orchestration.sample_events.spelling import encode_event


def write_whole(path: Path, content: bytes) -> None:
    """Write under a hidden temporary name, which the loader never reads, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def join_lines(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def compressed(content: bytes) -> bytes:
    """gzip without a time or a name in its header."""
    buffer = io.BytesIO()
    # Level 3: a third of the time of level 6 for files a tenth larger.
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=3, mtime=0) as stream:
        stream.write(content)
    return buffer.getvalue()


class DayFiles:
    """Lines wait for the day they arrive; a day is written once nothing can arrive in it any more."""

    def __init__(self, landing: Path) -> None:
        self.landing = landing
        self.line_counts: dict[str, int] = {}
        self.byte_count = 0
        self._waiting: dict[str, list[tuple[int, int, bytes]]] = {}
        self._serial = 0

    def add(self, day: str, arrival: int, line: bytes) -> None:
        """`arrival` in milliseconds orders the lines of the file of `day` (ISO date)."""
        self._serial += 1
        self._waiting.setdefault(day, []).append((arrival, self._serial, line))

    def write(self, day: str, *, is_open: bool) -> None:
        """Write the file of a day: plain while the day is open (today), gzip afterwards."""
        waiting = self._waiting.pop(day, [])
        if not waiting:
            return
        waiting.sort()
        content = join_lines(line for _, _, line in waiting)
        name = f"events-{day}.ndjson" if is_open else f"events-{day}.ndjson.gz"
        content = content if is_open else compressed(content)
        write_whole(self.landing / name, content)
        self.line_counts[name] = len(waiting)
        self.byte_count += len(content)


def write_catalog(landing: Path, capsules: list[Capsule], first_day: date) -> None:
    """`catalog/capsules.ndjson` and `catalog/content.ndjson`, in the columns of DESIGN."""

    def days_before(age_days: int) -> str:
        return f"{(first_day - timedelta(days=age_days)).isoformat()}T09:00:00Z"

    capsule_lines = []
    content_lines = []
    for capsule in capsules:
        row: Metadata = {
            "capsuleId": capsule.capsule_id,
            "name": capsule.name,
            "owner": capsule.owner,
            "createdAt": days_before(capsule.age_days),
        }
        capsule_lines.append(encode_event(row))
        for item in capsule.content:
            row = {
                "capsuleId": capsule.capsule_id,
                "contentId": item.content_id,
                "title": item.title,
                "type": item.content_type,
                "publishedAt": days_before(item.age_days),
                "durationSeconds": item.duration_seconds,
            }
            content_lines.append(encode_event(row))
    write_whole(landing / "catalog" / "capsules.ndjson", join_lines(capsule_lines))
    write_whole(landing / "catalog" / "content.ndjson", join_lines(content_lines))
