-- The steps are the seed's, whatever it holds, up to this many.
{% set largest_step_number = 6 %}

{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['capsule_id', 'visitor_tier', 'visitor_key', 'entry_date'],
    meta={'touched_by': 'history'},
    on_schema_change='fail',
) }}

{{ built_after('int_touched_histories') }}

with all_sessions as (

    select * from {{ ref('fct_sessions') }}

),

-- Of a batch only the sessions that may tell of a funnel entered on a touched day, and
-- of these only the days that they have events on, are read.
{% if is_batch() %}
    touched_spans as (

        select
            capsule_id,
            visitor_tier,
            visitor_key,
            cast(min(entry_date) as timestamp) - interval '1 day' as from_at,
            cast(max(entry_date) as timestamp) + interval '9 days' as until_at
        from {{ touched_table('int_touched_histories') }}
        group by capsule_id, visitor_tier, visitor_key

    ),

    sessions as (

        select all_sessions.*
        from all_sessions
        inner join touched_spans
            on
                all_sessions.capsule_id = touched_spans.capsule_id
                and all_sessions.visitor_tier = touched_spans.visitor_tier
                and all_sessions.visitor_key = touched_spans.visitor_key
                and all_sessions.ended_at >= touched_spans.from_at
                and all_sessions.started_at <= touched_spans.until_at

    ),

    spans as (

        select
            session_key,
            cast(cast(started_at as date) as timestamp) as from_at,
            cast(cast(ended_at as date) as timestamp) as until_at
        from sessions

    ),

    {{ days_of_spans() }}

    session_days as (  -- noqa: ST03

        select
            spans.session_key,
            cast(spans.from_at as date) + span_days.day_number as event_date
        from spans
        inner join span_days
            on
                cast(spans.from_at as date) + span_days.day_number
                <= cast(spans.until_at as date)

    ),
{% else %}
    sessions as (

        select * from all_sessions

    ),
{% endif %}

events as (

    select * from {{ ref('int_events_counted') }}
    {% if is_batch() %}
        where
            (session_key, event_date) in (
                select
                    session_days.session_key,
                    session_days.event_date
                from session_days
            )
    {% endif %}

),

funnel_steps as (

    select * from {{ ref('funnel_steps') }}

),

kinds_of_events as (

    select
        session_key,
        event_key,
        event_number,
        occurred_at,
        case
            when is_view then 'view'
            when is_turn then 'turn'
            when is_cta_click then 'cta_click'
            when is_conversion then 'conversion'
        end as step
    from events
    where is_view or is_turn or is_conversion

),

-- Numbered in the session, and over all sessions of the visitor on the capsule; bots
-- apart, so that one does not take a step for a person.
step_events as (

    select
        kinds_of_events.session_key,
        kinds_of_events.event_number,
        kinds_of_events.occurred_at,
        funnel_steps.step_number,
        sessions.capsule_id,
        sessions.visitor_tier,
        sessions.visitor_key,
        sessions.is_bot,
        row_number() over (
            partition by
                sessions.capsule_id,
                sessions.visitor_tier,
                sessions.visitor_key,
                sessions.is_bot
            order by kinds_of_events.occurred_at, kinds_of_events.event_key
        ) as visitor_event_number
    from kinds_of_events
    inner join funnel_steps
        on kinds_of_events.step = funnel_steps.step
    inner join sessions
        on kinds_of_events.session_key = sessions.session_key

),

-- Within one session: each step at its first event after that of the step before.
session_step_1 as (

    select
        session_key,
        min(event_number) as event_number,
        min(occurred_at) as entered_at,
        min(occurred_at) as previous_at,
        min(occurred_at) as reached_at
    from step_events
    where step_number = 1
    group by session_key

),

{% for number in range(2, largest_step_number + 1) %}
    session_step_{{ number }} as (

        select
            steps.session_key,
            min(step_events.event_number) as event_number,
            min(steps.entered_at) as entered_at,
            min(steps.reached_at) as previous_at,
            min(step_events.occurred_at) as reached_at
        from session_step_{{ number - 1 }} as steps
        inner join step_events
            on
                steps.session_key = step_events.session_key
                and steps.event_number < step_events.event_number
        where step_events.step_number = {{ number }}
        group by steps.session_key

    ),
{% endfor %}

