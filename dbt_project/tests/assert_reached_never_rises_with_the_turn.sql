-- A returned row is a turn that more sessions reached than the turn before it.

with turns as (

    select
        *,
        lag(reached_count) over (
            partition by capsule_id, session_date, is_bot
            order by turn_number
        ) as previous_reached_count
    from {{ touched(
        ref('conversation_depth_daily'),
        by='day',
        columns=['capsule_id', 'session_date']
    ) }}

)

select *
from turns
where reached_count > previous_reached_count
