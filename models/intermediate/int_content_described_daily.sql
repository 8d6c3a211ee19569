{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'event_date'],
    meta={'touched_by': 'event_day'},
    on_schema_change='fail',
) }}

with events as (

    select * from {{ touched(ref('int_events_counted'), by='event_day') }}

),

described_events as (

    select
        *,
        {{ newest_rank() }} as newest_rank
    from events
    where content_id is not null

),

final as (

    select
        -- ids
        capsule_id,
        content_id,

        -- text
        max_by(content_title, newest_rank) filter (
            where content_title is not null
        ) as content_title,
        max(case when content_title is not null then newest_rank end) as title_rank,
        max_by(content_type, newest_rank) filter (
            where content_type is not null
        ) as content_type,
        max(case when content_type is not null then newest_rank end) as type_rank,

        -- numbers
        max(duration_seconds) as duration_seconds,
        count(*) filter (where is_content_access) as access_count,

        -- timestamps
        min(case when is_content_access then occurred_at end) as first_accessed_at,
        max(case when is_content_access then occurred_at end) as last_accessed_at,
        event_date
    from described_events
    group by capsule_id, content_id, event_date

)

select * from final
