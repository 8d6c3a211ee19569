with events as (

    select * from {{ source('raw', 'events') }}

),

final as (

    select
        -- ids
        event_key,
        capsule_id,
        client_session_key,
        user_key,
        visitor_id_key,
        daily_key,
        message_key,
        reply_to_key,
        content_id,
        play_id,
        cta_id,
        order_key,
        file_id,
        line_number,
        batch_id,

        -- text
        event_type,
        action,
        role,
        topic,
        regexp_replace(nullif(source, ''), '^www[.]', '') as source_label,
        referrer_domain,
        url_domain,
        url_path,
        lower(nullif(utm_source, '')) as utm_source,
        lower(nullif(utm_medium, '')) as utm_medium,
        lower(nullif(utm_campaign, '')) as utm_campaign,
        utm_content,
        utm_term,
        lower(nullif(click_id, '')) as click_id,
        lower(nullif(device_label, '')) as device_label,
        lower(nullif(browser, '')) as browser_label,
        lower(nullif(os, '')) as os_label,
        lower(nullif(country_label, '')) as country_label,
        region,
        city,
        -- Of events from before answers were kept, only that they refused is known.
        coalesce(
            consent, case when is_consent_refused then 'refused' end, 'unknown'
        ) as consent,
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
        result_count,
        relevance_score,
        position_seconds,
        from_seconds,
        to_seconds,
        duration_seconds,
        percent,
        amount,

        -- booleans
        coalesce(is_bot_agent, false) as is_bot_agent,
        coalesce(is_consent_refused, false) as is_consent_refused,
        coalesce(
            url_domain in (referrer_domain, regexp_replace(source, '^www[.]', ''))
            and url_domain <> '',
            false
        ) as is_internal_referrer,

        -- timestamps
        occurred_at,
        event_date
    from events

)

select * from final
