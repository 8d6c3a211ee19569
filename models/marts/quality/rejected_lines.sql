with rejected_events as (

    select * from {{ ref('stg_rejected_events') }}

),

event_files as (

    select * from {{ ref('stg_event_files') }}

),

-- A publication is copied whole: it holds as many lines as somebody may look up.
ranked as (

    select
        *,
        row_number() over (
            order by loaded_at desc, file_id desc, line_number desc
        ) as newness_rank
    from rejected_events

),

final as (

    select
        -- ids
        cast(ranked.file_id as bigint) as file_id,
        cast(ranked.line_number as bigint) as line_number,

        -- text
        cast(event_files.file_kind as string) as file_kind,
        cast(event_files.file_name as string) as file_name,
        cast(ranked.reason as string) as reason,
        cast(ranked.field as string) as field,
        cast(ranked.excerpt as string) as excerpt,

        -- timestamps
        cast({{ reporting_date('ranked.loaded_at') }} as date) as load_date,
        cast(ranked.loaded_at as timestamp) as loaded_at
    from ranked
    inner join event_files on ranked.file_id = event_files.file_id
    where ranked.newness_rank <= 100000

)

select * from final
