"""Figures by day that outlive the events they were counted from, with small groups folded.

Why it exists: events leave after the retention window, figures by day stay. When a day leaves the window, its
rows of the daily marts are written once into `archive/kept/<first kept day>/<mart>.parquet`; from then on a
publication takes that day from there, and the models count only what is kept. So a rebuild, a batch and a
recovery give the same history, and no day is counted twice. A group of fewer than five visitors is folded
into `other`: what is left names nobody who was alone in a group.
Not here: removing events (`retention.py`), the models themselves.
"""

import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from orchestration.journal import make_durable

SMALLEST_GROUP: Final = 5
OTHER: Final = "other"
_FOLDER: Final = "kept"
# Daily marts → their day. Those about files (`ingestion_daily`, `rejected_daily`) need no events.
DAY_OF: Final[Mapping[str, str]] = {
    "capsule_traffic_daily": "activity_date",
    "content_engagement_daily": "activity_date",
    "conversation_depth_daily": "session_date",
    "conversion_funnel_daily": "entry_date",
    "cta_performance_daily": "activity_date",
    "revenue_daily": "conversion_date",
    "search_queries_daily": "activity_date",
}
# What the rest of a session across midnight would show of a day that is closed.
_PARTS_OF_A_DAY: Final[Mapping[str, str]] = {
    "capsule_activity_hourly": "activity_date",
    "cta_activity_hourly": "activity_date",
    "session_activity_hourly": "activity_date",
}
_TRAFFIC_DIMENSIONS: Final = ("channel", "source", "country", "device", "browser")


def closed_before(archive: Path) -> date | None:
    """The first day that still takes events: those before it are written down for good; null if none is."""
    days = [date.fromisoformat(path.name) for path in (archive / _FOLDER).glob("[0-9]*") if path.is_dir()]
    return max(days, default=None)


def count_days_to_close(connection: duckdb.DuckDBPyConnection, archive: Path, first_kept: date) -> int:
    """How many days with figures lie before `first_kept` and are not closed yet."""
    since = closed_before(archive) or date.min
    days = " union ".join(f"select {day} as kept_date from marts.{mart}" for mart, day in DAY_OF.items())
    row = connection.execute(
        f"select count(*) from ({days}) where kept_date >= ? and kept_date < ?", [since, first_kept]
    ).fetchone()
    return int(row[0]) if row else 0


def close_days(connection: duckdb.DuckDBPyConnection, archive: Path, first_kept: date) -> int:
    """Writes the daily figures of the days before `first_kept` that are not closed yet; returns their number.

    The models hold every event that was loaded. All of it appears with one rename, or nothing.
    """
    since = closed_before(archive) or date.min
    if since >= first_kept:
        return 0
    folder = archive / _FOLDER
    draft = folder / f".{first_kept}.tmp"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    days: set[date] = set()
    for mart, day in DAY_OF.items():
        connection.execute(
            f"create or replace temp table folded as {_folded(mart)}",
            {"since": since, "until": first_kept, "smallest": SMALLEST_GROUP},
        )
        days.update(row[0] for row in connection.execute(f"select distinct {day} from folded").fetchall())
        target = draft / f"{mart}.parquet"
        rows = "select * from folded order by all"
        connection.execute(f"copy ({rows}) to '{_quoted(target)}' (format parquet, compression zstd)")
        make_durable(target)
    connection.execute("drop table temp.folded")
    make_durable(draft)
    draft.replace(folder / first_kept.isoformat())
    make_durable(folder)
    return len(days)


