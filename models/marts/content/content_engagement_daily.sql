{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'activity_date'],
    meta={'touched_by': 'day'},
    on_schema_change='fail',
) }}

with content_accesses as (

    select * from {{ touched(ref('fct_content_accesses'), by='day') }}

),

events as (

    select * from {{ touched(ref('int_events_counted'), by='day') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

content_events as (

    select
        capsule_id,
        content_id,
        session_key,
        visitor_key,
        relevance_score,
        is_citation,
        not is_citation as is_content_access,
        is_bot,
        activity_date
    from content_accesses
    union all
    -- A score counts wherever it was sent, also while an access goes on.
    select
        events.capsule_id,
        events.content_id,
        events.session_key,
        sessions.visitor_key,
        events.relevance_score,
        false as is_citation,
        false as is_content_access,
        sessions.is_bot,
        {{ reporting_date('events.occurred_at') }} as activity_date
    from events
    inner join sessions
        on events.session_key = sessions.session_key
    where
        events.content_id is not null
        and events.relevance_score is not null
        and not events.is_content_access
        and not events.is_citation

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
