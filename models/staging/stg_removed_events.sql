with removed_events as (

    select * from {{ source('raw', 'removed_events') }}

),

final as (

    select
        -- ids
        batch_id,
        capsule_id,
        client_session_key,

        -- timestamps
        occurred_at
    from removed_events

)

select * from final
