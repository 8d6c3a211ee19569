with content as (

    select * from {{ source('raw', 'content') }}

),

final as (

    select
        -- ids
        capsule_id,
        content_id,

        -- text
        content_title,
        content_type,

        -- numbers
        duration_seconds,

        -- timestamps
        published_at,
        loaded_at
    from content

)

select * from final
