{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'activity_date'],
    meta={'touched_by': 'day'},
    on_schema_change='fail',
) }}

with searches as (

    select * from {{ touched(ref('fct_searches'), by='day') }}

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,

        -- text
        cast(search_query as string) as search_query,

        -- numbers
        cast(count(*) as bigint) as search_count,
        cast(count(*) filter (where is_zero_result) as bigint) as zero_result_count,
        cast(count(*) filter (where is_followed_by_access) as bigint) as followed_count,
        cast(count(distinct session_key) as bigint) as session_count,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(activity_date as date) as activity_date
    from searches
    group by capsule_id, activity_date, search_query, is_bot

)

select * from final
