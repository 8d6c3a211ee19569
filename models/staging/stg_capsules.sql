with capsules as (

    select * from {{ source('raw', 'capsules') }}

),

final as (

    select
        -- ids
        capsule_id,

        -- text
        capsule_name,
        owner_name,

        -- timestamps
        created_at,
        loaded_at
    from capsules

)

select * from final
