with events as (

    select * from {{ ref('int_events_counted') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

cta_events as (

    select
        events.capsule_id,
        coalesce(events.cta_id, 'unknown') as cta_id,
        coalesce(events.cta_type, 'unknown') as cta_type,
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

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,
        cast(cta_id as string) as cta_id,

        -- text
        cast(cta_type as string) as cta_type,

        -- numbers
        cast(count(*) filter (where is_cta_impression) as bigint) as impression_count,
        cast(count(*) filter (where is_cta_click) as bigint) as click_count,
        cast(count(*) filter (where is_conversion) as bigint) as conversion_count,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(activity_date as date) as activity_date
    from cta_events
    group by capsule_id, activity_date, cta_id, cta_type, is_bot

)

select * from final
