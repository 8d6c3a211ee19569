{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'conversion_date'],
    meta={'touched_by': 'day'},
    on_schema_change='fail',
) }}

with conversions as (

    select * from {{ touched(
        ref('fct_conversions'), by='day', columns=['capsule_id', 'conversion_date']
    ) }}

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,

        -- text
        cast(coalesce(currency, 'unknown') as string) as currency,
        cast(conversion_type as string) as conversion_type,

        -- numbers
        cast(count(*) as bigint) as conversion_count,
        cast(sum(amount) as decimal(18, 4)) as amount,
        cast(
            coalesce(sum(case when amount < 0 then amount end), 0) as decimal(18, 4)
        ) as refund_amount,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(conversion_date as date) as conversion_date
    from conversions
    where amount is not null
    group by capsule_id, conversion_date, currency, conversion_type, is_bot

)

select * from final
