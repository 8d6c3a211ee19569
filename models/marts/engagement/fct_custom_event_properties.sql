-- The only model that looks into the properties: each becomes a row, so that every
-- reader measures them with plain SQL.

{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key=['session_key', 'event_date'],
    meta={'touched_by': 'session'},
    on_schema_change='fail',
) }}

with custom_events as (

    select * from {{ touched(ref('fct_custom_events'), by='session') }}

),

properties as (

    select *
    from {{ json_entries('custom_events', 'properties') }} as entries

),

-- A number is what reads as one, sent with or without quotes.
read_properties as (

    select
        *,
        case
            when
                regexp_replace(
                    entry_text,
                    '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$',
                    ''
                ) = ''
                then try_cast(nullif(entry_text, '') as double)
        end as read_number
    from properties

),

final as (

    select
        -- ids
        cast(event_key as string) as event_key,
        cast(capsule_id as string) as capsule_id,
        cast(session_key as string) as session_key,
        cast(visitor_key as string) as visitor_key,

        -- text
        cast(visitor_tier as string) as visitor_tier,
        cast(channel as string) as channel,
        cast(source as string) as source,
        cast(campaign as string) as campaign,
        cast(country as string) as country,
        cast(device as string) as device,
        cast(browser as string) as browser,
        cast(os as string) as os,
        cast(event_name as string) as event_name,
        cast(entry_name as string) as property_name,
        cast(entry_text as string) as text_value,

        -- numbers
        cast(
            case when abs(read_number) <= 1e300 then read_number end as double
        ) as number_value,

        -- booleans
        cast(is_bot as boolean) as is_bot,

        -- timestamps
        cast(occurred_at as timestamp) as occurred_at,
        cast(activity_date as date) as activity_date,
        cast(event_date as date) as event_date
    from read_properties
    where entry_text is not null

)

select * from final
order by capsule_id, occurred_at, event_key, property_name
