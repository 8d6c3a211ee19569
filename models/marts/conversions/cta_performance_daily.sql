{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'activity_date'],
    meta={'touched_by': 'day'},
    on_schema_change='fail',
) }}

with events as (

    select * from {{ touched(ref('int_events_counted'), by='day') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

ctas as (

    select * from {{ ref('int_ctas_described') }}

),

cta_events as (

    select
        events.capsule_id,
        coalesce(events.cta_id, 'unknown') as cta_id,
        events.is_cta_impression,
        events.is_cta_click,
        events.is_conversion,
        sessions.is_bot,
        {{ reporting_date('events.occurred_at') }} as activity_date
    from events
    inner join sessions
        on events.session_key = sessions.session_key
    where
        events.is_cta_impression
        or events.is_cta_click
        or (events.is_conversion and events.cta_id is not null)

),

daily_performance as (

    select
        capsule_id,
        cta_id,
        is_bot,
        activity_date,
        count(*) filter (where is_cta_impression) as impression_count,
        count(*) filter (where is_cta_click) as click_count,
        count(*) filter (where is_conversion) as conversion_count
    from cta_events
    group by capsule_id, activity_date, cta_id, is_bot

),

final as (

    select
        -- ids
        cast(daily_performance.capsule_id as string) as capsule_id,
        cast(daily_performance.cta_id as string) as cta_id,

        -- text
        cast(coalesce(ctas.cta_type, 'unknown') as string) as cta_type,
        cast(coalesce(ctas.cta_label, daily_performance.cta_id) as string) as cta_label,

        -- numbers
        cast(daily_performance.impression_count as bigint) as impression_count,
        cast(daily_performance.click_count as bigint) as click_count,
        cast(daily_performance.conversion_count as bigint) as conversion_count,

        -- booleans
        cast(daily_performance.is_bot as boolean) as is_bot,

        -- timestamps
        cast(daily_performance.activity_date as date) as activity_date
    from daily_performance
    left join ctas
        on
            daily_performance.capsule_id = ctas.capsule_id
            and daily_performance.cta_id = ctas.cta_id

)

select * from final
