-- Plays that this build renews: those with an event in a touched session, as it was or
-- as it is, and those of an item whose type or length changed. A play id may lie in
-- several sessions; the others stay as they are.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    tags=['touched'],
) }}

with built_play_events as (

    select * from {{ built('int_play_events', 'intermediate', {
        'play_key': 'string',
        'session_key': 'string',
        'capsule_id': 'string',
        'content_id': 'string',
        'event_date': 'date',
    }) }}

),

renewed_events as (

    select * from {{ touched(ref('int_events_sessionized'), by='session') }}
    {% if not is_batch() %}
        where 1 = 0
    {% endif %}

),

content as (

    select * from {{ ref('int_content_described') }}

),

built_content as (

    select * from {{ built('dim_content', 'marts', {
        'capsule_id': 'string',
        'content_id': 'string',
        'content_type': 'string',
        'duration_seconds': 'double',
    }) }}

),

touched_sessions as (

    select * from {{ ref('int_touched_sessions') }}

),

-- A play without a length takes that of its item; whether it is one at all may depend
-- on the type.
redescribed_content as (

    select
        built_content.capsule_id,
        built_content.content_id
    from built_content
    left join content
        on
            built_content.capsule_id = content.capsule_id
            and built_content.content_id = content.content_id
    where
        built_content.content_type is distinct from content.content_type
        or built_content.duration_seconds
        is distinct from cast(content.duration_seconds as double)

),

plays as (

    select play_key
    from built_play_events
    where
        (session_key, event_date) in (
            select
                touched_sessions.session_key,
                touched_sessions.event_date
            from touched_sessions
        )
    union distinct
    select {{ play_key() }} as play_key
    from renewed_events
    where {{ is_sign_of_playing() }}
    union distinct
    select play_key
    from built_play_events
    where
        (capsule_id, content_id) in (
            select
                redescribed_content.capsule_id,
                redescribed_content.content_id
            from redescribed_content
        )

),

final as (

    select cast(play_key as string) as play_key
    from plays

)

select * from final
