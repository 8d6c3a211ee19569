-- A returned row is a capsule whose unique viewers are more than the sum of its days,
-- or fewer than on its largest day.

with viewers as (

    select
        capsule_id,
        activity_date,
        visitor_key
    from {{ touched(ref('session_activity_hourly'), by='day') }}
    where view_count > 0

),

days as (

    select
        capsule_id,
        activity_date,
        count(distinct visitor_key) as viewer_count
    from viewers
    group by capsule_id, activity_date

),

capsules as (

    select
        capsule_id,
        count(distinct visitor_key) as viewer_count
    from viewers
    group by capsule_id

),

bounds as (

    select
        capsule_id,
        max(viewer_count) as largest_day_count,
        sum(viewer_count) as sum_of_days_count
    from days
    group by capsule_id

)

select
    capsules.capsule_id,
    capsules.viewer_count,
    bounds.largest_day_count,
    bounds.sum_of_days_count
from capsules
inner join bounds
    on capsules.capsule_id = bounds.capsule_id
where
    capsules.viewer_count > bounds.sum_of_days_count
    or capsules.viewer_count < bounds.largest_day_count
