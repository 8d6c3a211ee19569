-- One event in many is of a video, so the whole history of a play is found without
-- reading the others.
{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['session_key', 'event_date'],
    meta={'touched_by': 'session'},
    on_schema_change='fail',
) }}

{{ built_after('int_touched_plays') }}

with events as (

    select * from {{ touched(ref('int_events_sessionized'), by='session') }}

),

-- Whether its item is a video is asked later: an item may change its type.
play_events as (

    select * from events
    where {{ is_sign_of_playing() }}

),

final as (

    select
        -- ids
        {{ play_key() }} as play_key,
        event_key,
        session_key,
        capsule_id,
        content_id,
        play_id,

        -- text
        coalesce(action, 'open') as action,
        content_type,

        -- numbers
        position_seconds,
        from_seconds,
        to_seconds,
        duration_seconds,
        percent,

        -- timestamps
        occurred_at,
        event_date
    from play_events

)

select * from final
