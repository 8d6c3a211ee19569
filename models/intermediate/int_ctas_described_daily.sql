{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'event_date'],
    meta={'touched_by': 'event_day'},
    on_schema_change='fail',
) }}

with events as (

    select * from {{ touched(ref('int_events_sessionized'), by='event_day') }}

),

described_events as (

    select
        capsule_id,
        cta_id,
        event_date,
        nullif(cta_type, 'unknown') as cta_type,
        cta_label,
        {{ newest_rank() }} as newest_rank
    from events
    where cta_id is not null

),

final as (

    select
        -- ids
        capsule_id,
        cta_id,

        -- text
        max_by(cta_type, newest_rank) filter (
            where cta_type is not null
        ) as cta_type,
        max(case when cta_type is not null then newest_rank end) as type_rank,
        max_by(cta_label, newest_rank) filter (
            where cta_label is not null
        ) as cta_label,
        max(case when cta_label is not null then newest_rank end) as label_rank,

        -- timestamps
        event_date
    from described_events
    group by capsule_id, cta_id, event_date

)

select * from final
