with sessions as (

    select * from {{ ref('fct_sessions') }}

),

final as (

    select
        -- ids
        cast(visitor_key as string) as visitor_key,

        -- text
        cast(visitor_tier as string) as visitor_tier,

        -- numbers
        cast(count(*) as bigint) as session_count,
        cast(count(distinct capsule_id) as bigint) as capsule_count,

        -- timestamps
        cast(min(started_at) as timestamp) as first_seen_at,
        cast(max(ended_at) as timestamp) as last_seen_at
    from sessions
    group by visitor_key, visitor_tier

)

select * from final
