{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'activity_date'],
    meta={'touched_by': 'day'},
    on_schema_change='fail',
) }}

with sessions as (

    select * from {{ touched(
        ref('fct_sessions'), by='day', columns=['capsule_id', 'session_date']
    ) }}

),

session_activity as (

    select * from {{ touched(ref('session_activity_hourly'), by='day') }}

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
        case when consent = 'given' then 1 else 0 end as consent_given_session_count,
        case when consent = 'refused' then 1 else 0 end
            as consent_refused_session_count,
        session_seconds,
        engaged_seconds,
        0 as event_count,
        0 as view_count,
        0 as turn_count,
        0 as message_count,
        0 as content_access_count,
        0 as citation_count,
        0 as search_count,
        0 as zero_result_search_count,
        0 as cta_impression_count,
        0 as cta_click_count,
        0 as conversion_count,
        0 as lead_count,
        0 as custom_event_count
    from sessions

),

counted_events as (

    select
        capsule_id,
        activity_date,
        channel,
        source,
        country,
        device,
        browser,
        is_bot,
        0 as session_count,
        0 as view_session_count,
        0 as conversation_count,
        0 as bounce_count,
        0 as engaged_session_count,
        0 as consent_given_session_count,
        0 as consent_refused_session_count,
        0 as session_seconds,
        0 as engaged_seconds,
        event_count,
        view_count,
        turn_count,
        message_count,
        content_access_count,
        citation_count,
        search_count,
        zero_result_search_count,
        cta_impression_count,
        cta_click_count,
        conversion_count,
        lead_count,
        custom_event_count
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
        -- Added up as decimals: a sum of doubles depends on the order of its rows.
        cast(sum(cast(session_seconds as decimal(18, 3))) as double) as session_seconds,
        cast(sum(cast(engaged_seconds as decimal(18, 3))) as double) as engaged_seconds,
        cast(sum(session_count) as bigint) as session_count,
        cast(sum(view_session_count) as bigint) as view_session_count,
        cast(sum(conversation_count) as bigint) as conversation_count,
        cast(sum(bounce_count) as bigint) as bounce_count,
        cast(sum(engaged_session_count) as bigint) as engaged_session_count,
        cast(sum(consent_given_session_count) as bigint) as consent_given_session_count,
        cast(sum(consent_refused_session_count) as bigint)
            as consent_refused_session_count,
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(view_count) as bigint) as view_count,
        cast(sum(turn_count) as bigint) as turn_count,
        cast(sum(message_count) as bigint) as message_count,
        cast(sum(content_access_count) as bigint) as content_access_count,
        cast(sum(citation_count) as bigint) as citation_count,
        cast(sum(search_count) as bigint) as search_count,
        cast(sum(zero_result_search_count) as bigint) as zero_result_search_count,
        cast(sum(cta_impression_count) as bigint) as cta_impression_count,
        cast(sum(cta_click_count) as bigint) as cta_click_count,
        cast(sum(conversion_count) as bigint) as conversion_count,
        cast(sum(lead_count) as bigint) as lead_count,
        cast(sum(custom_event_count) as bigint) as custom_event_count,

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
