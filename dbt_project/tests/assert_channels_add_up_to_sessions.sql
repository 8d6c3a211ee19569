-- A returned row is a capsule and day whose sessions by channel differ from the
-- sessions that started then: a session was lost or counted twice on its way into the
-- traffic table.

with traffic as (

    select
        capsule_id,
        activity_date,
        sum(session_count) as session_count
    from {{ touched(ref('capsule_traffic_daily'), by='day') }}
    group by capsule_id, activity_date

),

sessions as (

    select
        capsule_id,
        session_date,
        count(*) as session_count
    from {{ touched(
        ref('fct_sessions'), by='day', columns=['capsule_id', 'session_date']
    ) }}
    group by capsule_id, session_date

)

select
    coalesce(traffic.capsule_id, sessions.capsule_id) as capsule_id,
    coalesce(traffic.activity_date, sessions.session_date) as activity_date,
    traffic.session_count as traffic_session_count,
    sessions.session_count
from traffic
full outer join sessions
    on
        traffic.capsule_id = sessions.capsule_id
        and traffic.activity_date = sessions.session_date
where coalesce(traffic.session_count, 0) <> coalesce(sessions.session_count, 0)
