-- A returned row is a step of a funnel that more sessions or visitors took than the
-- step before it.

with steps as (

    select
        *,
        lag(session_count) over (
            partition by capsule_id, entry_date, channel, device, is_bot
            order by step_number
        ) as previous_session_count,
        lag(visitor_count) over (
            partition by capsule_id, entry_date, channel, device, is_bot
            order by step_number
        ) as previous_visitor_count
    from {{ ref('conversion_funnel_daily') }}

)

select *
from steps
where
    session_count > previous_session_count
    or visitor_count > previous_visitor_count
