{{ config(materialized='view') }}

with daily_descriptions as (

    select * from {{ ref('int_content_described_daily') }}

),

catalogue as (

    select * from {{ ref('stg_content') }}

),

-- Names as the newest event gives them; the catalogue has the last word.
used_content as (

    select
        capsule_id,
        content_id,
        max_by(content_title, title_rank) filter (
            where content_title is not null
        ) as content_title,
        max_by(content_type, type_rank) filter (
            where content_type is not null
        ) as content_type,
        max(duration_seconds) as duration_seconds,
        min(first_accessed_at) as first_accessed_at,
        max(last_accessed_at) as last_accessed_at,
        sum(access_count) as access_count
    from daily_descriptions
    group by capsule_id, content_id

),

final as (

    select
        -- ids
        coalesce(catalogue.capsule_id, used_content.capsule_id) as capsule_id,
        coalesce(catalogue.content_id, used_content.content_id) as content_id,

        -- text
        coalesce(
            catalogue.content_title,
            used_content.content_title,
            catalogue.content_id,
            used_content.content_id
        ) as content_title,
        coalesce(catalogue.content_type, used_content.content_type, 'unknown')
            as content_type,

        -- numbers
        coalesce(catalogue.duration_seconds, used_content.duration_seconds)
            as duration_seconds,
        coalesce(used_content.access_count, 0) as access_count,

        -- booleans
        catalogue.content_id is not null as is_catalogued,

        -- timestamps
        catalogue.published_at,
        used_content.first_accessed_at,
        used_content.last_accessed_at
    from catalogue
    full outer join used_content
        on
            catalogue.capsule_id = used_content.capsule_id
            and catalogue.content_id = used_content.content_id

)

select * from final
