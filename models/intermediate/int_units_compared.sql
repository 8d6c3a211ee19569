-- The last seven whole days against the seven before, counted from the newest event:
-- the clock decides nothing, so that a rebuild gives the same rows.
{% set days = 7 %}
{% set dimensions = ['channel', 'device', 'country', 'content'] %}

with sessions as (

    select * from {{ ref('fct_sessions') }}

),

content_accesses as (

    select * from {{ ref('fct_content_accesses') }}

),

capsules as (

    select * from {{ ref('dim_capsules') }}

),

-- The day of the newest event is not over: the days end before it.
periods as (

    select
        max({{ reporting_date('ended_at') }}) - interval '1 day' as last_day,
        max({{ reporting_date('ended_at') }})
        - interval '{{ days }} days' as first_day,
        max({{ reporting_date('ended_at') }})
        - interval '{{ days + 1 }} days' as previous_last_day,
        max({{ reporting_date('ended_at') }})
        - interval '{{ 2 * days }} days' as previous_first_day
    from sessions

),

-- A capsule is comparable when it was there from the first of the days.
comparable_capsules as (

    select capsules.capsule_id
    from capsules
    cross join periods
    where
        {{ reporting_date('capsules.first_event_at') }} <= periods.previous_first_day

),

first_accesses as (

    select
        content_accesses.session_key,
        min_by(
            content_accesses.content_id,
            concat(
                {{ instant_text('content_accesses.accessed_at') }},
                content_accesses.access_key
            )
        ) as content_id
    from content_accesses
    cross join periods
    where
        not content_accesses.is_citation
        and content_accesses.activity_date >= periods.previous_first_day
    group by content_accesses.session_key

),

compared_sessions as (

    select
        sessions.*,
        coalesce(first_accesses.content_id, 'none') as content,
        concat({{ instant_text('sessions.started_at') }}, sessions.session_key)
            as session_rank,
        case
            when sessions.session_date >= periods.first_day then 1
            else 0
        end as is_current
    from sessions
    inner join comparable_capsules
        on sessions.capsule_id = comparable_capsules.capsule_id
    cross join periods
    left join first_accesses
        on sessions.session_key = first_accesses.session_key
    where
        not sessions.is_bot
        and sessions.session_date >= periods.previous_first_day
        and sessions.session_date <= periods.last_day

),

-- What each metric is a mean of: its units with their value and dimensions.
visitors as (

    select
        capsule_id,
        is_current,
        visitor_tier,
        visitor_key,
        max(case when conversion_count > 0 then 1 else 0 end) as has_converted,
        {% for dimension in dimensions %}
            min_by({{ dimension }}, session_rank) as {{ dimension }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from compared_sessions
    group by capsule_id, is_current, visitor_tier, visitor_key

),

units as (

    {% for metric, expression, condition in [
        ('session_count', '1', 'true'),
        ('engaged_seconds_avg', 'engaged_seconds', 'true'),
        ('bounce_rate', 'case when is_bounce then 1 else 0 end', 'view_count > 0'),
        ('engagement_rate', 'case when is_engaged then 1 else 0 end', 'true'),
        ('turns_per_conversation_avg', 'turn_count', 'turn_count > 0'),
    ] %}
        select
            capsule_id,
            '{{ metric }}' as metric,
            is_current,
            session_date,
            cast({{ expression }} as decimal(18, 3)) as unit_value,
            channel,
            device,
            country,
            content
        from compared_sessions
        where {{ condition }}
        union all
    {% endfor %}
    select
        capsule_id,
        'conversion_rate' as metric,
        is_current,
        cast(null as date) as session_date,
        cast(has_converted as decimal(18, 3)) as unit_value,
        channel,
        device,
        country,
        content
    from visitors

),

final as (

    select
        -- ids
        units.capsule_id,

        -- text
        units.metric,
        units.channel,
        units.device,
        units.country,
        units.content,

        -- numbers
        units.unit_value,

        -- booleans
        units.is_current = 1 as is_current,

        -- timestamps
        units.session_date,
        cast(periods.first_day as date) as period_from,
        cast(periods.last_day as date) as period_to
    from units
    cross join periods

)

select * from final
