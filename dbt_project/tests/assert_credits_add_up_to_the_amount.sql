-- A returned row is a conversion and model whose credits do not add up to its amount,
-- or whose shares do not add up to 1, or a valued conversion without a model.

with conversions as (

    select
        conversion_key,
        converted_at,
        amount
    from {{ touched(
        ref('fct_conversions'), by='day', columns=['capsule_id', 'conversion_date']
    ) }}
    where amount is not null or not is_cta_click

),

models as (

    select distinct model
    from {{ touched(
        ref('revenue_attribution'), by='day', columns=['capsule_id', 'conversion_date']
    ) }}

),

credits as (

    select
        conversion_key,
        converted_at,
        model,
        sum(credit) as credit,
        sum(credit_share) as credit_share
    from {{ touched(
        ref('revenue_attribution'), by='day', columns=['capsule_id', 'conversion_date']
    ) }}
    group by conversion_key, converted_at, model

)

select
    conversions.conversion_key,
    models.model,
    conversions.amount,
    credits.credit,
    credits.credit_share
from conversions
cross join models
left join credits
    on
        conversions.conversion_key = credits.conversion_key
        and conversions.converted_at = credits.converted_at
        and models.model = credits.model
where
    conversions.amount is distinct from credits.credit
    or credits.credit_share is distinct from 1
