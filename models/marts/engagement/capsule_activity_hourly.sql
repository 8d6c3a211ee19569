{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'activity_date'],
    meta={'touched_by': 'day'},
    on_schema_change='fail',
) }}

with session_activity as (

    select * from {{ touched(ref('session_activity_hourly'), by='day') }}

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,

        -- numbers
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(view_count) as bigint) as view_count,
        cast(sum(turn_count) as bigint) as turn_count,
        cast(sum(message_count) as bigint) as message_count,
        cast(sum(content_access_count) as bigint) as content_access_count,
        cast(sum(citation_count) as bigint) as citation_count,
        cast(sum(search_count) as bigint) as search_count,
        cast(sum(zero_result_search_count) as bigint) as zero_result_search_count,
        cast(sum(cta_impression_count) as bigint) as cta_impression_count,
        cast(sum(cta_click_count) as bigint) as cta_click_count,
        cast(sum(conversion_count) as bigint) as conversion_count,
        cast(sum(lead_count) as bigint) as lead_count,
        cast(sum(custom_event_count) as bigint) as custom_event_count,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(activity_hour_at as timestamp) as activity_hour_at,
        cast(activity_date as date) as activity_date,
        cast(activity_hour_at as date) as event_date
    from session_activity
    group by capsule_id, activity_hour_at, activity_date, is_bot

)

select * from final
