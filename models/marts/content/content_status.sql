-- Measured at the newest event, not at the clock: a rebuild gives the same rows.

with content as (

    select * from {{ ref('dim_content') }}

),

content_accesses as (

    select * from {{ ref('fct_content_accesses') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

newest_event as (

    select max(ended_at) as as_of
    from sessions

),

-- By people: a crawler that opens everything leaves nothing unused.
used_content as (

    select
        capsule_id,
        content_id,
        count(*) filter (where not is_citation) as access_count,
        count(*) filter (where is_citation) as citation_count,
        max(case when not is_citation then accessed_at end) as last_accessed_at
    from content_accesses
    where not is_bot
    group by capsule_id, content_id

),

dated_content as (

    select
        content.content_key,
        content.capsule_id,
        content.content_id,
        content.content_title,
        content.content_type,
        content.is_catalogued,
        content.published_at,
        coalesce(used_content.access_count, 0) as access_count,
        coalesce(used_content.citation_count, 0) as citation_count,
        used_content.last_accessed_at,
        coalesce(newest_event.as_of, content.published_at) as as_of
    from content
    cross join newest_event
    left join used_content
        on
            content.capsule_id = used_content.capsule_id
            and content.content_id = used_content.content_id

),

final as (

    select
        -- ids
        cast(content_key as string) as content_key,
        cast(capsule_id as string) as capsule_id,
        cast(content_id as string) as content_id,

        -- text
        cast(content_title as string) as content_title,
        cast(content_type as string) as content_type,

        -- numbers
        cast(access_count as bigint) as access_count,
        cast(citation_count as bigint) as citation_count,

        -- booleans
        cast(is_catalogued as boolean) as is_catalogued,
        -- An item of the catalogue without a date is taken for an old one.
        cast(
            is_catalogued
            and access_count = 0
            and coalesce(published_at <= as_of - interval '14 days', true) as boolean
        ) as is_unused,
        cast(
            coalesce(last_accessed_at < as_of - interval '30 days', false) as boolean
        ) as is_cold,

        -- timestamps
        cast(published_at as timestamp) as published_at,
        cast(last_accessed_at as timestamp) as last_accessed_at
    from dated_content

)

select * from final
