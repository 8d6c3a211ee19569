-- A returned row means that turns, searches, or impressions and clicks of calls to
-- action differ between their own tables and the sessions they belong to.

with counted as (

    select
        (select count(*) from {{ ref('fct_turns') }}) as turn_count,
        (select count(*) from {{ ref('fct_searches') }}) as search_count,
        (select count(*) from {{ ref('fct_conversations') }}) as conversation_count,
        (
            select coalesce(sum(impression_count), 0)
            from {{ ref('cta_activity_hourly') }}
        ) as cta_impression_count,
        (
            select coalesce(sum(click_count), 0)
            from {{ ref('cta_activity_hourly') }}
        ) as cta_click_count

),

sessions as (

    select
        coalesce(sum(turn_count), 0) as turn_count,
        coalesce(sum(search_count), 0) as search_count,
        count(*) filter (where is_conversation) as conversation_count,
        coalesce(sum(cta_impression_count), 0) as cta_impression_count,
        coalesce(sum(cta_click_count), 0) as cta_click_count
    from {{ ref('fct_sessions') }}

)

select
    counted.*,
    sessions.turn_count as session_turn_count,
    sessions.search_count as session_search_count
from counted
cross join sessions
where
    counted.turn_count <> sessions.turn_count
    or counted.search_count <> sessions.search_count
    or counted.conversation_count <> sessions.conversation_count
    or counted.cta_impression_count <> sessions.cta_impression_count
    or counted.cta_click_count <> sessions.cta_click_count
