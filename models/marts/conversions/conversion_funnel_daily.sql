{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'entry_date'],
    meta={'touched_by': 'entry_day'},
    on_schema_change='fail',
) }}

with taken_steps as (

    select * from {{ touched(ref('fct_funnel_steps'), by='entry_day') }}

),

funnel_steps as (

    select * from {{ ref('funnel_steps') }}

),

counted_steps as (

    select
        capsule_id,
        entry_date,
        channel,
        device,
        is_bot,
        step_number,
        count(*) filter (where scope = 'session') as session_count,
        count(*) filter (where scope = 'visitor') as visitor_count,
        percentile_cont(0.5) within group (order by seconds_to_step) filter (
            where scope = 'session'
        ) as median_seconds_to_step,
        percentile_cont(0.5) within group (order by seconds_to_step) filter (
            where scope = 'visitor'
        ) as visitor_median_seconds_to_step
    from taken_steps
    group by capsule_id, entry_date, channel, device, is_bot, step_number

),

-- Every step of every funnel that was entered, taken or not.
entered_funnels as (

    select distinct
        capsule_id,
        entry_date,
        channel,
        device,
        is_bot
    from counted_steps

),

steps as (

    select
        entered_funnels.capsule_id,
        entered_funnels.entry_date,
        entered_funnels.channel,
        entered_funnels.device,
        entered_funnels.is_bot,
        funnel_steps.step_number,
        funnel_steps.step,
        coalesce(counted_steps.session_count, 0) as session_count,
        coalesce(counted_steps.visitor_count, 0) as visitor_count,
        counted_steps.median_seconds_to_step,
        counted_steps.visitor_median_seconds_to_step
    from entered_funnels
    cross join funnel_steps
    left join counted_steps
        on
            entered_funnels.capsule_id = counted_steps.capsule_id
            and entered_funnels.entry_date = counted_steps.entry_date
            and entered_funnels.channel = counted_steps.channel
            and entered_funnels.device = counted_steps.device
            and entered_funnels.is_bot = counted_steps.is_bot
            and funnel_steps.step_number = counted_steps.step_number

),

final as (

    select
        -- ids
        cast(capsule_id as string) as capsule_id,

        -- text
        cast(channel as string) as channel,
        cast(device as string) as device,
        cast(step as string) as step,

        -- numbers
        cast(step_number as bigint) as step_number,
        cast(session_count as bigint) as session_count,
        cast(
            session_count
            - coalesce(lead(session_count) over funnel, session_count) as bigint
        ) as dropped_session_count,
        cast(median_seconds_to_step as double) as median_seconds_to_step,
        cast(visitor_count as bigint) as visitor_count,
        cast(
            visitor_count
            - coalesce(lead(visitor_count) over funnel, visitor_count) as bigint
        ) as dropped_visitor_count,
        cast(visitor_median_seconds_to_step as double)
            as visitor_median_seconds_to_step,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(entry_date as date) as entry_date
    from steps
    window
        funnel as (
            partition by capsule_id, entry_date, channel, device, is_bot
            order by step_number
        )

)

select * from final
