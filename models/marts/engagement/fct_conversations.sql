-- Ordered by capsule and start on disk, so that a page about one capsule reads few row
-- groups.

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

-- What a conversation ended with, each by the newest event that says it.
endings as (

    select
        session_key,
        max_by(topic, event_number) filter (where topic is not null) as last_topic,
        max_by(content_id, event_number) filter (
            where content_id is not null
        ) as last_content_id,
        max_by(role, event_number) filter (
            where is_turn or is_assistant_message or is_system_message
        ) as last_speaker,
        max(case when is_turn then event_number end) as last_turn_number,
        max(case when is_assistant_message then event_number end)
            as last_reply_number
    from events
    where
        topic is not null
        or content_id is not null
        or is_turn
        or is_assistant_message
        or is_system_message
    group by session_key

),

final as (

    select
        -- ids
        cast(sessions.session_key as string) as session_key,
        cast(sessions.capsule_id as string) as capsule_id,
        cast(sessions.visitor_key as string) as visitor_key,
        cast(coalesce(endings.last_content_id, 'unknown') as string)
            as last_content_id,

        -- text
        cast(sessions.visitor_tier as string) as visitor_tier,
        cast(sessions.channel as string) as channel,
        cast(sessions.source as string) as source,
        cast(sessions.campaign as string) as campaign,
        cast(sessions.country as string) as country,
        cast(sessions.device as string) as device,
        cast(sessions.browser as string) as browser,
        cast(sessions.os as string) as os,
        cast(coalesce(endings.last_topic, 'unknown') as string) as last_topic,
        cast(endings.last_speaker as string) as last_speaker,

        -- numbers
        cast(sessions.turn_count as bigint) as turn_count,
        cast(sessions.message_count as bigint) as message_count,
        cast(sessions.system_message_count as bigint) as system_message_count,

        -- booleans
        cast(sessions.conversion_count > 0 as boolean) as is_finished,
        cast(
            coalesce(endings.last_reply_number, 0) < endings.last_turn_number as boolean
        ) as is_last_turn_unanswered,
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(sessions.started_at as timestamp) as started_at,
        cast(sessions.session_date as date) as session_date,
        cast(sessions.event_date as date) as event_date
    from sessions
    inner join endings
        on sessions.session_key = endings.session_key
    where sessions.is_conversation

)

select * from final
order by capsule_id, started_at, session_key
