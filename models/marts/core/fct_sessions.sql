-- Ordered by capsule and start on disk, so that a page about one capsule reads few row
-- groups.

{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['session_key', 'event_date'],
    meta={'touched_by': 'session'},
    on_schema_change='fail',
) }}

with events as (

    select * from {{ touched(ref('int_events_counted'), by='session') }}

),

identified_sessions as (

    select * from {{ touched(ref('int_sessions_identified'), by='session') }}

),

visitors as (

    select * from {{ ref('int_visitors_first_seen') }}

),

traffic_sources as (

    select * from {{ ref('int_traffic_sources_classified') }}

),

device_types as (

    select * from {{ ref('device_types') }}

),

country_spellings as (

    select * from {{ ref('country_spellings') }}

),

-- "Chrome 126" and "Win10" belong to the longest beginning listed that ends where one
-- of their words does. Compared once for each distinct label.
{% for name in ['browser', 'os'] %}
    {{ name }}_families as (

        select * from {{ ref(name ~ '_families') }}

    ),

    {{ name }}_labels as (

        select distinct {{ name }}_label
        from events
        where {{ name }}_label is not null

    ),

    folded_{{ name }}_labels as (

        select
            {{ name }}_labels.{{ name }}_label,
            coalesce(
                max_by(
                    {{ name }}_families.{{ name }},
                    length({{ name }}_families.{{ name }}_label)
                ),
                'other'
            ) as {{ name }}
        from {{ name }}_labels
        left join {{ name }}_families
            on
                substring(
                    {{ name }}_labels.{{ name }}_label,
                    1,
                    length({{ name }}_families.{{ name }}_label)
                ) = {{ name }}_families.{{ name }}_label
                and not substring(
                    {{ name }}_labels.{{ name }}_label,
                    length({{ name }}_families.{{ name }}_label) + 1,
                    1
                ) between 'a' and 'z'
        group by {{ name }}_labels.{{ name }}_label

    ),
{% endfor %}

described_events as (

    select
        events.*,
        traffic_sources.channel,
        traffic_sources.source,
        traffic_sources.campaign,
        country_spellings.country,
        folded_browser_labels.browser,
        folded_os_labels.os,
        -- A label nobody listed is a device all the same.
        case
            when events.device_label is not null
                then coalesce(device_types.device, 'other')
        end as device,
        -- The first event with a known channel; without one, the first that says
        -- anything.
        case
            when traffic_sources.channel = 'unknown' then events.event_number + 1e9
            when traffic_sources.channel is not null then events.event_number
        end as source_rank
    from events
    left join traffic_sources
        on
            events.source_label is not distinct from traffic_sources.source_label
            and events.referrer_domain
            is not distinct from traffic_sources.referrer_domain
            and events.is_internal_referrer = traffic_sources.is_internal_referrer
            and events.utm_source is not distinct from traffic_sources.utm_source
            and events.utm_medium is not distinct from traffic_sources.utm_medium
            and events.utm_campaign is not distinct from traffic_sources.utm_campaign
            and events.click_id is not distinct from traffic_sources.click_id
    left join device_types
        on events.device_label = device_types.device_label
    left join country_spellings
        on events.country_label = country_spellings.country_label
    left join folded_browser_labels
        on events.browser_label = folded_browser_labels.browser_label
    left join folded_os_labels
        on events.os_label = folded_os_labels.os_label

),

sessions as (

    select
        session_key,
        min(capsule_id) as capsule_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        min_by(channel, source_rank) filter (
            where source_rank is not null
        ) as channel,
        min_by(source, source_rank) filter (
            where source_rank is not null
        ) as source,
        min_by(campaign, source_rank) filter (
            where source_rank is not null
        ) as campaign,
        min_by(country, event_number) filter (where country is not null) as country,
        min_by(device, event_number) filter (
            where device <> 'unknown'
        ) as device,
        min_by(browser, event_number) filter (
            where browser <> 'unknown'
        ) as browser,
        min_by(os, event_number) filter (where os <> 'unknown') as os,
        -- The last word: a banner is answered after the first events.
        max_by(consent, event_number) filter (
            where consent <> 'unknown'
        ) as consent,
        count(*) filter (where is_bot_agent) as bot_agent_count,
        count(*) filter (where device = 'bot') as bot_device_count,
        count(*) filter (where is_in_burst) as burst_count,
        sum(least(gap_milliseconds, {{ var('engaged_gap_seconds') }} * 1000))
            as engaged_milliseconds,
        count(*) as event_count,
        count(*) filter (where is_view) as view_count,
        count(*) filter (where is_turn) as turn_count,
        count(*) filter (where is_assistant_message) as assistant_message_count,
        count(*) filter (where is_system_message) as system_message_count,
        count(*) filter (where is_content_access) as content_access_count,
        count(*) filter (where is_citation) as citation_count,
        count(*) filter (where is_search) as search_count,
        count(*) filter (
            where is_search and result_count = 0
        ) as zero_result_search_count,
        count(*) filter (where is_cta_impression) as cta_impression_count,
        count(*) filter (where is_cta_click) as cta_click_count,
        count(*) filter (where is_conversion) as conversion_count,
        count(*) filter (where is_lead) as lead_count,
        count(*) filter (where is_feedback) as feedback_count,
        count(*) filter (where is_custom_event) as custom_event_count,
        count(*) filter (where is_person_action) as person_action_count,
        count(*) filter (where is_engaging_action) as engaging_action_count
    from described_events
    group by session_key

),

