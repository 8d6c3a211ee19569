with event_files as (

    select * from {{ source('raw', 'event_files') }}

),

final as (

    select
        -- ids
        file_id,
        batch_id,
        repeated_of as repeated_file_id,

        -- text
        file_kind,
        file_name,
        content_hash,
        status,
        refused_reason,

        -- numbers
        byte_count,
        received_count,
        accepted_count,
        duplicate_count,
        rejected_count,
        suppressed_count,

        -- timestamps
        first_event_at,
        last_event_at,
        loaded_at
    from event_files

)

select * from final
