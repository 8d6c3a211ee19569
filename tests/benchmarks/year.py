"""A year of event files as a busy installation lands them, written straight from SQL.

python -m tests.benchmarks.year FOLDER [--events 5000000] [--capsules 100] [--days 365] [--seed 7]

Why it exists: costs are measured on a history of realistic size and cardinality, which the sample stream,
built to look like life and to know its truth, writes a hundred times too slowly. One file a day; 1 % of the
sessions arrive 1 to 40 days late, 0.5 % of the lines come twice (half of them a day later), one client in
twenty keeps one session id for ever. Capsules, contents and persons are unevenly popular.
Not here: measuring (`micro_batch.py`), or anything of the pipeline.

Deterministic: equal arguments give equal bytes, whatever the number of cores; every value is drawn from the
hash of the number of its session, its place and a salt.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

EVENTS_A_SESSION: Final = 8
_DAY_MS: Final = 86_400_000

# `draw` is a number of 62 bits; `pick` one of 0 … n-1, small ones more often.
_MACROS: Final = """
create or replace temp macro draw(number, place, salt) as
    cast(hash(number * 1000003 + place * 1009 + salt * 7919 + {seed}) >> 2 as bigint);
create or replace temp macro pick(drawn, n) as
    cast(floor(n * pow((drawn % 10007) / 10007.0, 2)) as bigint);
"""

_LINES: Final = """
with sessions as (
    select
        number,
        draw(number, 0, 0) as drawn,
        1 + draw(number, 0, 2) % {most_events} as event_count,
        pick(draw(number, 0, 1), {capsule_count}) as capsule,
        pick(draw(number, 0, 4), {person_count}) as person,
        {midnight_ms} + draw(number, 0, 5) % ({day_ms} - 1200000)
            - case when draw(number, 0, 6) % 100 = 0 then 1 + draw(number, 0, 7) % 40 else 0 end * {day_ms}
            as started_ms
    from (select unnest(range({first_session}, {last_session})) as number)
),

events as (
    select
        *,
        person % 10 as tier,
        case when place = 0 then -1 else draw(number, place, 9) % 20 end as kind,
        started_ms + place * 20000 + draw(number, place, 10) % 15000 as occurred_ms,
        draw(number, place, 11) % 400 as repeats
    from (select *, unnest(range(0, event_count)) as place from sessions)
),

written as (
    select *, unnest(range(0, case when repeats = 0 then 2 else 1 end)) as copy
    from events
    where {which}
)

