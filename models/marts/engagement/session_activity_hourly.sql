-- Ordered by capsule and hour on disk, so that a page about one capsule reads few row
-- groups.

{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['session_key', 'event_date'],
    meta={'touched_by': 'session'},
    on_schema_change='fail',
) }}

with events as (

    select * from {{ touched(ref('int_events_counted'), by='session') }}

),

sessions as (

    select * from {{ touched(ref('fct_sessions'), by='session') }}

),

hourly_activity as (

    select
        session_key,
        date_trunc('hour', occurred_at) as activity_hour_at,
        {{ reporting_date('occurred_at') }} as activity_date,
        count(*) as event_count,
        count(*) filter (where is_view) as view_count,
        count(*) filter (where is_turn) as turn_count,
        count(*) filter (where is_turn or is_assistant_message) as message_count,
        count(*) filter (where is_content_access) as content_access_count,
        count(*) filter (where is_citation) as citation_count,
        count(*) filter (where is_search) as search_count,
        count(*) filter (
            where is_search and result_count = 0
        ) as zero_result_search_count,
        count(*) filter (where is_cta_impression) as cta_impression_count,
        count(*) filter (where is_cta_click) as cta_click_count,
        count(*) filter (where is_conversion) as conversion_count,
        count(*) filter (where is_lead) as lead_count,
        count(*) filter (where is_custom_event) as custom_event_count
    from events
    group by
        session_key,
        date_trunc('hour', occurred_at),
        {{ reporting_date('occurred_at') }}

),

final as (

    select
        -- ids
        cast(hourly_activity.session_key as string) as session_key,
        cast(sessions.capsule_id as string) as capsule_id,
        cast(sessions.visitor_key as string) as visitor_key,

        -- text
        cast(sessions.visitor_tier as string) as visitor_tier,
        cast(sessions.channel as string) as channel,
        cast(sessions.source as string) as source,
        cast(sessions.campaign as string) as campaign,
        cast(sessions.country as string) as country,
        cast(sessions.device as string) as device,
        cast(sessions.browser as string) as browser,
        cast(sessions.os as string) as os,

        -- numbers
        cast(hourly_activity.event_count as bigint) as event_count,
        cast(hourly_activity.view_count as bigint) as view_count,
        cast(hourly_activity.turn_count as bigint) as turn_count,
        cast(hourly_activity.message_count as bigint) as message_count,
        cast(hourly_activity.content_access_count as bigint) as content_access_count,
        cast(hourly_activity.citation_count as bigint) as citation_count,
        cast(hourly_activity.search_count as bigint) as search_count,
        cast(hourly_activity.zero_result_search_count as bigint)
            as zero_result_search_count,
        cast(hourly_activity.cta_impression_count as bigint) as cta_impression_count,
        cast(hourly_activity.cta_click_count as bigint) as cta_click_count,
        cast(hourly_activity.conversion_count as bigint) as conversion_count,
        cast(hourly_activity.lead_count as bigint) as lead_count,
        cast(hourly_activity.custom_event_count as bigint) as custom_event_count,

        -- booleans
        cast(sessions.is_returning as boolean) as is_returning,
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(hourly_activity.activity_hour_at as timestamp) as activity_hour_at,
        cast(hourly_activity.activity_date as date) as activity_date,
        cast(sessions.session_date as date) as session_date,
        cast(hourly_activity.activity_hour_at as date) as event_date
    from hourly_activity
    inner join sessions
        on hourly_activity.session_key = sessions.session_key

)

select * from final
order by capsule_id, activity_hour_at, session_key
