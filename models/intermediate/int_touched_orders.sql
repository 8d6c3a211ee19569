{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    tags=['touched'],
) }}

with built_orders as (

    select * from {{ built('int_order_events', 'intermediate', {
        'capsule_id': 'string',
        'client_session_key': 'string',
        'conversion_type': 'string',
        'order_key': 'string',
        'occurred_at': 'timestamp',
        'event_date': 'date',
    }) }}

),

renewed_events as (

    select
        *,
        {{ counted_conversion_type() }} as counted_conversion_type
    from {{ touched(ref('int_events_sessionized'), by='sitting') }}
    {% if not is_batch() %}
        where 1 = 0
    {% endif %}

),

orders as (

    select
        built_orders.capsule_id,
        built_orders.conversion_type,
        built_orders.order_key
    from built_orders
    {{ semi_join_sittings('built_orders', 'occurred_at') }}
    union distinct
    select
        capsule_id,
        counted_conversion_type as conversion_type,
        order_key
    from renewed_events
    where order_key is not null and counted_conversion_type is not null

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,
        cast(order_key as string) as order_key,

        -- text
        cast(conversion_type as string) as conversion_type
    from orders

)

select * from final
