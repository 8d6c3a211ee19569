-- What the last build called them is compared before it is renewed.
{{ built_after('int_touched_sessions') }}

with ctas as (

    select * from {{ ref('int_ctas_described') }}

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,
        cast(cta_id as string) as cta_id,

        -- text
        cast(coalesce(cta_type, 'unknown') as string) as cta_type,
        cast(coalesce(cta_label, cta_id) as string) as cta_label
    from ctas

)

select * from final
