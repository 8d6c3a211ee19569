-- A returned row is a loaded file whose lines received are not accepted + duplicate +
-- rejected + suppressed, or whose capsules (of a file of events) do not add up to it:
-- lines vanished.

with capsules as (

    select
        file_id,
        sum(received_count) as received_count,
        sum(accepted_count + duplicate_count + rejected_count + suppressed_count)
            as accounted_count
    from {{ ref('stg_event_file_counts') }}
    group by file_id

)

select
    files.file_id,
    files.received_count,
    capsules.received_count as capsule_received_count,
    capsules.accounted_count
from {{ ref('event_files') }} as files
left join capsules
    on files.file_id = capsules.file_id
where
    files.status = 'loaded'
    and (
        files.received_count
        <> files.accepted_count
        + files.duplicate_count
        + files.rejected_count
        + files.suppressed_count
        or (
            files.file_kind = 'events'
            and (
                files.received_count <> coalesce(capsules.received_count, 0)
                or files.received_count <> coalesce(capsules.accounted_count, 0)
            )
        )
    )