def published_rows(connection: duckdb.DuckDBPyConnection, archive: Path, table: str) -> str:
    """SQL: the rows of a mart as readers see them: what the models count, and the closed days as written."""
    first = closed_before(archive)
    day = DAY_OF.get(table) or _PARTS_OF_A_DAY.get(table)
    if first is None or day is None:
        return f'select * from marts."{table}"'
    counted = f"select * from marts.\"{table}\" where {day} >= date '{first}'"
    files = sorted((archive / _FOLDER).glob(f"[0-9]*/{table}.parquet"))
    if table not in DAY_OF or not files:
        return counted
    # What a mart has gained since is not known of these days, what it has lost is left out.
    listed = ", ".join(f"'{_quoted(path)}'" for path in files)
    kept = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    written = {name for name, *_ in connection.execute(f"describe select * from {kept}").fetchall()}
    columns = connection.execute(f'describe select * from marts."{table}"').fetchall()
    selected = ", ".join(
        f"cast({name if name in written else 'null'} as {kind}) as {name}" for name, kind, *_ in columns
    )
    return f"{counted} union all select {selected} from {kept}"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _folded(mart: str) -> str:
    """SQL: the rows of a daily mart from $since until $until, groups under $smallest visitors in `other`."""
    return {
        "capsule_traffic_daily": _traffic,
        "content_engagement_daily": _content,
        "conversation_depth_daily": _depth,
        "conversion_funnel_daily": _funnel,
        "cta_performance_daily": _ctas,
        "revenue_daily": _revenue,
        "search_queries_daily": _queries,
    }[mart]()


def _few(facts: str, day: str, *dimensions: str) -> str:
    """SQL: the groups of a capsule's day that have fewer visitors than may be told apart."""
    keys = ", ".join(["capsule_id", f"{day} as kept_date", "is_bot", *dimensions])
    return f"""select {keys} from {facts}
        where {day} >= $since and {day} < $until
        group by all having count(distinct visitor_key) < $smallest"""


def _is_few(relation: str, day: str, *dimensions: str) -> str:
    keys = ", ".join(f"{relation}.{name}" for name in ("capsule_id", day, "is_bot", *dimensions))
    return f"({keys}) in (select (capsule_id, kept_date, is_bot, {', '.join(dimensions)}) from few)"


def _relabelled(relation: str, day: str, *dimensions: str) -> str:
    """SQL: a relation's rows of these days; the dimensions of small groups are `other`."""
    is_few = _is_few(relation.split(".")[-1], day, *dimensions)
    replaced = ", ".join(
        f"case when {is_few} then '{OTHER}' else {name} end as {name}" for name in dimensions
    )
    return f"""select * replace ({replaced}) from {relation}
        where {day} >= $since and {day} < $until"""


def _sums(*names: str) -> str:
    return ", ".join(f"cast(sum({name}) as bigint) as {name}" for name in names)


_EVENT_COUNTS: Final = (
    "session_count", "view_session_count", "conversation_count", "bounce_count", "engaged_session_count",
    "consent_given_session_count", "consent_refused_session_count",
    "event_count", "view_count", "turn_count", "message_count", "content_access_count", "citation_count",
    "search_count", "zero_result_search_count", "cta_impression_count", "cta_click_count",
    "conversion_count", "lead_count", "custom_event_count",
)  # fmt: skip


def _traffic() -> str:
    dimensions = ", ".join(_TRAFFIC_DIMENSIONS)
    facts = f"""(
        select capsule_id, session_date as activity_date, is_bot, {dimensions}, visitor_key
        from marts.fct_sessions
        union all
        select capsule_id, activity_date, is_bot, {dimensions}, visitor_key
        from marts.session_activity_hourly
    )"""
    seconds = ", ".join(
        f"cast(sum(cast({name} as decimal(18, 3))) as double) as {name}"
        for name in ("session_seconds", "engaged_seconds")
    )
    return f"""with few as ({_few(facts, "activity_date", *_TRAFFIC_DIMENSIONS)}),
    labelled as ({_relabelled("marts.capsule_traffic_daily", "activity_date", *_TRAFFIC_DIMENSIONS)})
    select capsule_id, {dimensions}, {seconds}, {_sums(*_EVENT_COUNTS)}, is_bot, activity_date
    from labelled group by capsule_id, {dimensions}, is_bot, activity_date"""


