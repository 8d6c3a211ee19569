-- Seconds are added up as whole milliseconds: the length of the union of intervals is
-- then the same in any order, and 95 % of a duration is exact.

{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['play_key'],
    meta={'touched_by': 'play'},
    on_schema_change='fail',
) }}

with play_events as (

    select * from {{ touched(ref('int_play_events'), by='play') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

content as (

    select * from {{ ref('dim_content') }}

),

-- A play id is sent of videos only. Without one it takes a video, or an item of unknown
-- type.
video_events as (

    select
        play_events.play_key,
        play_events.event_key,
        play_events.session_key,
        play_events.capsule_id,
        play_events.content_id,
        play_events.action,
        play_events.duration_seconds,
        play_events.percent,
        play_events.occurred_at,
        play_events.event_date,
        coalesce(content.content_type, play_events.content_type, 'unknown')
            as content_type,
        cast(round(play_events.position_seconds * 1000) as bigint) as position_ms,
        cast(round(play_events.from_seconds * 1000) as bigint) as from_ms,
        cast(round(play_events.to_seconds * 1000) as bigint) as to_ms
    from play_events
    left join content
        on
            play_events.capsule_id = content.capsule_id
            and play_events.content_id = content.content_id
    where
        play_events.play_id is not null
        or coalesce(content.content_type, play_events.content_type, 'unknown')
        in ('video', 'unknown')

),

-- Where the play stood after each event: its position, else the end of its interval.
followed_events as (

    select
        *,
        lag(coalesce(position_ms, to_ms)) over play as previous_ms,
        lag(occurred_at) over play as previous_at,
        row_number() over play as play_event_number
    from video_events
    window
        play as (
            partition by play_key
            order by occurred_at, event_key
        )

),

-- From one position to the next is watched, unless the person sought there, or came
-- further than twice the speed allows in the time that passed (two seconds spare).
intervals as (

    select
        play_key,
        play_event_number,
        case
            when from_ms is not null and to_ms is not null then from_ms
            else previous_ms
        end as start_ms,
        case
            when from_ms is not null and to_ms is not null then to_ms
            else position_ms
        end as end_ms
    from followed_events
    where
        action <> 'seek'
        and (
            (from_ms is not null and to_ms is not null)
            or (
                action <> 'play'
                and position_ms - previous_ms
                <= 2 * {{ milliseconds_between('previous_at', 'occurred_at') }} + 2000
            )
        )

),

sent_plays as (

    select
        play_key,
        min(capsule_id) as capsule_id,
        min_by(session_key, play_event_number) as session_key,
        coalesce(
            min_by(content_id, play_event_number) filter (
                where content_id is not null
            ),
            'unknown'
        ) as content_id,
        min_by(content_type, play_event_number) as content_type,
        cast(round(max(duration_seconds) * 1000) as bigint) as sent_duration_ms,
        max(percent) as percent,
        count(*) filter (
            where position_ms is not null or (action <> 'seek' and to_ms is not null)
        ) as position_count,
        count(*) filter (
            where action <> 'seek' and from_ms is not null and to_ms is not null
        ) as interval_count,
        count(*) filter (where action = 'complete') as complete_count,
        min(occurred_at) as played_at,
        min(event_date) as event_date
    from followed_events
    group by play_key

),

-- A play is as long as it said, else as the catalogue says.
plays as (

    select
        sent_plays.*,
        coalesce(
            sent_plays.sent_duration_ms,
            cast(round(content.duration_seconds * 1000) as bigint)
        ) as duration_ms
    from sent_plays
    left join content
        on
            sent_plays.capsule_id = content.capsule_id
            and sent_plays.content_id = content.content_id

),

-- What lies before the beginning or behind the end of a video is not watched.
possible_intervals as (

    select
        intervals.play_key,
        intervals.play_event_number,
        greatest(intervals.start_ms, 0) as start_ms,
        case
            when plays.duration_ms > 0 then least(intervals.end_ms, plays.duration_ms)
            else intervals.end_ms
        end as end_ms
    from intervals
    inner join plays
        on intervals.play_key = plays.play_key

),

ordered_intervals as (

    select
        play_key,
        start_ms,
        end_ms,
        max(end_ms) over (
            partition by play_key
            order by start_ms, end_ms, play_event_number
            rows between unbounded preceding and 1 preceding
        ) as covered_ms
    from possible_intervals
    where end_ms > start_ms

),

-- What an interval adds to those before it.
watched_plays as (

    select
        play_key,
        sum(
            greatest(
                end_ms - greatest(start_ms, coalesce(covered_ms, start_ms)), 0
            )
        ) as union_ms,
        max(end_ms) as furthest_ms
    from ordered_intervals
    group by play_key

),

-- One position alone says where a play began, not what was watched.
measured_plays as (

    select
        plays.*,
        coalesce(watched_plays.union_ms, 0) as union_ms,
        coalesce(watched_plays.furthest_ms, 0) as furthest_ms,
        plays.interval_count > 0 or plays.position_count > 1 as has_positions
    from plays
    left join watched_plays
        on plays.play_key = watched_plays.play_key

),

-- Shares in millionths, of what is known: positions, else the largest percent, else an
-- explicit complete.
judged_plays as (

    select
        *,
        case
            when
                has_positions and duration_ms > 0
                then union_ms * 100 >= duration_ms * 95
            when percent is not null then percent >= 95 or complete_count > 0
            else complete_count > 0
        end as is_completed,
        case
            when has_positions and duration_ms > 0
                then least(cast(union_ms as double) / nullif(duration_ms, 0), 1.0)
            when percent is not null then cast(percent as double) / 100
            when complete_count > 0 then 1.0
            when position_count > 0 then 0.0
        end as watched_share,
        case
            when has_positions and duration_ms > 0
                then least(cast(furthest_ms as double) / nullif(duration_ms, 0), 1.0)
            when percent is not null then cast(percent as double) / 100
            when complete_count > 0 then 1.0
            when position_count > 0 then 0.0
        end as furthest_share
    from measured_plays

),

final as (

    select
        -- ids
        cast(judged_plays.play_key as string) as play_key,
        cast(judged_plays.capsule_id as string) as capsule_id,
        cast(judged_plays.content_id as string) as content_id,
        cast(judged_plays.session_key as string) as session_key,
        cast(sessions.visitor_key as string) as visitor_key,

        -- text
        cast(judged_plays.content_type as string) as content_type,
        cast(sessions.visitor_tier as string) as visitor_tier,
        cast(sessions.channel as string) as channel,
        cast(sessions.source as string) as source,
        cast(sessions.campaign as string) as campaign,
        cast(sessions.country as string) as country,
        cast(sessions.device as string) as device,
        cast(sessions.browser as string) as browser,
        cast(sessions.os as string) as os,

        -- numbers
        cast(
            case
                when judged_plays.has_positions
                    then
                        cast(
                            least(
                                judged_plays.union_ms,
                                coalesce(
                                    judged_plays.duration_ms, judged_plays.union_ms
                                )
                            ) as double
                        )
                        / 1000
                else
                    judged_plays.watched_share
                    * cast(judged_plays.duration_ms as double)
                    / 1000
            end as double
        ) as watched_seconds,
        cast(cast(judged_plays.duration_ms as double) / 1000 as double)
            as duration_seconds,
        cast(judged_plays.watched_share as double) as watched_share,
        cast(judged_plays.furthest_share as double) as furthest_share,

        -- booleans
        cast(judged_plays.is_completed as boolean) as is_completed,
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(judged_plays.played_at as timestamp) as played_at,
        cast(date_trunc('hour', judged_plays.played_at) as timestamp)
            as activity_hour_at,
        cast({{ reporting_date('judged_plays.played_at') }} as date) as activity_date,
        cast(judged_plays.event_date as date) as event_date
    from judged_plays
    inner join sessions
        on judged_plays.session_key = sessions.session_key

)

select * from final
order by capsule_id, played_at, play_key
