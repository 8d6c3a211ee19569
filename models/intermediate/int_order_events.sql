-- Few events carry an order, so the whole history of one is found without reading
-- theirs.
{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'conversion_type', 'order_key'],
    meta={'touched_by': 'order'},
    on_schema_change='fail',
) }}

{{ built_after('int_touched_orders') }}

with events as (

    select
        *,
        {{ counted_conversion_type() }} as counted_conversion_type
    from {{ touched(ref('int_events_sessionized'), by='sitting') }}

),

order_events as (

    select
        session_key,
        capsule_id,
        client_session_key,
        event_key,
        order_key,
        counted_conversion_type as conversion_type,
        occurred_at,
        event_date
    from events
    where order_key is not null and counted_conversion_type is not null
    {% if is_batch() %}
        union all
        -- The other events of a touched order, in sessions that stay as they are.
        select
            built_orders.session_key,
            built_orders.capsule_id,
            built_orders.client_session_key,
            built_orders.event_key,
            built_orders.order_key,
            built_orders.conversion_type,
            built_orders.occurred_at,
            built_orders.event_date
        from {{ touched(this, by='order') }} as built_orders
        {{ semi_join_sittings('built_orders', 'occurred_at', negated=true) }}
    {% endif %}

),

numbered_events as (

    select
        *,
        row_number() over (
            partition by capsule_id, conversion_type, order_key
            order by occurred_at, event_key
        ) as order_event_number
    from order_events

),

final as (

    select
        -- ids
        session_key,
        capsule_id,
        client_session_key,
        event_key,
        order_key,

        -- text
        conversion_type,

        -- booleans
        order_event_number > 1 as is_repeated_order,

        -- timestamps
        occurred_at,
        event_date
    from numbered_events

)

select * from final
