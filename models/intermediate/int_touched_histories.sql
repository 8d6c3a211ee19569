-- The days of a visitor on a capsule whose funnels are renewed. A funnel is entered on
-- a day and goes on for seven, so a touched session changes those of the days before
-- it; one more for the zone. The whole history of each visitor took a second at five
-- million events, and grew.

{{ config(tags=['touched']) }}

with touched_visitors as (

    select * from {{ ref('int_touched_visitors') }}

),

touched_sessions as (

    select * from {{ ref('int_touched_sessions') }}

),

outdated_sessions as (

    select * from {{ ref('int_outdated_sessions') }}

),

sessions as (

    select * from {{ ref('int_sessions_identified') }}

),

-- The sessions of touched sittings, and those that change because of what happened
-- elsewhere.
changes as (

    select
        capsule_id,
        visitor_tier,
        visitor_key,
        touched_from_at as from_at,
        touched_until_at as until_at
    from touched_visitors
    union all
    select
        sessions.capsule_id,
        sessions.visitor_tier,
        sessions.visitor_key,
        sessions.started_at as from_at,
        sessions.ended_at as until_at
    from sessions
    where
        sessions.session_key in (
            select touched_sessions.session_key
            from touched_sessions
        )

),

changed_visitors as (

    select
        capsule_id,
        visitor_tier,
        visitor_key,
        min(from_at) - interval '8 days' as from_at,
        max(until_at) + interval '1 day' as until_at
    from changes
    group by capsule_id, visitor_tier, visitor_key

),

visits as (

    select
        sessions.capsule_id,
        sessions.visitor_tier,
        sessions.visitor_key,
        sessions.started_at,
        sessions.ended_at
    from sessions
    inner join changed_visitors
        on
            sessions.capsule_id = changed_visitors.capsule_id
            and sessions.visitor_tier = changed_visitors.visitor_tier
            and sessions.visitor_key = changed_visitors.visitor_key
            and sessions.ended_at >= changed_visitors.from_at
            and sessions.started_at <= changed_visitors.until_at
    union all
    select
        capsule_id,
        visitor_tier,
        visitor_key,
        started_at,
        ended_at
    from outdated_sessions

),

spans as (

    select
        capsule_id,
        visitor_tier,
        visitor_key,
        cast({{ reporting_date('started_at') }} as timestamp) as from_at,
        cast({{ reporting_date('ended_at') }} as timestamp) as until_at
    from visits

),

{{ days_of_spans() }}

final as (

    select distinct
        -- ids
        cast(spans.capsule_id as string) as capsule_id,
        cast(spans.visitor_key as string) as visitor_key,

        -- text
        cast(spans.visitor_tier as string) as visitor_tier,

        -- timestamps
        cast(spans.from_at as date) + span_days.day_number as entry_date
    from spans
    inner join span_days
        on
            cast(spans.from_at as date) + span_days.day_number
            <= cast(spans.until_at as date)

)

select * from final
