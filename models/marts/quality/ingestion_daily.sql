with event_file_counts as (

    select * from {{ ref('stg_event_file_counts') }}

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,

        -- numbers
        cast(sum(received_count) as bigint) as received_count,
        cast(sum(accepted_count) as bigint) as accepted_count,
        cast(sum(duplicate_count) as bigint) as duplicate_count,
        cast(sum(rejected_count) as bigint) as rejected_count,
        cast(sum(suppressed_count) as bigint) as suppressed_count,

        -- timestamps
        cast({{ reporting_date('loaded_at') }} as date) as load_date
    from event_file_counts
    group by capsule_id, {{ reporting_date('loaded_at') }}

)

select * from final
