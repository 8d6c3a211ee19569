-- The windows share one partition and one order, so that the engine sorts the events a few times, not
-- once a figure. Ties of the clock are broken by event_key: the order of arrival never decides.

with events as (

    select * from {{ ref('stg_events') }}

),

ordered_events as (

    select
        *,
        row_number() over client_session as client_event_number,
        lag(occurred_at) over client_session as previous_at,
        lag(occurred_at, {{ var('bot_events_per_minute') }}) over client_session
            as burst_began_at
    from events
    window
        client_session as (
            partition by capsule_id, client_session_key
            order by occurred_at, event_key
        )

),

-- Where a pause ends, and which signed-in user was seen last before each event.
paused_events as (

    select
        *,
        max(
            case
                when
                    previous_at is null
                    or occurred_at
                    > previous_at + interval '{{ var("session_gap_minutes") }} minutes'
                    then client_event_number
            end
        ) over (
            partition by capsule_id, client_session_key
            order by occurred_at, event_key
            rows between unbounded preceding and current row
        ) as pause_event_number,
        max(case when user_key is not null then client_event_number end) over (
            partition by capsule_id, client_session_key
            order by occurred_at, event_key
            rows between unbounded preceding and 1 preceding
        ) as last_user_event_number,
        {{ last_known(
            'user_key',
            'partition by capsule_id, client_session_key'
            ~ ' order by occurred_at, event_key'
            ~ ' rows between unbounded preceding and 1 preceding'
        ) }} as last_user_key
    from ordered_events

),

-- A session starts after a pause, or where another user signs in who is not the one seen since it.
started_events as (

    select
        *,
        client_event_number = pause_event_number
        or (
            user_key <> last_user_key
            and last_user_event_number >= pause_event_number
        ) as is_session_start
    from paused_events

),

keyed_events as (

    select
        *,
        max(case when is_session_start then client_event_number end) over (
            partition by capsule_id, client_session_key
            order by occurred_at, event_key
            rows between unbounded preceding and current row
        ) as session_event_number,
        {{ last_known(
            "case when is_session_start then substring(md5(concat_ws('|', capsule_id,"
            ~ " client_session_key, event_key, " ~ instant_text('occurred_at')
            ~ ")), 1, 24) end",
            'partition by capsule_id, client_session_key'
            ~ ' order by occurred_at, event_key'
            ~ ' rows between unbounded preceding and current row'
        ) }} as session_key
    from started_events

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
        browser,
        os,
        country_label,
        search_query,
        content_type,
        content_title,
        cta_type,
        cta_label,
        conversion_type,
        currency,
        event_name,
        properties,

        -- numbers
        cast(client_event_number - session_event_number + 1 as bigint) as event_number,
        case
            when is_session_start then cast(0 as double)
            else {{ seconds_between('previous_at', 'occurred_at') }}
        end as gap_seconds,
        result_count,
        relevance_score,
        duration_seconds,
        amount,

        -- booleans
        is_bot_agent,
        is_internal_referrer,
        coalesce(
            client_event_number - session_event_number
            >= {{ var('bot_events_per_minute') }}
            and occurred_at < burst_began_at + interval '60 seconds',
            false
        ) as is_in_burst,
        message_key is not null
        and row_number() over (
            partition by session_key, event_type, action, role, message_key
            order by client_event_number
        ) > 1 as is_repeated_message,

        -- timestamps
        occurred_at,
        event_date
    from keyed_events

)

select * from final
