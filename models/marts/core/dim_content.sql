with events as (

    select * from {{ ref('int_events_counted') }}

),

catalogue as (

    select * from {{ ref('stg_content') }}

),

described_events as (

    select
        *,
        concat(
            lpad({{ instant_text('occurred_at') }}, 14, '0'), event_key
        ) as newest_rank
    from events
    where content_id is not null

),

-- Names as the newest event gives them; the catalogue has the last word.
used_content as (

    select
        capsule_id,
        content_id,
        max_by(content_title, newest_rank) filter (
            where content_title is not null
        ) as content_title,
        max_by(content_type, newest_rank) filter (
            where content_type is not null
        ) as content_type,
        max(duration_seconds) as duration_seconds,
        min(case when is_content_access then occurred_at end) as first_accessed_at,
        max(case when is_content_access then occurred_at end) as last_accessed_at,
        count(*) filter (where is_content_access) as access_count
    from described_events
    group by capsule_id, content_id

),

joined as (

    select
        coalesce(catalogue.capsule_id, used_content.capsule_id) as capsule_id,
        coalesce(catalogue.content_id, used_content.content_id) as content_id,
        coalesce(catalogue.content_title, used_content.content_title)
            as content_title,
        coalesce(catalogue.content_type, used_content.content_type) as content_type,
        coalesce(catalogue.duration_seconds, used_content.duration_seconds)
            as duration_seconds,
        coalesce(used_content.access_count, 0) as access_count,
        catalogue.content_id is not null as is_catalogued,
        catalogue.published_at,
        used_content.first_accessed_at,
        used_content.last_accessed_at
    from catalogue
    full outer join used_content
        on
            catalogue.capsule_id = used_content.capsule_id
            and catalogue.content_id = used_content.content_id

),

final as (

    select
        -- ids
        cast(md5(concat_ws('|', capsule_id, content_id)) as string) as content_key,
        cast(capsule_id as string) as capsule_id,
        cast(content_id as string) as content_id,

        -- text
        cast(coalesce(content_title, content_id) as string) as content_title,
        cast(coalesce(content_type, 'unknown') as string) as content_type,

        -- numbers
        cast(duration_seconds as double) as duration_seconds,
        cast(access_count as bigint) as access_count,

        -- booleans
        cast(is_catalogued as boolean) as is_catalogued,

        -- timestamps
        cast(published_at as timestamp) as published_at,
        cast(first_accessed_at as timestamp) as first_accessed_at,
        cast(last_accessed_at as timestamp) as last_accessed_at
    from joined

)

select * from final
