-- A returned row means that conversions, leads or clicks differ between the conversions
-- and the sessions they belong to.

with conversions as (

    select
        count(*) as conversion_count,
        count(*) filter (where is_lead) as lead_count,
        count(*) filter (where is_cta_click) as cta_click_count
    from {{ ref('fct_conversions') }}

),

sessions as (

    select
        coalesce(sum(conversion_count), 0) as conversion_count,
        coalesce(sum(lead_count), 0) as lead_count,
        coalesce(sum(cta_click_count), 0) as cta_click_count
    from {{ ref('fct_sessions') }}

)

select
    conversions.conversion_count,
    sessions.conversion_count as session_conversion_count,
    conversions.lead_count,
    sessions.lead_count as session_lead_count,
    conversions.cta_click_count,
    sessions.cta_click_count as session_cta_click_count
from conversions
cross join sessions
where
    conversions.conversion_count <> sessions.conversion_count
    or conversions.lead_count <> sessions.lead_count
    or conversions.cta_click_count <> sessions.cta_click_count
