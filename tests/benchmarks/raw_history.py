"""A history written straight into `raw.events`, for tests that count what a batch touches.

Why it exists: it writes a hundred thousand events in a second; landing them takes a minute. What is measured
by the clock stands on a year that was landed (`homes.py`).
"""

from datetime import datetime, timedelta

import duckdb

EVENTS_A_SESSION = 8
DAY_MS = 86_400_000

# A session is drawn from the hash of its number, an event from that of its session and place: the same rows
# every time, without a table of random numbers.
HISTORY = """
with sessions as (
    select
        session_number,
        draw(session_number, 0, 0) as seed,
        'capsule-' || lpad(cast(
            cast(floor(100 * pow((draw(session_number, 0, 1) % 10007) / 10007.0, 2)) as bigint) as varchar
        ), 3, '0') as capsule_id,
        {started_ms} as started_ms,
        1 + draw(session_number, 0, 2) % {most_events} as event_count,
        draw(session_number, 0, 3) % 10 as tier,
        draw(session_number, 0, 4) % ({known_sessions} // 4 + 1) as person
    from (select unnest(range({first_session}, {last_session})) as session_number)
),

events as (
    select
        *,
        unnest(range(0, event_count)) as place
    from sessions
),

drawn as (
    select
        *,
        case when place = 0 then 0 else 5 + draw(session_number, place, 9) % 20 end as kind,
        epoch_ms(started_ms + place * 20000 + draw(session_number, place, 1) % 15000)
            as occurred_at
    from events
)

insert into raw.events by name
select
    left(md5(session_number || '/' || place), 24) as event_key,
    draw(session_number, place, 2) as content_hash,
    case
        when kind = 0 then 'view'
        when kind < 15 then 'interaction'
        when kind < 18 then 'content_access'
        when kind < 19 then 'conversion'
        when kind < 20 then 'custom'
        else 'interaction'
    end as event_type,
    capsule_id,
    left(md5('session ' || session_number), 24) as client_session_key,
    case when tier < 2 then left(md5('user ' || person), 24) end as user_key,
    case when tier < 6 then left(md5('visitor ' || person), 24) end as visitor_id_key,
    case when tier < 8 then left(md5('day ' || session_number // 3), 24) end as daily_key,
    occurred_at,
    cast(occurred_at as date) as event_date,
    case
        when kind between 1 and 11 or kind >= 20 then 'message'
        when kind = 12 then 'search'
        when kind = 13 then 'cta_impression'
        when kind = 14 then 'cta_click'
    end as action,
    case when kind between 1 and 11 or kind >= 20
        then case when place % 2 = 1 then 'user' else 'assistant' end end as role,
    case when kind between 1 and 11 or kind >= 20
        then left(md5('m' || session_number || '/' || place), 24) end as message_key,
    case when place = 0 and tier > 4 then ['newsletter', 'twitter', 'partner'][1 + seed % 3] end as source,
    case when place = 0
        then ['google.com', '', 'linkedin.com', 'chatgpt.com', 'example.org'][1 + seed % 5] end
        as referrer_domain,
    case when place = 0 and tier = 1 then 'spring-' || seed % 20 end as utm_campaign,
    case when tier = 1 then 'google' end as utm_source,
    case when tier = 1 then 'cpc' end as utm_medium,
    ['desktop', 'mobile', 'tablet'][1 + seed % 3] as device_label,
    ['Chrome', 'Safari', 'Firefox', 'Edge'][1 + seed % 4] as browser,
    ['Windows', 'iOS', 'Android', 'Linux'][1 + seed % 4] as os,
    false as is_bot_agent,
    ['us', 'fr', 'de', 'gb', 'in', 'br', 'jp'][1 + seed % 7] as country_label,
    false as is_consent_refused,
    case when kind = 12 then 'query ' || draw(session_number, place, 3) % 500 end as search_query,
    case when kind = 12 then draw(session_number, place, 4) % 6 end as result_count,
    case when kind between 15 and 17 then 'item-' || draw(session_number, place, 5) % 30 end as content_id,
    case when kind between 15 and 17 then 'document' end as content_type,
    case when kind = 15 then (draw(session_number, place, 6) % 100) / 100.0 end as relevance_score,
    case when kind in (13, 14) then 'cta-' || draw(session_number, place, 7) % 3 end as cta_id,
    case when kind in (13, 14) then 'demo' end as cta_type,
    case when kind = 18 then 'sale' end as conversion_type,
    case when kind = 18 then cast(10 + seed % 90 as decimal(18, 4)) end as amount,
    case when kind = 18 then 'EUR' end as currency,
    case when kind = 18 and place % 2 = 0 then left(md5('order ' || session_number), 24) end as order_key,
    case when kind = 19 then 'liked' end as event_name,
    1 as file_id,
    session_number * 64 + place as line_number,
    1 + session_number // 250 as batch_id
from drawn
order by event_date, capsule_id, occurred_at, event_key
"""


