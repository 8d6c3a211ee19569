with event_files as (

    select * from {{ ref('stg_event_files') }}

),

final as (

    select
        -- ids
        cast(file_id as bigint) as file_id,
        cast(batch_id as bigint) as batch_id,
        cast(repeated_file_id as bigint) as repeated_file_id,

        -- text
        cast(file_kind as string) as file_kind,
        cast(file_name as string) as file_name,
        cast(status as string) as status,
        cast(refused_reason as string) as refused_reason,

        -- numbers
        cast(byte_count as bigint) as byte_count,
        cast(received_count as bigint) as received_count,
        cast(accepted_count as bigint) as accepted_count,
        cast(duplicate_count as bigint) as duplicate_count,
        cast(rejected_count as bigint) as rejected_count,
        cast(suppressed_count as bigint) as suppressed_count,

        -- timestamps
        cast(first_event_at as timestamp) as first_event_at,
        cast(last_event_at as timestamp) as last_event_at,
        cast(loaded_at as timestamp) as loaded_at
    from event_files

)

select * from final
