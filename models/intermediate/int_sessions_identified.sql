{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['event_date', 'session_key'],
    meta={'touched_by': 'sitting', 'instant': 'started_at'},
    on_schema_change='fail',
) }}

{{ built_after('int_outdated_sessions') }}

with events as (

    select * from {{ touched(ref('int_events_sessionized'), by='sitting') }}

),

sessions as (

    select
        session_key,
        min(capsule_id) as capsule_id,
        min(client_session_key) as client_session_key,
        -- A second user begins a new session, so there is one at most.
        min(user_key) as user_key,
        min_by(visitor_id_key, event_number) filter (
            where visitor_id_key is not null
        ) as visitor_id_key,
        min_by(daily_key, event_number) filter (
            where daily_key is not null
        ) as daily_key,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at
    from events
    group by session_key

),

final as (

    select
        -- ids
        session_key,
        capsule_id,
        client_session_key,
        coalesce(user_key, visitor_id_key, daily_key, client_session_key)
            as visitor_key,

        -- text
        case
            when user_key is not null then 'user'
            when visitor_id_key is not null then 'visitor'
            when daily_key is not null then 'daily'
            else 'session'
        end as visitor_tier,

        -- timestamps
        started_at,
        ended_at,
        cast(started_at as date) as event_date
    from sessions

)

select * from final
