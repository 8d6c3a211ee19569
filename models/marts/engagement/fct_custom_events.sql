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

final as (

    select
        -- ids
        cast(events.event_key as string) as event_key,
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
        cast(events.event_name as string) as event_name,
        cast(events.properties as string) as properties,

        -- booleans
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(events.occurred_at as timestamp) as occurred_at,
        cast({{ reporting_date('events.occurred_at') }} as date) as activity_date,
        cast(events.event_date as date) as event_date
    from events
    inner join sessions
        on events.session_key = sessions.session_key
    where events.is_custom_event

)

select * from final
