with event_file_counts as (

    select * from {{ source('raw', 'event_file_counts') }}

),

final as (

    select
        -- ids
        file_id,
        batch_id,
        capsule_id,

        -- numbers
        received_count,
        accepted_count,
        duplicate_count,
        rejected_count,
        suppressed_count,

        -- timestamps
        loaded_at
    from event_file_counts

)

select * from final
