{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'visitor_tier', 'visitor_key'],
    meta={'touched_by': 'capsule_visitor'},
    on_schema_change='fail',
) }}

-- The first sessions of the last build are compared before they are renewed.
{{ built_after('int_touched_sessions') }}

with sessions as (

    select * from {{ touched(
        ref('int_sessions_identified'), by='capsule_visitor'
    ) }}

),

final as (

    select
        -- ids
        capsule_id,
        visitor_key,

        -- text
        visitor_tier,

        -- timestamps
        min(started_at) as first_started_at
    from sessions
    where visitor_tier in ('user', 'visitor')
    group by capsule_id, visitor_tier, visitor_key

)

select * from final
