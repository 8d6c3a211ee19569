-- Ordered by capsule and instant on disk, so that a page about one capsule reads few
-- row groups.

{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['session_key', 'event_date'],
    meta={'touched_by': 'session'},
    on_schema_change='fail',
) }}

with events as (

    select * from {{ touched(ref('int_events_counted'), by='session') }}

),

sessions as (

    select * from {{ touched(ref('fct_sessions'), by='session') }}

),

last_accesses as (

    select
        session_key,
        max(event_number) as event_number
    from events
    where is_content_access
    group by session_key

),

final as (

    select
        -- ids
        cast(events.event_key as string) as search_key,
        cast(events.capsule_id as string) as capsule_id,
        cast(events.session_key as string) as session_key,
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
        cast(coalesce(nullif(events.search_query, ''), 'unknown') as string)
            as search_query,

        -- numbers
        cast(events.result_count as bigint) as result_count,

        -- booleans
        cast(coalesce(events.result_count = 0, false) as boolean) as is_zero_result,
        cast(
            coalesce(last_accesses.event_number > events.event_number, false) as boolean
        ) as is_followed_by_access,
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(events.occurred_at as timestamp) as searched_at,
        cast(date_trunc('hour', events.occurred_at) as timestamp) as activity_hour_at,
        cast({{ reporting_date('events.occurred_at') }} as date) as activity_date,
        cast(events.event_date as date) as event_date
    from events
    inner join sessions
        on events.session_key = sessions.session_key
    left join last_accesses
        on events.session_key = last_accesses.session_key
    where events.is_search

)

select * from final
order by capsule_id, searched_at, search_key