def _content() -> str:
    counted = _relabelled("marts.fct_content_accesses", "activity_date", "content_id")
    return f"""with few as (
        select capsule_id, activity_date as kept_date, is_bot, content_id
        from marts.content_engagement_daily
        where activity_date >= $since and activity_date < $until
            and (capsule_id, activity_date, is_bot, content_id) not in (
                select (capsule_id, activity_date, is_bot, content_id) from marts.fct_content_accesses
                where activity_date >= $since and activity_date < $until
                group by capsule_id, activity_date, is_bot, content_id
                having count(distinct visitor_key) >= $smallest
            )
    ),
    labelled as ({_relabelled("marts.content_engagement_daily", "activity_date", "content_id")}),
    visits as (
        select capsule_id, content_id, is_bot, activity_date, count(distinct session_key) as session_count,
            count(distinct visitor_key) as visitor_count
        from ({counted}) where not is_citation group by capsule_id, content_id, is_bot, activity_date
    )
    select capsule_id, content_id, cast(sum(labelled.access_count) as bigint) as access_count,
        cast(coalesce(max(visits.session_count), 0) as bigint) as session_count,
        cast(coalesce(max(visits.visitor_count), 0) as bigint) as visitor_count,
        cast(sum(labelled.citation_count) as bigint) as citation_count,
        cast(sum(cast(labelled.relevance_score_sum as decimal(18, 9))) as double) as relevance_score_sum,
        cast(sum(labelled.relevance_score_count) as bigint) as relevance_score_count, is_bot, activity_date
    from labelled left join visits using (capsule_id, content_id, is_bot, activity_date)
    group by capsule_id, content_id, is_bot, activity_date"""


def _depth() -> str:
    # A turn has no "other": from the first turn that fewer than five visitors reached, all deeper ones are
    # one row, "this many turns or more". `reached` still never rises, endings still add up.
    return """with days as (
        select * from marts.conversation_depth_daily where session_date >= $since and session_date < $until
    ),
    reaching as (
        select days.capsule_id, days.session_date, days.is_bot, days.turn_number
        from days
        inner join marts.fct_sessions as sessions
            on days.capsule_id = sessions.capsule_id and days.session_date = sessions.session_date
            and days.is_bot = sessions.is_bot and sessions.turn_count >= days.turn_number
        group by all having count(distinct sessions.visitor_key) < $smallest
    ),
    deepest as (
        select capsule_id, session_date, is_bot, min(turn_number) as last_turn_number
        from reaching group by all
    )
    select days.capsule_id,
        least(days.turn_number, coalesce(deepest.last_turn_number, days.turn_number)) as turn_number,
        cast(max(days.reached_count) as bigint) as reached_count,
        cast(sum(days.dropped_count) as bigint) as dropped_count,
        cast(sum(days.finished_count) as bigint) as finished_count, days.is_bot, days.session_date
    from days left join deepest using (capsule_id, session_date, is_bot)
    group by all"""


def _funnel() -> str:
    facts, group = "marts.fct_funnel_steps", "capsule_id, entry_date, channel, device, is_bot"
    counts = ", ".join(
        f"""count(*) filter (where scope = '{scope}') as {prefix}_count,
            percentile_cont(0.5) within group (order by seconds_to_step) filter (where scope = '{scope}')
                as {median}"""
        for scope, prefix, median in (
            ("session", "session", "median_seconds_to_step"),
            ("visitor", "visitor", "visitor_median_seconds_to_step"),
        )
    )
    dropped = ", ".join(
        f"""cast({name}_count - coalesce(lead({name}_count) over funnel, {name}_count) as bigint)
            as dropped_{name}_count"""
        for name in ("session", "visitor")
    )
    return f"""with few as ({_few(facts, "entry_date", "channel", "device")}),
    labelled as ({_relabelled(facts, "entry_date", "channel", "device")}),
    counted as (select {group}, step_number, {counts} from labelled group by {group}, step_number),
    steps as (
        select entered.*, listed.step_number, listed.step,
            coalesce(counted.session_count, 0) as session_count,
            coalesce(counted.visitor_count, 0) as visitor_count,
            counted.median_seconds_to_step, counted.visitor_median_seconds_to_step
        from (select distinct {group} from counted) as entered
        cross join (
            select distinct step_number, step from marts.conversion_funnel_daily
            where entry_date >= $since and entry_date < $until
        ) as listed
        left join counted using (capsule_id, entry_date, channel, device, is_bot, step_number)
    )
    select capsule_id, channel, device, step, cast(step_number as bigint) as step_number,
        cast(session_count as bigint) as session_count, cast(visitor_count as bigint) as visitor_count,
        {dropped}, cast(median_seconds_to_step as double) as median_seconds_to_step,
        cast(visitor_median_seconds_to_step as double) as visitor_median_seconds_to_step, is_bot, entry_date
    from steps window funnel as (partition by {group} order by step_number)"""


