-- A sitting is what one client did without a pause: one session, or several when
-- another user signed in. What arrives or vanishes within a pause of it may lengthen,
-- join or split it, so it is rebuilt whole; others of the same client are not.

-- Appended: what a failed build did not finish stays touched. A good build empties it.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    tags=['touched'],
) }}

{% set pause = "interval '" ~ var('session_gap_minutes') ~ " minutes'" %}

with events as (

    select * from {{ ref('stg_events') }}

),

removed_events as (

    select * from {{ ref('stg_removed_events') }}

),

pending_batches as (

    select * from {{ ref('stg_pending_batches') }}
    {% if not is_batch() %}
        where 1 = 0
    {% endif %}

),

built_events as (

    select * from {{ built('int_events_sessionized', 'intermediate', {
        'capsule_id': 'string',
        'client_session_key': 'string',
        'sitting_started_at': 'timestamp',
        'sitting_ended_at': 'timestamp',
        'occurred_at': 'timestamp',
        'event_date': 'date',
    }) }}

),

touched_instants as (

    select distinct
        capsule_id,
        client_session_key,
        occurred_at
    from events
    where batch_id in (select pending_batches.batch_id from pending_batches)
    union distinct
    select distinct
        capsule_id,
        client_session_key,
        occurred_at
    from removed_events
    where batch_id in (select pending_batches.batch_id from pending_batches)

),

-- The days on which a neighbour can lie: DuckDB reads only their row groups.
neighbour_days as (

    select
        *,
        cast(occurred_at - {{ pause }} as date) as event_date
    from touched_instants
    union distinct
    select
        *,
        cast(occurred_at as date) as event_date
    from touched_instants
    union distinct
    select
        *,
        cast(occurred_at + {{ pause }} as date) as event_date
    from touched_instants

),

spans as (

    select distinct
        built_events.capsule_id,
        built_events.client_session_key,
        built_events.sitting_started_at as from_at,
        built_events.sitting_ended_at as until_at
    from built_events
    inner join neighbour_days
        on
            built_events.event_date = neighbour_days.event_date
            and built_events.capsule_id = neighbour_days.capsule_id
            and built_events.client_session_key = neighbour_days.client_session_key
            and built_events.occurred_at >= neighbour_days.occurred_at - {{ pause }}
            and built_events.occurred_at <= neighbour_days.occurred_at + {{ pause }}
    union distinct
    select
        capsule_id,
        client_session_key,
        occurred_at as from_at,
        occurred_at as until_at
    from touched_instants

),

{{ days_of_spans() }}

final as (

    select distinct
        -- ids
        cast(spans.capsule_id as string) as capsule_id,
        cast(spans.client_session_key as string) as client_session_key,

        -- timestamps
        cast(spans.from_at as timestamp) as from_at,
        cast(spans.until_at as timestamp) as until_at,
        cast(cast(spans.from_at as date) + span_days.day_number as date) as event_date
    from spans
    inner join span_days
        on
            cast(spans.from_at as date) + span_days.day_number
            <= cast(spans.until_at as date)

)

select * from final
