-- A returned row is a capsule, day and bot flag whose endings do not add up to its
-- conversations, or whose first turn was reached by another number of them.

with depth as (

    select
        capsule_id,
        session_date,
        is_bot,
        sum(dropped_count + finished_count) as ended_count,
        max(reached_count) as most_reached_count
    from {{ touched(
        ref('conversation_depth_daily'),
        by='day',
        columns=['capsule_id', 'session_date']
    ) }}
    group by capsule_id, session_date, is_bot

),

conversations as (

    select
        capsule_id,
        session_date,
        is_bot,
        count(*) as conversation_count
    from {{ touched(
        ref('fct_sessions'), by='day', columns=['capsule_id', 'session_date']
    ) }}
    where is_conversation
    group by capsule_id, session_date, is_bot

)

select
    conversations.capsule_id,
    conversations.session_date,
    conversations.is_bot,
    conversations.conversation_count,
    depth.ended_count,
    depth.most_reached_count
from conversations
full outer join depth
    on
        conversations.capsule_id = depth.capsule_id
        and conversations.session_date = depth.session_date
        and conversations.is_bot = depth.is_bot
where
    coalesce(conversations.conversation_count, 0) <> coalesce(depth.ended_count, 0)
    or coalesce(conversations.conversation_count, 0)
    <> coalesce(depth.most_reached_count, 0)
