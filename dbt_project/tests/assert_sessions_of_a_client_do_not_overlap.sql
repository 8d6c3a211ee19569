-- A returned row is a session that begins before the one before it in the same client
-- session ended: the cut failed.

with bounds as (

    select
        session_key,
        min(client_session_key) as client_session_key,
        min(capsule_id) as capsule_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at
    from {{ touched(ref('int_events_sessionized'), by='sitting') }}
    group by session_key

),

neighbours as (

    select
        *,
        lag(ended_at) over (
            partition by capsule_id, client_session_key
            order by started_at, ended_at
        ) as previous_ended_at
    from bounds

)

select *
from neighbours
where started_at < previous_ended_at