select
    '{{"eventId":"' || left(md5(number || '/' || place), 20)
    || '","eventType":"' || case
        when kind = -1 then 'view'
        when kind < 14 then 'interaction'
        when kind < 17 then 'content_access'
        when kind = 17 then 'conversion'
        when kind = 18 then 'custom'
        else 'interaction'
    end
    || '","capsuleId":"capsule-' || lpad(cast(capsule as varchar), 3, '0')
    || '","sessionId":"'
    || case when person % 20 = 0 then 'client-' || person else left(md5('s' || number), 16) end
    || case when tier = 1 then '","userId":"user-' || person else '' end
    || '","timestamp":"' || strftime(make_timestamp(occurred_ms * 1000), '%Y-%m-%dT%H:%M:%S.%gZ')
    || '","metadata":{{"device":"' || ['desktop', 'mobile', 'tablet'][1 + person % 3] || '"'
    || case when tier between 2 and 6 then ',"visitorId":"visitor-' || person || '"' else '' end
    || case
        when kind = -1 then
            ',"country":"' || ['US', 'FR', 'DE', 'GB', 'IN', 'BR', 'JP'][1 + person % 7] || '"'
            || ',"ip":"' || (11 + person % 180) || '.' || (person // 180 % 250)
            || '.' || (person // 45000 % 250) || '.' || (1 + person % 250) || '"'
            || ',"userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 '
            || '(KHTML, like Gecko) Chrome/' || (100 + person % 40) || '.0.' || (person % 60)
            || '.0 Safari/537.36"'
            || ['', ',"referrer":"https://www.google.com/"', ',"referrer":""',
                ',"referrer":"https://www.linkedin.com/feed"', ',"referrer":"https://chatgpt.com/"',
                ',"source":"newsletter"', ',"utmSource":"google","utmMedium":"cpc","utmCampaign":"spring-'
                || (drawn % 20) || '"'][1 + drawn % 7]
        when kind < 10 or kind = 19 then
            ',"action":"message","role":"' || case when place % 2 = 1 then 'user' else 'assistant' end
            || '","messageId":"m' || number || '-' || place || '"'
        when kind = 10 then
            ',"action":"search","query":"query ' || (draw(number, place, 12) % 500)
            || '","resultCount":' || (draw(number, place, 13) % 6)
        when kind < 13 then
            ',"action":"cta_impression","ctaId":"cta-' || (number % 3) || '","ctaType":"demo"'
        when kind = 13 then ',"action":"cta_click","ctaId":"cta-' || (number % 3) || '","ctaType":"demo"'
        when kind < 16 then
            ',"contentId":"item-' || pick(draw(number, place, 14), 30) || '","contentType":"document"'
        when kind = 16 then
            ',"contentId":"video-' || (number % 5) || '","contentType":"video","action":"progress"'
            || ',"playId":"p' || number || '","fromSeconds":' || (place * 20)
            || ',"toSeconds":' || (place * 20 + 20)
            || ',"durationSeconds":180'
        when kind = 17 then
            ',"conversionType":"' || ['sale', 'signup'][1 + number % 2] || '","value":' || (10 + number % 90)
            || ',"currency":"EUR","orderId":"o' || number || '"'
        when kind = 18 then ',"name":"liked","stars":' || (number % 5)
        else ''
    end
    || '}}}}' || chr(10) as line
from written
order by occurred_ms, number, place
"""


@dataclass(frozen=True, slots=True)
class DayFile:
    """One landed file: its lines, and how many of them no earlier line said."""

    path: Path
    day: date
    line_count: int
    new_count: int


def write_year(
    folder: Path,
    *,
    event_count: int,
    last_day: date,
    capsule_count: int = 100,
    day_count: int = 365,
    seed: int = 7,
) -> Iterator[DayFile]:
    """Writes one `.ndjson` a day up to `last_day` into `folder`, oldest first, about `event_count` in all.

    Yields each file when it is complete under its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sessions_a_day = max(event_count // day_count // EVENTS_A_SESSION, 1)
    with duckdb.connect() as database:
        database.execute(_MACROS.format(seed=seed))
        for index in range(day_count):
            day = last_day - timedelta(days=day_count - 1 - index)
            parts = [_part(database, day, index, sessions_a_day, capsule_count, event_count, "true")]
            new_count = parts[0].count(b"\n")
            if index:
                # What was said yesterday, again: one line in 400.
                before = day - timedelta(days=1)
                parts.append(
                    _part(
                        database, before, index - 1, sessions_a_day, capsule_count, event_count, "repeats = 1"
                    )
                )
            new_count -= _repeated(parts[0])
            draft = folder / f".{day.isoformat()}.tmp"
            draft.write_bytes(b"".join(parts))
            path = draft.replace(folder / f"events-{day.isoformat()}.ndjson")
            yield DayFile(path, day, sum(part.count(b"\n") for part in parts), new_count)


def person_count_of(event_count: int) -> int:
    """How many people a year of so many events has: four sessions each, most of them of few people."""
    return max(event_count // EVENTS_A_SESSION // 4, 10)


def _part(
    database: duckdb.DuckDBPyConnection,
    day: date,
    index: int,
    sessions_a_day: int,
    capsule_count: int,
    event_count: int,
    which: str,
) -> bytes:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    lines = database.sql(
        _LINES.format(
            which=which,
            midnight_ms=int(midnight.timestamp() * 1000),
            day_ms=_DAY_MS,
            first_session=index * sessions_a_day,
            last_session=(index + 1) * sessions_a_day,
            most_events=2 * EVENTS_A_SESSION - 1,
            capsule_count=capsule_count,
            person_count=person_count_of(event_count),
        )
    ).pl()["line"]
    return "".join(lines.to_list()).encode("ascii")


def _repeated(part: bytes) -> int:
    lines = part.splitlines()
    return len(lines) - len(set(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--capsules", type=int, default=100)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    lines = new = 0
    for file in write_year(
        asked.folder,
        event_count=asked.events,
        last_day=datetime.now(UTC).date() - timedelta(days=1),
        capsule_count=asked.capsules,
        day_count=asked.days,
        seed=asked.seed,
    ):
        lines, new = lines + file.line_count, new + file.new_count
    print(f"{asked.days} files, {lines:,} lines, {new:,} events")


if __name__ == "__main__":
    main()
