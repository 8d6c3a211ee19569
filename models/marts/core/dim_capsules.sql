with sessions as (

    select * from {{ ref('fct_sessions') }}

),

catalogue as (

    select * from {{ ref('stg_capsules') }}

),

active_capsules as (

    select
        capsule_id,
        min(started_at) as first_event_at,
        max(ended_at) as last_event_at
    from sessions
    group by capsule_id

),

final as (

    select
        -- ids
        cast(coalesce(catalogue.capsule_id, active_capsules.capsule_id) as string)
            as capsule_id,

        -- text
        cast(
            coalesce(
                catalogue.capsule_name,
                catalogue.capsule_id,
                active_capsules.capsule_id
            ) as string
        ) as capsule_name,
        cast(catalogue.owner_name as string) as owner_name,

        -- booleans
        cast(catalogue.capsule_id is not null as boolean) as is_catalogued,

        -- timestamps
        cast(catalogue.created_at as timestamp) as created_at,
        cast(active_capsules.first_event_at as timestamp) as first_event_at,
        cast(active_capsules.last_event_at as timestamp) as last_event_at
    from catalogue
    full outer join active_capsules
        on catalogue.capsule_id = active_capsules.capsule_id

)

select * from final
