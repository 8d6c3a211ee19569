{{ config(materialized='view') }}

with daily_descriptions as (

    select * from {{ ref('int_ctas_described_daily') }}

),

final as (

    select
        -- ids
        capsule_id,
        cta_id,

        -- text
        max_by(cta_type, type_rank) filter (
            where cta_type is not null
        ) as cta_type,
        max_by(cta_label, label_rank) filter (
            where cta_label is not null
        ) as cta_label
    from daily_descriptions
    group by capsule_id, cta_id

)

select * from final
