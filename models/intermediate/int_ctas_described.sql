with events as (

    select * from {{ ref('stg_events') }}

),

described_events as (

    select
        capsule_id,
        cta_id,
        nullif(cta_type, 'unknown') as cta_type,
        cta_label,
        concat(
            lpad({{ instant_text('occurred_at') }}, 14, '0'), event_key
        ) as newest_rank
    from events
    where cta_id is not null

),

final as (

    select
        -- ids
        capsule_id,
        cta_id,

        -- text
        max_by(cta_type, newest_rank) filter (
            where cta_type is not null
        ) as cta_type,
        max_by(cta_label, newest_rank) filter (
            where cta_label is not null
        ) as cta_label
    from described_events
    group by capsule_id, cta_id

)

select * from final
