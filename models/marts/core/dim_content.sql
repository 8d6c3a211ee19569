-- What the last build said of an item is compared before it is renewed.
{{ built_after('int_touched_sessions') }}
{{ built_after('int_touched_plays') }}

with content as (

    select * from {{ ref('int_content_described') }}

),

final as (

    select
        -- ids
        cast(md5(concat_ws('|', capsule_id, content_id)) as string) as content_key,
        cast(capsule_id as string) as capsule_id,
        cast(content_id as string) as content_id,

        -- text
        cast(content_title as string) as content_title,
        cast(content_type as string) as content_type,

        -- numbers
        cast(duration_seconds as double) as duration_seconds,
        cast(access_count as bigint) as access_count,

        -- booleans
        cast(is_catalogued as boolean) as is_catalogued,

        -- timestamps
        cast(published_at as timestamp) as published_at,
        cast(first_accessed_at as timestamp) as first_accessed_at,
        cast(last_accessed_at as timestamp) as last_accessed_at
    from content

)

select * from final
