{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'session_date'],
    meta={'touched_by': 'day'},
    on_schema_change='fail',
) }}

with sessions as (

    select * from {{ touched(
        ref('fct_sessions'), by='day', columns=['capsule_id', 'session_date']
    ) }}

),

-- How many conversations ended after how many turns.
ended_conversations as (

    select
        capsule_id,
        session_date,
        is_bot,
        turn_count,
        count(*) filter (where conversion_count = 0) as dropped_count,
        count(*) filter (where conversion_count > 0) as finished_count
    from sessions
    where turn_count > 0
    group by capsule_id, session_date, is_bot, turn_count

),

longest_conversations as (

    select
        capsule_id,
        session_date,
        is_bot,
        max(turn_count) as turn_count
    from ended_conversations
    group by capsule_id, session_date, is_bot

),

turn_numbers as (

    select whole_number as turn_number
    from {{ whole_numbers("select max(turn_count) from longest_conversations") }}

),

turns as (

    select
        longest_conversations.capsule_id,
        longest_conversations.session_date,
        longest_conversations.is_bot,
        turn_numbers.turn_number,
        coalesce(ended_conversations.dropped_count, 0) as dropped_count,
        coalesce(ended_conversations.finished_count, 0) as finished_count
    from longest_conversations
    inner join turn_numbers
        on longest_conversations.turn_count >= turn_numbers.turn_number
    left join ended_conversations
        on
            longest_conversations.capsule_id = ended_conversations.capsule_id
            and longest_conversations.session_date = ended_conversations.session_date
            and longest_conversations.is_bot = ended_conversations.is_bot
            and turn_numbers.turn_number = ended_conversations.turn_count

),

-- Those that reached a turn are those that ended there or later.
reached_turns as (

    select
        *,
        sum(dropped_count + finished_count) over (
            partition by capsule_id, session_date, is_bot
            order by turn_number desc
            rows between unbounded preceding and current row
        ) as reached_count
    from turns

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,

        -- numbers
        cast(turn_number as bigint) as turn_number,
        cast(reached_count as bigint) as reached_count,
        cast(dropped_count as bigint) as dropped_count,
        cast(finished_count as bigint) as finished_count,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(session_date as date) as session_date
    from reached_turns

)

select * from final
