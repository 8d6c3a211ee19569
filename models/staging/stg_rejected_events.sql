with rejected_events as (

    select * from {{ source('raw', 'rejected_events') }}

),

final as (

    select
        -- ids
        file_id,
        line_number,
        batch_id,
        capsule_id,

        -- text
        reason,
        field,
        excerpt,

        -- timestamps
        loaded_at
    from rejected_events

)

select * from final
