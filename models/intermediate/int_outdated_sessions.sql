-- Read before the sessions are renewed: what they were is touched as well, or a session
-- that became part of another would stay in the marts.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    tags=['touched'],
) }}

with built_sessions as (

    select * from {{ built('int_sessions_identified', 'intermediate', {
        'session_key': 'string',
        'capsule_id': 'string',
        'client_session_key': 'string',
        'visitor_key': 'string',
        'visitor_tier': 'string',
        'started_at': 'timestamp',
        'ended_at': 'timestamp',
        'event_date': 'date',
    }) }}

),

final as (

    select
        -- ids
        cast(built_sessions.session_key as string) as session_key,
        cast(built_sessions.capsule_id as string) as capsule_id,
        cast(built_sessions.visitor_key as string) as visitor_key,

        -- text
        cast(built_sessions.visitor_tier as string) as visitor_tier,

        -- timestamps
        cast(built_sessions.started_at as timestamp) as started_at,
        cast(built_sessions.ended_at as timestamp) as ended_at
    from built_sessions
    {{ semi_join_sittings('built_sessions', 'started_at') }}

)

select * from final
