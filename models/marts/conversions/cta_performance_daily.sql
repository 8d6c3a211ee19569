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
        events.session_key,
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
        count(*) filter (where is_conversion) as conversion_count,
        count(distinct case when is_cta_click then session_key end)
            as clicking_session_count
    from cta_events
    group by capsule_id, activity_date, cta_id, is_bot

),

daily_audiences as (

    select
        events.capsule_id,
        sessions.is_bot,
        {{ reporting_date('events.occurred_at') }} as activity_date,
        count(distinct case when events.is_view then events.session_key end)
            as viewing_session_count,
        count(*) filter (where events.is_cta_impression) as impression_count
    from events
    inner join sessions
        on events.session_key = sessions.session_key
    group by
        events.capsule_id,
        sessions.is_bot,
        {{ reporting_date('events.occurred_at') }}

),

-- What clicks are divided by: impressions where the capsule sends any that day, whether
-- people or bots saw them.
daily_capsules as (

    select
        *,
        sum(impression_count) over (
            partition by capsule_id, activity_date
        ) > 0 as sends_impressions
    from daily_audiences

),

rated_performance as (

    select
        daily_performance.*,
        daily_capsules.viewing_session_count,
        case
            when daily_capsules.sends_impressions then 'impressions' else 'sessions'
        end as ctr_basis,
        case
            when daily_capsules.sends_impressions
                then
                    cast(
                        least(
                            daily_performance.click_count,
                            daily_performance.impression_count
                        ) as double
                    )
                    / nullif(daily_performance.impression_count, 0)
            else
                cast(
                    least(
                        daily_performance.clicking_session_count,
                        daily_capsules.viewing_session_count
                    ) as double
                )
                / nullif(daily_capsules.viewing_session_count, 0)
        end as click_through_rate
    from daily_performance
    inner join daily_capsules
        on
            daily_performance.capsule_id = daily_capsules.capsule_id
            and daily_performance.activity_date = daily_capsules.activity_date
            and daily_performance.is_bot = daily_capsules.is_bot

),

final as (

    select
        -- ids
        cast(rated_performance.capsule_id as string) as capsule_id,
        cast(rated_performance.cta_id as string) as cta_id,

        -- text
        cast(coalesce(ctas.cta_type, 'unknown') as string) as cta_type,
        cast(coalesce(ctas.cta_label, rated_performance.cta_id) as string) as cta_label,
        cast(rated_performance.ctr_basis as string) as ctr_basis,

        -- numbers
        cast(rated_performance.impression_count as bigint) as impression_count,
        cast(rated_performance.click_count as bigint) as click_count,
        cast(rated_performance.conversion_count as bigint) as conversion_count,
        cast(rated_performance.clicking_session_count as bigint)
            as clicking_session_count,
        cast(rated_performance.viewing_session_count as bigint)
            as viewing_session_count,
        cast(rated_performance.click_through_rate as double) as click_through_rate,

        -- booleans
        cast(rated_performance.is_bot as boolean) as is_bot,

        -- timestamps
        cast(rated_performance.activity_date as date) as activity_date
    from rated_performance
    left join ctas
        on
            rated_performance.capsule_id = ctas.capsule_id
            and rated_performance.cta_id = ctas.cta_id

)

select * from final
