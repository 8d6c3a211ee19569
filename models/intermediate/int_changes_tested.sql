-- Whether a mean of the last seven days differs from that of the seven before by more
-- than chance. Sums are exact decimals: those of doubles depend on the order of rows.
{% set days = 7 %}
{% set fewest = 30 %}

with units as (

    select * from {{ ref('int_units_compared') }}

),

session_counts as (

    select
        capsule_id,
        min(period_from) as period_from,
        count(*) filter (where is_current) as session_count,
        count(*) filter (where not is_current) as previous_session_count
    from units
    where metric = 'session_count'
    group by capsule_id

),

sides as (

    select true as is_current
    union all
    select false as is_current

),

-- Days on which nobody came are observations too.
days as (

    select
        session_counts.capsule_id,
        sides.is_current,
        numbers.whole_number as day_number
    from session_counts
    cross join sides
    cross join {{ whole_numbers("select " ~ days) }} as numbers

),

daily_counts as (

    select
        capsule_id,
        is_current,
        count(*) as session_count,
        -- Which day it was does not matter, only that there are seven.
        row_number() over (
            partition by capsule_id, is_current
            order by session_date
        ) as day_number
    from units
    where metric = 'session_count'
    group by capsule_id, is_current, session_date

),

-- Sessions are compared by day: seven numbers a side, which know how much days differ.
observations as (

    select
        capsule_id,
        metric,
        is_current,
        unit_value as observed
    from units
    where metric <> 'session_count'
    union all
    select
        days.capsule_id,
        'session_count' as metric,
        days.is_current,
        cast(coalesce(daily_counts.session_count, 0) as decimal(18, 3)) as observed
    from days
    left join daily_counts
        on
            days.capsule_id = daily_counts.capsule_id
            and days.is_current = daily_counts.is_current
            and days.day_number = daily_counts.day_number

),

sums as (

    select
        capsule_id,
        metric,
        cast(count(*) filter (where is_current) as double) as unit_count,
        cast(count(*) filter (where not is_current) as double) as previous_unit_count,
        cast(coalesce(sum(observed) filter (where is_current), 0) as double)
            as total,
        cast(coalesce(sum(observed) filter (where not is_current), 0) as double)
            as previous_total,
        cast(
            coalesce(
                sum(cast(observed * observed as decimal(38, 6))) filter (
                    where is_current
                ),
                0
            ) as double
        ) as total_of_squares,
        cast(
            coalesce(
                sum(cast(observed * observed as decimal(38, 6))) filter (
                    where not is_current
                ),
                0
            ) as double
        ) as previous_total_of_squares
    from observations
    group by capsule_id, metric

),

means as (

    select
        sums.*,
        session_counts.session_count,
        session_counts.previous_session_count,
        sums.total / nullif(sums.unit_count, 0) as mean,
        sums.previous_total / nullif(sums.previous_unit_count, 0) as previous_mean,
        (sums.total + sums.previous_total)
        / nullif(sums.unit_count + sums.previous_unit_count, 0) as pooled_mean
    from sums
    inner join session_counts
        on sums.capsule_id = session_counts.capsule_id
    where
        session_counts.session_count >= {{ fewest }}
        and session_counts.previous_session_count >= {{ fewest }}
        and (
            sums.metric = 'session_count'
            or (
                sums.unit_count >= {{ fewest }}
                and sums.previous_unit_count >= {{ fewest }}
            )
        )

),

-- Squared errors of both means: rates pool them, as two shares are tested; days differ
-- at least as much as counts do by chance.
errors as (

    select
        *,
        case
            when metric like '%_rate'
                then pooled_mean * (1 - pooled_mean) / unit_count
            when metric = 'session_count'
                then
                    greatest(
                        (total_of_squares - total * mean) / (unit_count - 1), mean
                    )
                    / unit_count
            else (total_of_squares - total * mean) / (unit_count - 1) / unit_count
        end as squared_error,
        case
            when metric like '%_rate'
                then pooled_mean * (1 - pooled_mean) / previous_unit_count
            when metric = 'session_count'
                then
                    greatest(
                        (previous_total_of_squares - previous_total * previous_mean)
                        / (previous_unit_count - 1),
                        previous_mean
                    )
                    / previous_unit_count
            else
                (previous_total_of_squares - previous_total * previous_mean)
                / (previous_unit_count - 1)
                / previous_unit_count
        end as previous_squared_error
    from means

),

-- Welch's t and its degrees of freedom; with as few as seven days a t is no z, so it is
-- turned into one (Wallace).
statistics as (

    select
        *,
        (mean - previous_mean)
        / nullif(sqrt(greatest(squared_error + previous_squared_error, 0)), 0)
            as t_score,
        (squared_error + previous_squared_error)
        * (squared_error + previous_squared_error)
        / nullif(
            squared_error * squared_error / (unit_count - 1)
            + previous_squared_error
            * previous_squared_error
            / (previous_unit_count - 1),
            0
        ) as freedom
    from errors

),

scores as (

    select
        *,
        (8 * freedom + 1) / (8 * freedom + 3)
        * sqrt(freedom * ln(1 + t_score * t_score / nullif(freedom, 0)))
            as z_score,
        count(*) over () as test_count
    from statistics

),

-- Bonferroni: as many chances to err as there are tests.
final as (

    select
        -- ids
        capsule_id,

        -- text
        metric,
        case when mean > previous_mean then 'up' else 'down' end as direction,

        -- numbers
        session_count,
        previous_session_count,
        unit_count,
        previous_unit_count,
        mean,
        previous_mean,
        round(z_score, 6) as z_score,
        test_count,
        least({{ two_sided_p('z_score') }} * test_count, 1.0) as p_value
    from scores

)

select * from final