def _ctas() -> str:
    facts = "marts.cta_activity_hourly"
    return f"""with few as ({_few(facts, "activity_date", "cta_id")}),
    labelled as ({_relabelled("marts.cta_performance_daily", "activity_date", "cta_id")}),
    clicks as (
        select capsule_id, cta_id, is_bot, activity_date, count(distinct session_key) as session_count
        from ({_relabelled(facts, "activity_date", "cta_id")}) where click_count > 0
        group by capsule_id, cta_id, is_bot, activity_date
    ),
    counted as (
        select capsule_id, cta_id,
            if(cta_id = '{OTHER}', '{OTHER}', min(labelled.cta_type)) as cta_type,
            if(cta_id = '{OTHER}', '{OTHER}', min(labelled.cta_label)) as cta_label,
            min(labelled.ctr_basis) as ctr_basis,
            {_sums("impression_count", "click_count", "conversion_count")},
            cast(coalesce(max(clicks.session_count), 0) as bigint) as clicking_session_count,
            cast(max(labelled.viewing_session_count) as bigint) as viewing_session_count,
            is_bot, activity_date
        from labelled left join clicks using (capsule_id, cta_id, is_bot, activity_date)
        group by capsule_id, cta_id, is_bot, activity_date
    )
    select *, case ctr_basis
            when 'impressions'
                then cast(least(click_count, impression_count) as double) / nullif(impression_count, 0)
            else cast(least(clicking_session_count, viewing_session_count) as double)
                / nullif(viewing_session_count, 0)
        end as click_through_rate
    from counted"""


def _revenue() -> str:
    facts = """(select *, coalesce(currency, 'unknown') as kept_currency
        from marts.fct_conversions where amount is not null)"""
    keys = "capsule_id, currency, conversion_type, is_bot, conversion_date"
    return f"""with few as (
        select capsule_id, conversion_date as kept_date, is_bot, kept_currency as currency, conversion_type
        from {facts} where conversion_date >= $since and conversion_date < $until
        group by all having count(distinct visitor_key) < $smallest
    )
    select capsule_id, currency, kept_type as conversion_type,
        cast(sum(conversion_count) as bigint) as conversion_count,
        cast(sum(amount) as decimal(18, 4)) as amount,
        cast(sum(refund_amount) as decimal(18, 4)) as refund_amount, is_bot, conversion_date
    from (
        select *, case when (capsule_id, conversion_date, is_bot, currency, conversion_type) in (
                select (capsule_id, kept_date, is_bot, currency, conversion_type) from few
            ) then '{OTHER}' else conversion_type end as kept_type
        from marts.revenue_daily where conversion_date >= $since and conversion_date < $until
    )
    group by {keys.replace("conversion_type", "kept_type")}"""


def _queries() -> str:
    facts = "marts.fct_searches"
    return f"""with few as ({_few(facts, "activity_date", "search_query")})
    select capsule_id, search_query, cast(count(*) as bigint) as search_count,
        cast(count(*) filter (where is_zero_result) as bigint) as zero_result_count,
        cast(count(*) filter (where is_followed_by_access) as bigint) as followed_count,
        cast(count(distinct session_key) as bigint) as session_count, is_bot, activity_date
    from ({_relabelled(facts, "activity_date", "search_query")})
    group by capsule_id, search_query, is_bot, activity_date"""