-- Within seven days of a visitor: from the first entry of each day, over its sessions.
visitor_step_1 as (

    select
        capsule_id,
        visitor_tier,
        visitor_key,
        is_bot,
        {{ reporting_date('occurred_at') }} as entry_date,
        min_by(session_key, visitor_event_number) as session_key,
        min(visitor_event_number) as visitor_event_number,
        min(occurred_at) as entered_at,
        min(occurred_at) as previous_at,
        min(occurred_at) as reached_at
    from step_events
    where step_number = 1
    group by
        capsule_id,
        visitor_tier,
        visitor_key,
        is_bot,
        {{ reporting_date('occurred_at') }}

),

{% for number in range(2, largest_step_number + 1) %}
    visitor_step_{{ number }} as (

        select
            steps.capsule_id,
            steps.visitor_tier,
            steps.visitor_key,
            steps.is_bot,
            steps.entry_date,
            min(steps.session_key) as session_key,
            min(step_events.visitor_event_number) as visitor_event_number,
            min(steps.entered_at) as entered_at,
            min(steps.reached_at) as previous_at,
            min(step_events.occurred_at) as reached_at
        from visitor_step_{{ number - 1 }} as steps
        inner join step_events
            on
                steps.capsule_id = step_events.capsule_id
                and steps.visitor_tier = step_events.visitor_tier
                and steps.visitor_key = step_events.visitor_key
                and steps.is_bot = step_events.is_bot
                and steps.visitor_event_number < step_events.visitor_event_number
                and steps.entered_at + interval '7 days' >= step_events.occurred_at
        where step_events.step_number = {{ number }}
        group by
            steps.capsule_id,
            steps.visitor_tier,
            steps.visitor_key,
            steps.is_bot,
            steps.entry_date

    ),
{% endfor %}

taken_steps as (

    {% for scope in ['session', 'visitor'] %}
        {% set outer_loop = loop %}
        {% for number in range(1, largest_step_number + 1) %}
            {% if not (outer_loop.first and loop.first) %}
                union all
            {% endif %}
            select
                '{{ scope }}' as scope,
                session_key,
                {{ number }} as step_number,
                entered_at,
                previous_at,
                reached_at
            from {{ scope }}_step_{{ number }}
        {% endfor %}
    {% endfor %}

),

final as (

    select
        -- ids
        cast(taken_steps.session_key as string) as session_key,
        cast(sessions.capsule_id as string) as capsule_id,
        cast(sessions.visitor_key as string) as visitor_key,

        -- text
        cast(taken_steps.scope as string) as scope,
        cast(funnel_steps.step as string) as step,
        cast(sessions.visitor_tier as string) as visitor_tier,
        cast(sessions.channel as string) as channel,
        cast(sessions.source as string) as source,
        cast(sessions.campaign as string) as campaign,
        cast(sessions.country as string) as country,
        cast(sessions.device as string) as device,
        cast(sessions.browser as string) as browser,
        cast(sessions.os as string) as os,

        -- numbers
        cast(taken_steps.step_number as bigint) as step_number,
        cast(
            {{ seconds_between('taken_steps.previous_at', 'taken_steps.reached_at') }}
            as double
        ) as seconds_to_step,
        cast(
            {{ seconds_between('taken_steps.entered_at', 'taken_steps.reached_at') }}
            as double
        ) as seconds_from_entry,

        -- booleans
        cast(sessions.is_bot as boolean) as is_bot,

        -- timestamps
        cast(taken_steps.entered_at as timestamp) as entered_at,
        cast({{ reporting_date('taken_steps.entered_at') }} as date) as entry_date,
        cast(taken_steps.entered_at as date) as event_date
    from taken_steps
    inner join sessions
        on taken_steps.session_key = sessions.session_key
    inner join funnel_steps
        on taken_steps.step_number = funnel_steps.step_number
    {% if is_batch() %}
        where
            (
                sessions.capsule_id,
                sessions.visitor_tier,
                sessions.visitor_key,
                {{ reporting_date('taken_steps.entered_at') }}
            ) in ({{ touched_keys('history') }})
    {% endif %}

)

select * from final
order by capsule_id, entered_at, session_key, scope, step_number
