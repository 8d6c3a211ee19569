{% set session_figures = [
    'session_count', 'view_session_count', 'conversation_count', 'bounce_count',
    'engaged_session_count', 'session_seconds', 'engaged_seconds',
] %}
{% set event_figures = [
    'event_count', 'view_count', 'turn_count', 'message_count', 'content_access_count',
    'citation_count', 'search_count', 'zero_result_search_count',
    'cta_impression_count', 'cta_click_count', 'conversion_count', 'lead_count',
    'custom_event_count',
] %}
{% set dimensions = [
    'capsule_id', 'activity_date', 'channel', 'source', 'country', 'device', 'browser',
    'is_bot',
] %}

with sessions as (

    select * from {{ ref('fct_sessions') }}

),

session_activity as (

    select * from {{ ref('session_activity_hourly') }}

),

-- Session figures belong to the day the session started, events to their own day.
started_sessions as (

    select
        capsule_id,
        session_date as activity_date,
        channel,
        source,
        country,
        device,
        browser,
        is_bot,
        1 as session_count,
        case when view_count > 0 then 1 else 0 end as view_session_count,
        case when is_conversation then 1 else 0 end as conversation_count,
        case when is_bounce then 1 else 0 end as bounce_count,
        case when is_engaged then 1 else 0 end as engaged_session_count,
        session_seconds,
        engaged_seconds,
        {% for figure in event_figures %}
            0 as {{ figure }}{{ "," if not loop.last }}
        {% endfor %}
    from sessions

),

counted_events as (

    select
        {% for dimension in dimensions %}
            {{ dimension }},
        {% endfor %}
        {% for figure in session_figures %}
            0 as {{ figure }},
        {% endfor %}
        {% for figure in event_figures %}
            {{ figure }}{{ "," if not loop.last }}
        {% endfor %}
    from session_activity

),

combined as (

    select * from started_sessions
    union all
    select * from counted_events

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,

        -- text
        cast(channel as string) as channel,
        cast(source as string) as source,
        cast(country as string) as country,
        cast(device as string) as device,
        cast(browser as string) as browser,

        -- numbers
        cast(sum(session_seconds) as double) as session_seconds,
        cast(sum(engaged_seconds) as double) as engaged_seconds,
        {% for figure in session_figures + event_figures if '_seconds' not in figure %}
            cast(sum({{ figure }}) as bigint) as {{ figure }},
        {% endfor %}

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(activity_date as date) as activity_date
    from combined
    group by
        capsule_id, activity_date, channel, source, country, device, browser, is_bot

)

select * from final
order by capsule_id, activity_date
