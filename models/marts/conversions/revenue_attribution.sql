-- Credits are differences of running shares, rounded to the cent, and the last touch
-- takes what is left: so they add up to the amount exactly, in every model.

{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['session_key', 'event_date'],
    meta={'touched_by': 'session'},
    on_schema_change='fail',
) }}

with conversions as (

    select * from {{ touched(ref('fct_conversions'), by='session') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

-- A click that brings nothing has no revenue to share.
valued_conversions as (

    select
        conversion_key,
        converted_at,
        session_key,
        capsule_id,
        visitor_tier,
        visitor_key,
        conversion_type,
        amount,
        currency,
        is_bot,
        conversion_date,
        event_date
    from conversions
    where amount is not null or not is_cta_click

),

touches as (

    select
        valued_conversions.conversion_key,
        valued_conversions.converted_at,
        sessions.session_key,
        sessions.channel,
        sessions.source,
        sessions.campaign,
        sessions.started_at,
        row_number() over (
            partition by
                valued_conversions.conversion_key, valued_conversions.converted_at
            order by sessions.started_at, sessions.session_key
        ) as touch_number,
        count(*) over (
            partition by
                valued_conversions.conversion_key, valued_conversions.converted_at
        ) as touch_count
    from valued_conversions
    inner join sessions
        on
            valued_conversions.capsule_id = sessions.capsule_id
            and valued_conversions.visitor_tier = sessions.visitor_tier
            and valued_conversions.visitor_key = sessions.visitor_key
            and valued_conversions.converted_at >= sessions.started_at
            and valued_conversions.converted_at
            <= sessions.started_at + interval '{{ var("first_touch_days") }} days'

),

described_touches as (

    select
        *,
        -- The last touch that is not direct; 0 where all are.
        max(case when channel <> 'direct' then touch_number else 0 end) over (
            partition by conversion_key, converted_at
        ) as last_indirect_number
    from touches

),

models as (

    select 'first' as model
    union all
    select 'last' as model
    union all
    select 'last_non_direct' as model
    union all
    select 'linear' as model
    union all
    select 'position_based' as model
    union all
    select 'time_decay' as model

),

model_touches as (

    select
        described_touches.*,
        models.model
    from described_touches
    cross join models

),

weighed_touches as (

    select
        *,
        case model
            when 'first' then case when touch_number = 1 then 1.0 else 0.0 end
            when 'last' then case when touch_number = touch_count then 1.0 else 0.0 end
            when 'last_non_direct'
                then
                    case
                        when last_indirect_number = touch_number then 1.0
                        when last_indirect_number = 0 and touch_number = touch_count
                            then 1.0
                        else 0.0
                    end
            when 'linear' then 1.0
            when 'position_based'
                then
                    case
                        when touch_count <= 2 then 1.0
                        when touch_number in (1, touch_count) then 0.4
                        else 0.2 / nullif(touch_count - 2, 0)
                    end
            -- Half of it is gone after seven days.
            else
                power(
                    0.5,
                    {{ seconds_between('started_at', 'converted_at') }} / (7 * 86400)
                )
        end as weight
    from model_touches

),

running_weights as (

    select
        *,
        sum(cast(weight as double)) over (
            partition by conversion_key, converted_at, model
            order by touch_number
            rows between unbounded preceding and current row
        ) as running_weight,
        sum(cast(weight as double)) over (
            partition by conversion_key, converted_at, model
            order by touch_number
            rows between unbounded preceding and unbounded following
        ) as whole_weight,
        lead(touch_number) over (
            partition by conversion_key, converted_at, model
            order by touch_number
        ) is null as is_last_of_model
    from weighed_touches
    where weight > 0

),

-- What no touch explains is a row of its own in every model.
shared_conversions as (

    select
        valued_conversions.*,
        models.model,
        running_weights.session_key as touch_session_key,
        running_weights.channel,
        running_weights.source,
        running_weights.campaign,
        running_weights.started_at as touched_at,
        coalesce(running_weights.touch_number, 0) as touch_number,
        coalesce(running_weights.touch_count, 0) as touch_count,
        case
            when coalesce(running_weights.is_last_of_model, true)
                then cast(1 as decimal(18, 9))
            else
                cast(
                    round(
                        running_weights.running_weight
                        / nullif(running_weights.whole_weight, 0),
                        9
                    ) as decimal(18, 9)
                )
        end as running_share,
        case
            when coalesce(running_weights.is_last_of_model, true)
                then valued_conversions.amount
            else
                cast(
                    round(
                        cast(valued_conversions.amount as double)
                        * running_weights.running_weight
                        / nullif(running_weights.whole_weight, 0),
                        2
                    ) as decimal(18, 4)
                )
        end as running_credit
    from valued_conversions
    cross join models
    left join running_weights
        on
            valued_conversions.conversion_key = running_weights.conversion_key
            and valued_conversions.converted_at = running_weights.converted_at
            and models.model = running_weights.model

),

final as (

    select
        -- ids
        cast(conversion_key as string) as conversion_key,
        cast(session_key as string) as session_key,
        cast(capsule_id as string) as capsule_id,
        cast(visitor_key as string) as visitor_key,
        cast(touch_session_key as string) as touch_session_key,

        -- text
        cast(model as string) as model,
        cast(conversion_type as string) as conversion_type,
        cast(coalesce(currency, 'unknown') as string) as currency,
        cast(coalesce(channel, 'unattributed') as string) as channel,
        cast(coalesce(source, 'unattributed') as string) as source,
        cast(coalesce(campaign, 'unattributed') as string) as campaign,

        -- numbers
        cast(touch_number as bigint) as touch_number,
        cast(touch_count as bigint) as touch_count,
        cast(
            running_share
            - coalesce(lag(running_share) over touches_of_model, 0) as decimal(18, 9)
        ) as credit_share,
        cast(
            running_credit
            - coalesce(lag(running_credit) over touches_of_model, 0) as decimal(18, 4)
        ) as credit,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(touched_at as timestamp) as touched_at,
        cast(converted_at as timestamp) as converted_at,
        cast(conversion_date as date) as conversion_date,
        cast(event_date as date) as event_date
    from shared_conversions
    window
        touches_of_model as (
            partition by conversion_key, converted_at, model
            order by touch_number
        )

)

select * from final
