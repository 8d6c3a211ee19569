with events as (

    select * from {{ ref('int_events_counted') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

content_events as (

    select
        events.capsule_id,
        coalesce(events.content_id, 'unknown') as content_id,
        events.session_key,
        events.relevance_score,
        events.is_content_access,
        events.is_citation,
        sessions.visitor_key,
        sessions.is_bot,
        {{ reporting_date('events.occurred_at') }} as activity_date
    from events
    inner join sessions
        on events.session_key = sessions.session_key
    where
        events.is_content_access
        or events.is_citation
        or (events.content_id is not null and events.relevance_score is not null)

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,
        cast(content_id as string) as content_id,

        -- numbers
        cast(count(*) filter (where is_content_access) as bigint) as access_count,
        cast(
            count(distinct case when is_content_access then session_key end) as bigint
        ) as session_count,
        cast(
            count(distinct case when is_content_access then visitor_key end) as bigint
        ) as visitor_count,
        cast(count(*) filter (where is_citation) as bigint) as citation_count,
        -- Added up as decimals: a sum of doubles depends on the order of its rows.
        cast(
            coalesce(sum(cast(relevance_score as decimal(18, 9))), 0) as double
        ) as relevance_score_sum,
        cast(count(relevance_score) as bigint) as relevance_score_count,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(activity_date as date) as activity_date
    from content_events
    group by capsule_id, activity_date, content_id, is_bot

)

select * from final
