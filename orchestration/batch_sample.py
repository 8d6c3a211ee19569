"""What the quality suite looks at: the lines of the newest batches, as flags.

Why it exists: raw batches are watched without holding up a load and without touching a value of a person.
Rows come from the sealed files, which never change and need no lock; every column that leaves this module
is a flag, a word of a closed list or a ratio. Memory is bounded by `ROWS_CHECKED` and `MEMORY_LIMIT`.
Not here: what is expected of the flags (`quality.py`).
"""

import csv
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq

from orchestration.archive import sealed_path
from orchestration.journal import BatchRecord, read_records
from orchestration.publication import MARTS_FILE, current_manifest
from orchestration.settings import PROJECT_ROOT, Settings

# 100,000 lines and 13 expectations take about a second and 100 MB on top of the libraries (measured).
ROWS_CHECKED: Final = 100_000
MEMORY_LIMIT: Final = "512MB"
# A day is held against the same weekday of this many weeks before it, of which at least two must exist.
WEEKS_COMPARED: Final = 4
# Below it a weekday says nothing: one school class more or less doubles it.
SMALLEST_DAY: Final = 50

# Written out here, not imported: a watch that shares its list with admission would share its mistakes.
_EVENT_TYPES: Final = ("view", "interaction", "conversion", "content_access", "custom")
_ROLES: Final = ("user", "assistant", "system", "tool")
_ACTIONS: Final = ("message", "cta_impression", "cta_click", "search", "heartbeat", "feedback")

_REQUIRED: Final = ("event_key", "capsule_id", "client_session_key", "occurred_at", "event_date")


@dataclass(frozen=True, slots=True)
class BatchSample:
    """Lines of the newest batches, one row a line, in a pandas frame of flags (null: does not apply).

    One in `one_in` lines was taken, by a hash of file and line number. `missing_file_count`: sealed files
    that are gone, as after an erasure.
    """

    batches: tuple[BatchRecord, ...]
    file_count: int
    missing_file_count: int
    line_count: int
    one_in: int
    frame: Any

    @property
    def stated(self) -> str:
        """How much of the batches was looked at, in words."""
        if self.one_in == 1:
            return f"all {self.line_count:,} lines"
        return f"{len(self.frame):,} of {self.line_count:,} lines, one in {self.one_in} by a hash"


def unchecked_batches(archive: Path, last: tuple[int, str] | None) -> tuple[BatchRecord, ...]:
    """Batches with loaded event files after the last one checked, oldest first.

    `last`: its number and moment. Numbers that begin anew, as after the state folder was emptied, are all
    unchecked; so is another batch of the last number, which is known by its moment.
    """
    newest = max((int(path.stem) for path in (archive / "batches").glob("*.json")), default=0)
    after = last[0] if last and last[0] <= newest else 0
    return tuple(
        record
        for record in read_records(archive, from_batch=after)
        if _content_hashes(record) and (record.batch_id, record.loaded_at.isoformat()) != last
    )


def newest_batch(archive: Path) -> tuple[BatchRecord, ...]:
    """The newest batch with loaded event files; empty before the first."""
    return tuple(record for record in read_records(archive) if _content_hashes(record))[-1:]


def _content_hashes(record: BatchRecord) -> list[str]:
    loaded = record.with_status("loaded")
    return [file.content_hash for file in loaded if file.kind == "events" and file.content_hash]


def take_sample(settings: Settings, batches: tuple[BatchRecord, ...], now: datetime) -> BatchSample:
    """Reads the sealed files of the batches; `now` (UTC) decides which day is the last whole one."""
    wanted = [sealed_path(settings.archive, name) for record in batches for name in _content_hashes(record)]
    paths = [path for path in wanted if path.exists()]
    line_count = sum(pq.read_metadata(path).num_rows for path in paths)
    one_in = max(1, math.ceil(line_count / ROWS_CHECKED))
    frame = _flags(paths, one_in)
    frame["day_volume_ratio"] = None
    if len(frame):
        frame.loc[frame.index[0], "day_volume_ratio"] = day_volume_ratio(settings, now)
    return BatchSample(batches, len(paths), len(wanted) - len(paths), line_count, one_in, frame)


def _flags(paths: list[Path], one_in: int) -> Any:
    complete = ", ".join(
        f"case when outcome = 'accepted' then {name} is not null end as has_{name}" for name in _REQUIRED
    )
    query = f"""
        select
            case when outcome in ('accepted', 'rejected', 'suppressed') then outcome else 'other' end
                as outcome,
            {complete},
            case when outcome <> 'accepted' then null when event_type in {_EVENT_TYPES} then event_type
                else 'other' end as event_type,
            case when outcome = 'accepted' and action = 'message' then coalesce(role, '') in {_ROLES} end
                as is_known_role,
            case when outcome = 'accepted' and event_type = 'interaction'
                then coalesce(action, '') in {_ACTIONS} end as is_known_action,
            case when outcome = 'accepted' and event_type = 'view' then
                source is not null or referrer_domain is not null or utm_source is not null
                or click_id is not null end as is_known_source,
            case when outcome = 'accepted' and event_type = 'view'
                then list_contains($devices, lower(coalesce(device_label, ''))) end as is_known_device,
            case when outcome = 'accepted' and event_type = 'view' then country_label is not null end
                as is_known_country,
            case when outcome = 'accepted' and amount is not null then currency is not null end
                as has_currency
        from read_parquet($paths, filename = true)
        where hash(parse_filename(filename), line_number) % $one_in = 0
        limit {2 * ROWS_CHECKED}
    """
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "threads": 1}) as connection:
        if not paths:
            return connection.execute("select null as outcome where false").df()
        parameters = {"paths": [str(path) for path in paths], "one_in": one_in, "devices": known_devices()}
        return connection.execute(query, parameters).df()


@lru_cache(maxsize=1)
def known_devices() -> list[str]:
    """The device labels of the seed device_types."""
    with (PROJECT_ROOT / "seeds" / "device_types.csv").open(encoding="utf-8", newline="") as file:
        return [row["device_label"] for row in csv.DictReader(file)]


def day_volume_ratio(settings: Settings, now: datetime) -> float | None:
    """Events of the last whole day over the median of the same weekday in the weeks before.

    From the current publication, bots included. Null without two such days, or when they are too small.
    """
    manifest = current_manifest(settings.published)
    if manifest is None or manifest.first_event_date is None:
        return None
    day = now.astimezone(ZoneInfo(manifest.timezone)).date() - timedelta(days=1)
    first = date.fromisoformat(manifest.first_event_date)
    earlier = [day - timedelta(weeks=week) for week in range(1, WEEKS_COMPARED + 1)]
    earlier = [one for one in earlier if one >= first]
    if len(earlier) < 2:
        return None
    counts = _event_counts(settings.published / manifest.id / MARTS_FILE, [day, *earlier])
    usual = median(counts.get(one, 0) for one in earlier)
    return counts.get(day, 0) / usual if usual >= SMALLEST_DAY else None


def _event_counts(marts: Path, days: list[date]) -> dict[date, int]:
    with duckdb.connect(str(marts), read_only=True) as connection:
        rows = connection.execute(
            """select activity_date, cast(sum(event_count) as bigint) from marts.capsule_activity_hourly
            where list_contains($days, activity_date) group by all""",
            {"days": days},
        ).fetchall()
    return dict(rows)


def moment(now: datetime) -> str:
    """An instant as it is written into results: UTC, seconds, Z."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
