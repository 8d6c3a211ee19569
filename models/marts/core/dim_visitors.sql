{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['visitor_tier', 'visitor_key'],
    meta={'touched_by': 'visitor'},
    on_schema_change='fail',
) }}

with sessions as (

    select * from {{ touched(ref('fct_sessions'), by='visitor') }}

),

final as (

    select
        -- ids
        cast(visitor_key as string) as visitor_key,

        -- text
        cast(visitor_tier as string) as visitor_tier,

        -- numbers
        cast(count(*) as bigint) as session_count,
        cast(count(distinct capsule_id) as bigint) as capsule_count,

        -- timestamps
        cast(min(started_at) as timestamp) as first_seen_at,
        cast(max(ended_at) as timestamp) as last_seen_at
    from sessions
    group by visitor_key, visitor_tier

)

select * from final
