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

content as (

    select * from {{ ref('dim_content') }}

),

final as (

    select
        -- ids
        cast(events.event_key as string) as access_key,
        cast(events.capsule_id as string) as capsule_id,
        cast(coalesce(events.content_id, 'unknown') as string) as content_id,
        cast(events.session_key as string) as session_key,
        cast(sessions.visitor_key as string) as visitor_key,

        -- text
        -- The item's type, not the event's: an item never falls into two types.
        cast(
            coalesce(content.content_type, events.content_type, 'unknown') as string
        ) as content_type,
        cast(sessions.visitor_tier as string) as visitor_tier,
        cast(sessions.channel as string) as channel,
        cast(sessions.source as string) as source,
        cast(sessions.campaign as string) as campaign,
        cast(sessions.country as string) as country,
        cast(sessions.device as string) as device,
        cast(sessions.browser as string) as browser,
        cast(sessions.os as string) as os,

        -- numbers
        cast(events.relevance_score as double) as relevance_score,

        -- booleans
        cast(events.is_citation as boolean) as is_citation,
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(events.occurred_at as timestamp) as accessed_at,
        cast(date_trunc('hour', events.occurred_at) as timestamp) as activity_hour_at,
        cast({{ reporting_date('events.occurred_at') }} as date) as activity_date,
        cast(events.event_date as date) as event_date
    from events
    inner join sessions
        on events.session_key = sessions.session_key
    left join content
        on
            events.capsule_id = content.capsule_id
            and events.content_id = content.content_id
    where events.is_content_access or events.is_citation

)

select * from final
order by capsule_id, accessed_at, access_key
