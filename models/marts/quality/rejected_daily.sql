with rejected_events as (

    select * from {{ ref('stg_rejected_events') }}

),

event_files as (

    select * from {{ ref('stg_event_files') }}

),

-- A line of a catalogue is no line of events; rejected_lines shows both.
lines_of_events as (

    select rejected_events.*
    from rejected_events
    inner join event_files
        on rejected_events.file_id = event_files.file_id
    where event_files.file_kind = 'events'

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
    from lines_of_events
    group by capsule_id, reason, field, {{ reporting_date('loaded_at') }}

)

select * from final
