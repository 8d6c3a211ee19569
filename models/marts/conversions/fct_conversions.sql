{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['session_key', 'event_date'],
    meta={'touched_by': 'session'},
    on_schema_change='fail',
) }}

with events as (

    select * from {{ ref('int_events_sessionized') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

converting_sessions as (

    select * from {{ touched(ref('fct_sessions'), by='session') }}

),

converting_events as (

    select * from {{ touched(ref('int_events_counted'), by='session') }}
    where is_conversion

),

ctas as (

    select * from {{ ref('int_ctas_described') }}

),

conversions as (

    select
        converting_events.*,
        converting_sessions.started_at,
        converting_sessions.visitor_key,
        converting_sessions.visitor_tier,
        converting_sessions.channel as session_channel,
        converting_sessions.source as session_source,
        converting_sessions.campaign as session_campaign,
        converting_sessions.country as session_country,
        converting_sessions.device as session_device,
        converting_sessions.browser as session_browser,
        converting_sessions.os as session_os,
        converting_sessions.is_bot,
        converting_events.occurred_at
        - interval '{{ var("first_touch_days") }} days' as first_touch_from
    from converting_events
    inner join converting_sessions
        on converting_events.session_key = converting_sessions.session_key

),

-- The visitor's sessions on the capsule that reach into the days before; one may begin
-- earlier, so its events are asked, not its start.
touching_sessions as (

    select
        conversions.event_key,
        conversions.occurred_at as converted_at,
        conversions.first_touch_from,
        sessions.session_key,
        sessions.started_at
    from conversions
    inner join sessions
        on
            conversions.capsule_id = sessions.capsule_id
            and conversions.visitor_tier = sessions.visitor_tier
            and conversions.visitor_key = sessions.visitor_key
            and conversions.first_touch_from <= sessions.ended_at
            and conversions.occurred_at >= sessions.started_at
    where conversions.visitor_tier in ('user', 'visitor')

),

-- Such a session goes on within a pause of the moment the look back begins at: two days
-- of events at most are read, not all of them.
reached_days as (

    select
        *,
        cast(first_touch_from as date) as event_date
    from touching_sessions
    where started_at < first_touch_from
    union distinct
    select
        *,
        cast(
            first_touch_from + interval '{{ var("session_gap_minutes") }} minutes'
            as date
        ) as event_date
    from touching_sessions
    where started_at < first_touch_from

),

touches as (

    select
        event_key,
        converted_at,
        started_at as touched_at
    from touching_sessions
    where started_at >= first_touch_from
    union all
    select
        reached_days.event_key,
        reached_days.converted_at,
        events.occurred_at as touched_at
    from reached_days
    inner join events
        on
            reached_days.session_key = events.session_key
            and reached_days.event_date = events.event_date
            and reached_days.first_touch_from <= events.occurred_at
            and reached_days.converted_at >= events.occurred_at

),

first_touches as (

    select
        event_key,
        converted_at,
        min(touched_at) as first_touch_at
    from touches
    group by event_key, converted_at

),

final as (

    select
        -- ids
        cast(conversions.event_key as string) as conversion_key,
        cast(conversions.capsule_id as string) as capsule_id,
        cast(conversions.session_key as string) as session_key,
        cast(conversions.visitor_key as string) as visitor_key,
        cast(conversions.cta_id as string) as cta_id,

        -- text
        cast(conversions.visitor_tier as string) as visitor_tier,
        cast(conversions.conversion_type as string) as conversion_type,
        cast(
            coalesce(
                nullif(conversions.cta_type, 'unknown'), ctas.cta_type, 'unknown'
            ) as string
        ) as cta_type,
        cast(conversions.currency as string) as currency,
        cast(conversions.session_channel as string) as channel,
        cast(conversions.session_source as string) as source,
        cast(conversions.session_campaign as string) as campaign,
        cast(conversions.session_country as string) as country,
        cast(conversions.session_device as string) as device,
        cast(conversions.session_browser as string) as browser,
        cast(conversions.session_os as string) as os,

        -- numbers
        cast(conversions.amount as decimal(18, 4)) as amount,
        cast(
            {{ seconds_between('conversions.started_at', 'conversions.occurred_at') }}
            as double
        ) as seconds_from_session_start,
        cast(
            {{ seconds_between(
                'first_touches.first_touch_at', 'conversions.occurred_at'
            ) }}
            as double
        ) as seconds_from_first_touch,

        -- booleans
        cast(conversions.is_lead as boolean) as is_lead,
        cast(conversions.is_sale as boolean) as is_sale,
        cast(conversions.is_cta_click as boolean) as is_cta_click,
        cast(conversions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(conversions.occurred_at as timestamp) as converted_at,
        cast({{ reporting_date('conversions.occurred_at') }} as date)
            as conversion_date,
        cast(conversions.event_date as date) as event_date
    from conversions
    left join first_touches
        on
            conversions.event_key = first_touches.event_key
            and conversions.occurred_at = first_touches.converted_at
    left join ctas
        on
            conversions.capsule_id = ctas.capsule_id
            and conversions.cta_id = ctas.cta_id

)

select * from final
order by capsule_id, converted_at, conversion_key
