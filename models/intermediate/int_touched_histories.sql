-- Visitors whose whole history on a capsule is renewed: those of touched sittings, and
-- of the sessions that change because of what happened elsewhere.

{{ config(tags=['touched']) }}

with touched_visitors as (

    select * from {{ ref('int_touched_visitors') }}

),

touched_sessions as (

    select * from {{ ref('int_touched_sessions') }}

),

sessions as (

    select * from {{ ref('int_sessions_identified') }}

),

visitors as (

    select
        capsule_id,
        visitor_tier,
        visitor_key
    from touched_visitors
    union distinct
    select
        sessions.capsule_id,
        sessions.visitor_tier,
        sessions.visitor_key
    from sessions
    where
        sessions.session_key in (
            select touched_sessions.session_key
            from touched_sessions
        )

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,
        cast(visitor_key as string) as visitor_key,

        -- text
        cast(visitor_tier as string) as visitor_tier
    from visitors

)

select * from final
