-- A returned row is a file whose rejected lines kept differ from those it was charged
-- with: a reject was lost, or kept twice.

with rejects as (

    select
        file_id,
        count(*) as kept_count
    from {{ ref('stg_rejected_events') }}
    group by file_id

)

select
    files.file_id,
    files.rejected_count,
    rejects.kept_count
from {{ ref('event_files') }} as files
left join rejects
    on files.file_id = rejects.file_id
where
    files.status = 'loaded'
    and files.rejected_count <> coalesce(rejects.kept_count, 0)
