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

ctas as (

    select * from {{ ref('int_ctas_described') }}

),

hourly_activity as (

    select
        session_key,
        coalesce(cta_id, 'unknown') as cta_id,
        date_trunc('hour', occurred_at) as activity_hour_at,
        {{ reporting_date('occurred_at') }} as activity_date,
        count(*) filter (where is_cta_impression) as impression_count,
        count(*) filter (where is_cta_click) as click_count,
        count(*) filter (where is_conversion) as conversion_count
    from events
    where
        is_cta_impression
        or is_cta_click
        or (is_conversion and cta_id is not null)
    group by
        session_key,
        coalesce(cta_id, 'unknown'),
        date_trunc('hour', occurred_at),
        {{ reporting_date('occurred_at') }}

),

final as (

    select
        -- ids
        cast(hourly_activity.session_key as string) as session_key,
        cast(sessions.capsule_id as string) as capsule_id,
        cast(sessions.visitor_key as string) as visitor_key,
        cast(hourly_activity.cta_id as string) as cta_id,

        -- text
        cast(coalesce(ctas.cta_type, 'unknown') as string) as cta_type,
        cast(sessions.visitor_tier as string) as visitor_tier,
        cast(sessions.channel as string) as channel,
        cast(sessions.source as string) as source,
        cast(sessions.campaign as string) as campaign,
        cast(sessions.country as string) as country,
        cast(sessions.device as string) as device,
        cast(sessions.browser as string) as browser,
        cast(sessions.os as string) as os,

        -- numbers
        cast(hourly_activity.impression_count as bigint) as impression_count,
        cast(hourly_activity.click_count as bigint) as click_count,
        cast(hourly_activity.conversion_count as bigint) as conversion_count,

        -- booleans
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(hourly_activity.activity_hour_at as timestamp) as activity_hour_at,
        cast(hourly_activity.activity_date as date) as activity_date,
        cast(hourly_activity.activity_hour_at as date) as event_date
    from hourly_activity
    inner join sessions
        on hourly_activity.session_key = sessions.session_key
    left join ctas
        on
            sessions.capsule_id = ctas.capsule_id
            and hourly_activity.cta_id = ctas.cta_id

)

select * from final
order by capsule_id, activity_hour_at, session_key, cta_id
