{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'activity_date'],
    meta={'touched_by': 'day'},
    on_schema_change='fail',
) }}

with events as (

    select * from {{ touched(ref('int_events_counted'), by='day') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

searches as (

    select
        events.capsule_id,
        coalesce(nullif(events.search_query, ''), 'unknown') as search_query,
        events.session_key,
        events.result_count,
        sessions.is_bot,
        {{ reporting_date('events.occurred_at') }} as activity_date
    from events
    inner join sessions
        on events.session_key = sessions.session_key
    where events.is_search

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,

        -- text
        cast(search_query as string) as search_query,

        -- numbers
        cast(count(*) as bigint) as search_count,
        cast(count(*) filter (where result_count = 0) as bigint) as zero_result_count,
        cast(count(distinct session_key) as bigint) as session_count,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(activity_date as date) as activity_date
    from searches
    group by capsule_id, activity_date, search_query, is_bot

)

select * from final
