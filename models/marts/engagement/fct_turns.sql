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

messages as (

    select
        event_key,
        session_key,
        capsule_id,
        event_number,
        topic,
        is_turn,
        is_assistant_message,
        occurred_at,
        activity_date,
        event_date
    from events
    where is_turn or is_assistant_message

),

-- Two turns in a row wait for the same reply, each from its own instant on.
answered_messages as (

    select
        *,
        min(case when is_assistant_message then occurred_at end) over (
            partition by session_key
            order by event_number
            rows between 1 following and unbounded following
        ) as replied_at,
        sum(case when is_turn then 1 else 0 end) over (
            partition by session_key
            order by event_number
            rows between unbounded preceding and current row
        ) as turn_number
    from messages

),

final as (

    select
        -- ids
        cast(answered_messages.event_key as string) as turn_key,
        cast(answered_messages.capsule_id as string) as capsule_id,
        cast(answered_messages.session_key as string) as session_key,
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
        cast(coalesce(answered_messages.topic, 'unknown') as string) as topic,

        -- numbers
        cast(answered_messages.turn_number as bigint) as turn_number,
        cast(
            {{ seconds_between(
                'answered_messages.occurred_at', 'answered_messages.replied_at'
            ) }}
            as double
        ) as reply_seconds,

        -- booleans
        cast(answered_messages.replied_at is not null as boolean) as is_answered,
        cast(answered_messages.turn_number = sessions.turn_count as boolean)
            as is_last_turn,
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(answered_messages.occurred_at as timestamp) as asked_at,
        cast(date_trunc('hour', sessions.started_at) as timestamp) as session_hour_at,
        cast(answered_messages.activity_date as date) as activity_date,
        cast(sessions.session_date as date) as session_date,
        cast(answered_messages.event_date as date) as event_date
    from answered_messages
    inner join sessions
        on answered_messages.session_key = sessions.session_key
    where answered_messages.is_turn

)

select * from final
order by capsule_id, asked_at, turn_key