measured_sessions as (

    select
        sessions.*,
        identified_sessions.visitor_key,
        identified_sessions.visitor_tier,
        coalesce(sessions.started_at > visitors.first_started_at, false)
            as is_returning,
        {{ seconds_between('sessions.started_at', 'sessions.ended_at') }}
            as session_seconds,
        cast(sessions.engaged_milliseconds as double) / 1000 as engaged_seconds
    from sessions
    left join identified_sessions
        on sessions.session_key = identified_sessions.session_key
    left join visitors
        on
            identified_sessions.capsule_id = visitors.capsule_id
            and identified_sessions.visitor_tier = visitors.visitor_tier
            and identified_sessions.visitor_key = visitors.visitor_key

),

judged_sessions as (

    select
        *,
        case
            when bot_agent_count > 0 then 'user_agent'
            when bot_device_count > 0 then 'device'
            when
                session_seconds > {{ var('bot_session_hours') }} * 3600.0
                then 'session_too_long'
            when burst_count > 0 then 'too_many_events'
        end as bot_reason
    from measured_sessions

),

final as (

    select
        -- ids
        cast(session_key as string) as session_key,
        cast(capsule_id as string) as capsule_id,
        cast(visitor_key as string) as visitor_key,

        -- text
        cast(visitor_tier as string) as visitor_tier,
        cast(coalesce(channel, 'unknown') as string) as channel,
        cast(coalesce(source, 'unknown') as string) as source,
        cast(coalesce(campaign, 'unknown') as string) as campaign,
        cast(coalesce(country, 'unknown') as string) as country,
        cast(coalesce(device, 'unknown') as string) as device,
        cast(coalesce(browser, 'unknown') as string) as browser,
        cast(coalesce(os, 'unknown') as string) as os,
        cast(coalesce(consent, 'unknown') as string) as consent,
        cast(bot_reason as string) as bot_reason,

        -- numbers
        cast(session_seconds as double) as session_seconds,
        cast(engaged_seconds as double) as engaged_seconds,
        cast(event_count as bigint) as event_count,
        cast(view_count as bigint) as view_count,
        cast(turn_count as bigint) as turn_count,
        cast(turn_count + assistant_message_count as bigint) as message_count,
        cast(assistant_message_count as bigint) as assistant_message_count,
        cast(system_message_count as bigint) as system_message_count,
        cast(content_access_count as bigint) as content_access_count,
        cast(citation_count as bigint) as citation_count,
        cast(search_count as bigint) as search_count,
        cast(zero_result_search_count as bigint) as zero_result_search_count,
        cast(cta_impression_count as bigint) as cta_impression_count,
        cast(cta_click_count as bigint) as cta_click_count,
        cast(conversion_count as bigint) as conversion_count,
        cast(lead_count as bigint) as lead_count,
        cast(feedback_count as bigint) as feedback_count,
        cast(custom_event_count as bigint) as custom_event_count,

        -- booleans
        cast(bot_reason is not null as boolean) as is_bot,
        cast(turn_count > 0 as boolean) as is_conversation,
        cast(view_count = 1 and person_action_count = 0 as boolean) as is_bounce,
        cast(
            engaging_action_count > 0
            or view_count >= 2
            or engaged_seconds >= {{ var('engaged_session_seconds') }}
            as boolean
        ) as is_engaged,
        cast(is_returning as boolean) as is_returning,

        -- timestamps
        cast(started_at as timestamp) as started_at,
        cast(ended_at as timestamp) as ended_at,
        cast({{ reporting_date('started_at') }} as date) as session_date,
        cast(started_at as date) as event_date
    from judged_sessions

)

select * from final
order by capsule_id, started_at, session_key
