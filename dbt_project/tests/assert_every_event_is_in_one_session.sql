-- A returned row means that the sessions, or their hours, hold another number of events
-- than staging.

with counted as (

    select
        (select count(*) from {{ ref('stg_events') }}) as event_count,
        (
            select coalesce(sum(event_count), 0)
            from {{ ref('fct_sessions') }}
        ) as session_event_count,
        (
            select coalesce(sum(event_count), 0)
            from {{ ref('session_activity_hourly') }}
        ) as hourly_event_count

)

select *
from counted
where event_count <> session_event_count or event_count <> hourly_event_count
