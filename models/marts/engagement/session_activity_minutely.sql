-- A whole table: half an hour is small whatever the length of history. Days are joined
-- before instants are compared, so that the row groups of other days are not read.

{{ config(materialized='table') }}

{% set minutes = 30 %}

with events as (

    select * from {{ ref('int_events_sessionized') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

-- The minute of the newest event is the last one, also while it is not over. A session
-- ends with an event; there are eight times as many events.
windows as (

    select
        date_trunc('minute', max(ended_at)) as until_at,
        date_trunc('minute', max(ended_at))
        - interval '{{ minutes - 1 }}' minute as from_at
    from sessions

),

window_days as (

    select cast(from_at as date) as event_date
    from windows
    union
    select cast(until_at as date) as event_date
    from windows

),

minute_activity as (

    select
        events.session_key,
        date_trunc('minute', events.occurred_at) as activity_minute_at,
        count(*) as event_count,
        count(*) filter (where events.event_type = 'view') as view_count
    from events
    inner join window_days
        on events.event_date = window_days.event_date
    cross join windows
    where events.occurred_at >= windows.from_at
    group by
        events.session_key,
        date_trunc('minute', events.occurred_at)

),

final as (

    select
        -- ids
        cast(minute_activity.session_key as string) as session_key,
        cast(sessions.capsule_id as string) as capsule_id,
        cast(sessions.visitor_key as string) as visitor_key,

        -- text
        cast(sessions.visitor_tier as string) as visitor_tier,
        cast(sessions.channel as string) as channel,
        cast(sessions.source as string) as source,
        cast(sessions.campaign as string) as campaign,
        cast(sessions.country as string) as country,
        cast(sessions.device as string) as device,
        cast(sessions.browser as string) as browser,
        cast(sessions.os as string) as os,

        -- numbers
        cast(minute_activity.event_count as bigint) as event_count,
        cast(minute_activity.view_count as bigint) as view_count,

        -- booleans
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(minute_activity.activity_minute_at as timestamp) as activity_minute_at,
        cast(minute_activity.activity_minute_at as date) as event_date
    from minute_activity
    inner join sessions
        on minute_activity.session_key = sessions.session_key

)

select * from final
