{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    tags=['touched'],
) }}

with outdated_sessions as (

    select * from {{ ref('int_outdated_sessions') }}

),

renewed_sessions as (

    select * from {{ touched(
        ref('int_sessions_identified'), by='sitting', columns='started_at'
    ) }}
    {% if not is_batch() %}
        where 1 = 0
    {% endif %}

),

sessions as (

    select
        capsule_id,
        visitor_tier,
        visitor_key,
        started_at,
        ended_at
    from outdated_sessions
    union all
    select
        capsule_id,
        visitor_tier,
        visitor_key,
        started_at,
        ended_at
    from renewed_sessions

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,
        cast(visitor_key as string) as visitor_key,

        -- text
        cast(visitor_tier as string) as visitor_tier,

        -- timestamps
        cast(min(started_at) as timestamp) as touched_from_at,
        cast(max(ended_at) as timestamp) as touched_until_at
    from sessions
    group by capsule_id, visitor_tier, visitor_key

)

select * from final