def write_history(
    connection: duckdb.DuckDBPyConnection, event_count: int, now: datetime, day_count: int
) -> None:
    """Fills `raw` as the batches of so many days would have."""
    session_count = event_count // EVENTS_A_SESSION
    first = now - timedelta(days=day_count)
    started = f"session_number * {day_count * DAY_MS} // {session_count} + {_ms(first)}"
    _insert(connection, 0, session_count, known_sessions=session_count, started=started)
    connection.execute(
        """insert into raw.load_batches
        select batch_id, max(occurred_at), 1, count(*), max(occurred_at)
        from raw.events group by batch_id"""
    )
    connection.execute(
        """insert into raw.event_files
            (file_id, batch_id, file_kind, file_name, content_hash, status, byte_count, received_count,
            accepted_count, duplicate_count, rejected_count, suppressed_count, loaded_at)
        select 1, max(batch_id), 'events', 'history.ndjson', 'history', 'loaded', 0, count(*), count(*),
            0, 0, 0, max(occurred_at) from raw.events"""
    )
    connection.execute(
        """insert into raw.event_file_counts
        select 1, max(batch_id), capsule_id, count(*), count(*), 0, 0, 0, max(occurred_at)
        from raw.events group by capsule_id"""
    )


def add_batch(connection: duckdb.DuckDBPyConnection, event_count: int, now: datetime) -> None:
    """One more batch: sessions of the last two hours, of people who were there, one in fifty days late."""
    row = connection.execute("select max(batch_id), max(line_number) // 64 + 1 from raw.events").fetchone()
    assert row is not None
    batch, first = row[0] + 1, row[1]
    late = f"case when session_number % 50 = 0 then 1 + session_number % 40 else 0 end * {DAY_MS}"
    started = f"{_ms(now)} - 7200000 + draw(session_number, 0, 8) % 6600000 - {late}"
    last = first + event_count // EVENTS_A_SESSION
    _insert(connection, first, last, known_sessions=first, started=started)
    connection.execute("update raw.events set batch_id = ? where line_number >= ? * 64", [batch, first])
    connection.execute(
        "insert into raw.load_batches"
        " select ?, ?, 1, count(*), max(occurred_at) from raw.events where batch_id = ?",
        [batch, now, batch],
    )


def _insert(
    connection: duckdb.DuckDBPyConnection, first: int, last: int, *, known_sessions: int, started: str
) -> None:
    connection.execute(
        """create or replace temp macro draw(session_number, place, salt)
        as cast(hash(session_number * 1000003 + place * 1009 + salt) >> 1 as bigint)"""
    )
    connection.execute(
        HISTORY.format(
            first_session=first,
            last_session=last,
            known_sessions=known_sessions,
            started_ms=started,
            most_events=2 * EVENTS_A_SESSION - 1,
        )
    )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
