-- A view: its expressions are cheaper than a second copy of every event.
{{ config(materialized='view') }}

with events as (

    select * from {{ ref('int_events_sessionized') }}

),

order_events as (

    select * from {{ ref('int_order_events') }}

),

conversion_types as (

    select * from {{ ref('conversion_types') }}

),

typed_events as (

    select
        *,
        event_type = 'interaction' and action = 'message' as is_any_message,
        {{ counted_conversion_type() }} as counted_conversion_type
    from events

),

-- The later arrivals of an order: same capsule, same type, same order id.
repeated_orders as (

    select
        event_key,
        occurred_at
    from order_events
    where is_repeated_order

),

flagged_events as (

    select
        typed_events.*,
        coalesce(conversion_types.is_lead, false) as is_lead_type,
        coalesce(conversion_types.is_sale, false) as is_sale_type,
        repeated_orders.event_key is not null as is_repeated_order,
        -- `open` is the default; progress, pause, seek and complete continue an access
        -- that was counted when it began; a citation is the assistant's.
        typed_events.event_type = 'content_access'
        and coalesce(typed_events.action, 'open') <> 'cite' as is_content_use,
        coalesce(typed_events.action, 'open')
        in ('progress', 'pause', 'seek', 'complete') as is_continued
    from typed_events
    left join repeated_orders
        on
            typed_events.event_key = repeated_orders.event_key
            and typed_events.occurred_at = repeated_orders.occurred_at
    left join conversion_types
        on typed_events.counted_conversion_type = conversion_types.conversion_type

),

final as (

    select
        -- ids
        session_key,
        capsule_id,
        event_key,
        client_session_key,
        user_key,
        visitor_id_key,
        daily_key,
        content_id,
        play_id,
        cta_id,
        order_key,

        -- text
        event_type,
        action,
        role,
        topic,
        source_label,
        referrer_domain,
        utm_source,
        utm_medium,
        utm_campaign,
        click_id,
        device_label,
        browser_label,
        os_label,
        country_label,
        consent,
        search_query,
        content_type,
        content_title,
        cta_type,
        cta_label,
        counted_conversion_type as conversion_type,
        currency,
        event_name,
        properties,

        -- numbers
        event_number,
        gap_milliseconds,
        result_count,
        relevance_score,
        position_seconds,
        from_seconds,
        to_seconds,
        duration_seconds,
        percent,
        amount,

        -- booleans
        is_bot_agent,
        is_internal_referrer,
        is_in_burst,
        coalesce(event_type = 'view', false) as is_view,
        coalesce(is_any_message and role = 'user' and not is_repeated_message, false)
            as is_turn,
        coalesce(
            is_any_message and role = 'assistant' and not is_repeated_message, false
        ) as is_assistant_message,
        coalesce(
            is_any_message and role in ('system', 'tool') and not is_repeated_message,
            false
        ) as is_system_message,
        is_content_use and not is_continued as is_content_access,
        coalesce(
            (event_type = 'content_access' and action = 'cite')
            or (
                is_any_message
                and content_id is not null
                and coalesce(role, 'assistant') <> 'user'
            ),
            false
        ) as is_citation,
        coalesce(event_type = 'interaction' and action = 'search', false) as is_search,
        coalesce(
            event_type = 'interaction' and action = 'cta_impression', false
        ) as is_cta_impression,
        coalesce(
            counted_conversion_type = 'cta_click' and not is_repeated_order, false
        ) as is_cta_click,
        counted_conversion_type is not null and not is_repeated_order as is_conversion,
        is_lead_type and not is_repeated_order as is_lead,
        is_sale_type and not is_repeated_order as is_sale,
        coalesce(event_type = 'interaction' and action = 'feedback', false)
            as is_feedback,
        coalesce(event_type = 'custom', false) as is_custom_event,
        -- What the person did, repeated or not: one of these and a session is no
        -- bounce.
        coalesce(
            event_type = 'custom'
            or is_content_use
            or counted_conversion_type is not null
            or (is_any_message and role = 'user')
            or (event_type = 'interaction' and action in ('search', 'feedback')),
            false
        ) as is_person_action,
        -- What alone makes a session an engaged one.
        coalesce(
            is_content_use
            or counted_conversion_type is not null
            or (is_any_message and role = 'user'),
            false
        ) as is_engaging_action,

        -- timestamps
        occurred_at,
        activity_date,
        event_date
    from flagged_events

)

select * from final
