with rejected_events as (

    select * from {{ ref('stg_rejected_events') }}

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,

        -- text
        cast(reason as string) as reason,
        cast(field as string) as field,

        -- numbers
        cast(count(*) as bigint) as rejected_count,

        -- timestamps
        cast({{ reporting_date('loaded_at') }} as date) as load_date
    from rejected_events
    group by capsule_id, reason, field, {{ reporting_date('loaded_at') }}

)

select * from final
