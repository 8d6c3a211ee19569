-- A returned row is a capsule, day and currency whose revenue differs between the daily
-- table and the conversions.

with daily as (

    select
        capsule_id,
        conversion_date,
        currency,
        sum(amount) as amount,
        sum(conversion_count) as conversion_count
    from {{ touched(
        ref('revenue_daily'), by='day', columns=['capsule_id', 'conversion_date']
    ) }}
    group by capsule_id, conversion_date, currency

),

conversions as (

    select
        capsule_id,
        conversion_date,
        coalesce(currency, 'unknown') as currency,
        sum(amount) as amount,
        count(*) as conversion_count
    from {{ touched(
        ref('fct_conversions'), by='day', columns=['capsule_id', 'conversion_date']
    ) }}
    where amount is not null
    group by capsule_id, conversion_date, coalesce(currency, 'unknown')

)

select
    coalesce(daily.capsule_id, conversions.capsule_id) as capsule_id,
    coalesce(daily.conversion_date, conversions.conversion_date) as conversion_date,
    daily.amount,
    conversions.amount as conversion_amount
from daily
full outer join conversions
    on
        daily.capsule_id = conversions.capsule_id
        and daily.conversion_date = conversions.conversion_date
        and daily.currency = conversions.currency
where
    daily.amount is distinct from conversions.amount
    or daily.conversion_count is distinct from conversions.conversion_count
