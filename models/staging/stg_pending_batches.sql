with load_batches as (

    select * from {{ source('raw', 'load_batches') }}

),

model_builds as (

    select * from {{ source('raw', 'model_builds') }}

),

final as (

    select
        -- ids
        load_batches.batch_id,

        -- timestamps
        load_batches.committed_at
    from load_batches
    where
        load_batches.batch_id
        > (select coalesce(max(model_builds.batch_id), 0) from model_builds)

)

select * from final
