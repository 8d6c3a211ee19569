-- Everything that a batch changes in the marts: the sessions of touched sittings, as
-- they were and as they are, and those that change because of what happened elsewhere.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    tags=['touched'],
) }}

with outdated_sessions as (

    select * from {{ ref('int_outdated_sessions') }}

),

sessions as (

    select * from {{ ref('int_sessions_identified') }}
    {% if not is_batch() %}
        where 1 = 0
    {% endif %}

),

renewed_sessions as (

    select * from {{ touched(
        ref('int_sessions_identified'), by='sitting', columns='started_at'
    ) }}
    {% if not is_batch() %}
        where 1 = 0
    {% endif %}

),

touched_visitors as (

    select * from {{ ref('int_touched_visitors') }}

),

touched_orders as (

    select * from {{ ref('int_touched_orders') }}

),

order_events as (

    select * from {{ ref('int_order_events') }}

),

content as (

    select * from {{ ref('int_content_described') }}

),

ctas as (

    select * from {{ ref('int_ctas_described') }}

),

built_first_sessions as (

    select * from {{ built('int_visitors_first_seen', 'intermediate', {
        'capsule_id': 'string',
        'visitor_tier': 'string',
        'visitor_key': 'string',
        'first_started_at': 'timestamp',
    }) }}

),

built_conversions as (

    select * from {{ built('fct_conversions', 'marts', {
        'session_key': 'string',
        'capsule_id': 'string',
        'visitor_tier': 'string',
        'visitor_key': 'string',
        'converted_at': 'timestamp',
    }) }}

),

built_accesses as (

    select * from {{ built('fct_content_accesses', 'marts', {
        'session_key': 'string',
        'capsule_id': 'string',
        'content_id': 'string',
    }) }}

),

built_content as (

    select * from {{ built('dim_content', 'marts', {
        'capsule_id': 'string',
        'content_id': 'string',
        'content_type': 'string',
    }) }}

),

built_ctas as (

    select * from {{ built('dim_ctas', 'marts', {
        'capsule_id': 'string',
        'cta_id': 'string',
        'cta_type': 'string',
        'cta_label': 'string',
    }) }}

),

built_cta_activity as (

    select * from {{ built('cta_activity_hourly', 'marts', {
        'session_key': 'string',
        'capsule_id': 'string',
        'cta_id': 'string',
    }) }}

),

-- A visitor whose first session came, went or moved: the one that was first until now
-- becomes a return, or the other way round.
visitor_sessions as (

    select
        sessions.session_key,
        sessions.capsule_id,
        sessions.visitor_tier,
        sessions.visitor_key,
        sessions.started_at,
        min(sessions.started_at) over (
            partition by
                sessions.capsule_id, sessions.visitor_tier, sessions.visitor_key
        ) as first_started_at
    from sessions
    where
        sessions.visitor_tier in ('user', 'visitor')
        and (sessions.capsule_id, sessions.visitor_tier, sessions.visitor_key) in (
            select
                touched_visitors.capsule_id,
                touched_visitors.visitor_tier,
                touched_visitors.visitor_key
            from touched_visitors
        )

),

first_or_no_more_first as (

    select visitor_sessions.session_key
    from visitor_sessions
    left join built_first_sessions
        on
            visitor_sessions.capsule_id = built_first_sessions.capsule_id
            and visitor_sessions.visitor_tier = built_first_sessions.visitor_tier
            and visitor_sessions.visitor_key = built_first_sessions.visitor_key
    where
        visitor_sessions.first_started_at
        is distinct from built_first_sessions.first_started_at
        and visitor_sessions.started_at in (
            visitor_sessions.first_started_at, built_first_sessions.first_started_at
        )

),

-- An order counts in the session that it came first in.
sharing_orders as (

    select order_events.session_key
    from order_events
    where
        (
            order_events.capsule_id,
            order_events.conversion_type,
            order_events.order_key
        ) in (
            select
                touched_orders.capsule_id,
                touched_orders.conversion_type,
                touched_orders.order_key
            from touched_orders
        )

),

-- A conversion looks back over its visitor's days.
converting_later as (

    select built_conversions.session_key
    from built_conversions
    inner join touched_visitors
        on
            built_conversions.capsule_id = touched_visitors.capsule_id
            and built_conversions.visitor_tier = touched_visitors.visitor_tier
            and built_conversions.visitor_key = touched_visitors.visitor_key
            and built_conversions.converted_at >= touched_visitors.touched_from_at
            and built_conversions.converted_at
            <= touched_visitors.touched_until_at
            + interval '{{ var("first_touch_days") }} days'

),

-- An access is listed with the type of its item, whatever it said itself.
retyped_content as (

    select
        built_content.capsule_id,
        built_content.content_id
    from built_content
    left join content
        on
            built_content.capsule_id = content.capsule_id
            and built_content.content_id = content.content_id
    where built_content.content_type is distinct from content.content_type

),

using_retyped_content as (

    select built_accesses.session_key
    from built_accesses
    where
        (built_accesses.capsule_id, built_accesses.content_id) in (
            select
                retyped_content.capsule_id,
                retyped_content.content_id
            from retyped_content
        )

),

renamed_ctas as (

    select
        built_ctas.capsule_id,
        built_ctas.cta_id
    from built_ctas
    left join ctas
        on
            built_ctas.capsule_id = ctas.capsule_id
            and built_ctas.cta_id = ctas.cta_id
    where
        built_ctas.cta_type is distinct from coalesce(ctas.cta_type, 'unknown')
        or built_ctas.cta_label is distinct from coalesce(ctas.cta_label, ctas.cta_id)

),

seeing_renamed_ctas as (

    select built_cta_activity.session_key
    from built_cta_activity
    where
        (built_cta_activity.capsule_id, built_cta_activity.cta_id) in (
            select
                renamed_ctas.capsule_id,
                renamed_ctas.cta_id
            from renamed_ctas
        )

),

elsewhere as (

    select session_key from first_or_no_more_first
    union distinct
    select session_key from sharing_orders
    union distinct
    select session_key from converting_later
    union distinct
    select session_key from using_retyped_content
    union distinct
    select session_key from seeing_renamed_ctas

),

changed_sessions as (

    select
        session_key,
        capsule_id,
        started_at,
        ended_at
    from outdated_sessions
    union distinct
    select
        session_key,
        capsule_id,
        started_at,
        ended_at
    from renewed_sessions
    union distinct
    select
        session_key,
        capsule_id,
        started_at,
        ended_at
    from sessions
    where session_key in (select elsewhere.session_key from elsewhere)

),

-- From the first to the last day of a session, of UTC and of the reporting zone.
spans as (

    select
        session_key,
        capsule_id,
        cast(
            least(cast(started_at as date), {{ reporting_date('started_at') }})
            as timestamp
        ) as from_at,
        cast(
            greatest(cast(ended_at as date), {{ reporting_date('ended_at') }})
            as timestamp
        ) as until_at
    from changed_sessions

),

{{ days_of_spans() }}

touched_days as (

    select
        spans.session_key,
        spans.capsule_id,
        cast(spans.from_at as date) + span_days.day_number as event_date
    from spans
    inner join span_days
        on
            cast(spans.from_at as date) + span_days.day_number
            <= cast(spans.until_at as date)

),

final as (

    select distinct
        -- ids
        cast(session_key as string) as session_key,
        cast(capsule_id as string) as capsule_id,

        -- timestamps
        cast(event_date as date) as event_date
    from touched_days

)

select * from final
