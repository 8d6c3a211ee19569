-- A returned row is a capsule whose new, returning and unknown visitors do not add up
-- to its visitors.

with visitors as (

    select
        capsule_id,
        visitor_key,
        visitor_tier,
        max(case when is_returning then 1 else 0 end) as is_returning
    from {{ touched(
        ref('session_activity_hourly'), by='capsule_visitor'
    ) }}
    group by capsule_id, visitor_key, visitor_tier

),

counted as (

    select
        capsule_id,
        count(distinct visitor_key) as visitor_count,
        count(*) filter (
            where visitor_tier in ('user', 'visitor') and is_returning = 0
        ) as new_visitor_count,
        count(*) filter (
            where visitor_tier in ('user', 'visitor') and is_returning = 1
        ) as returning_visitor_count,
        count(*) filter (
            where visitor_tier in ('daily', 'session') and is_returning = 0
        ) as unknown_visitor_count
    from visitors
    group by capsule_id

)

select *
from counted
where
    visitor_count
    <> new_visitor_count + returning_visitor_count + unknown_visitor_count
