-- Classifies distinct combinations, not events: rules are compared some ten thousand
-- times a build, however many events there are.

{% set rule_fields = [
    'source_label', 'utm_source', 'utm_medium', 'utm_campaign', 'click_id',
    'referrer_domain', 'is_internal', 'source_category', 'referrer_category',
    'medium_and_category', 'medium_and_source_category',
] %}
{% set domain_depth = 5 %}
-- Names joined by dots, without spaces; replaced by nothing, nothing is left.
{% set domain_form = '^[^ .]+([.][^ .]+)+$' %}

-- Appended: what a combination is classified as depends on itself and the seeds only.
{{ config(
    materialized='incremental', incremental_strategy='append', on_schema_change='fail'
) }}

with events as (

    select * from {{ touched(ref('int_events_sessionized'), by='sitting') }}

),

channel_rules as (

    select * from {{ ref('channel_rules') }}

),

referrer_domains as (

    select * from {{ ref('referrer_domains') }}

),

source_spellings as (

    select * from {{ ref('source_spellings') }}

),

combinations as (

    select distinct
        source_label,
        referrer_domain,
        is_internal_referrer,
        utm_source,
        utm_medium,
        utm_campaign,
        click_id
    from events
    where
        source_label is not null
        or referrer_domain is not null
        or utm_source is not null
        or utm_medium is not null
        or utm_campaign is not null
        or click_id is not null

),

-- What the seed can be asked for: a label, a campaign's source, a referrer.
names as (

    select source_label as name from combinations
    union distinct
    select utm_source as name from combinations
    union distinct
    select referrer_domain as name from combinations

),

-- a.b.example.com, then b.example.com, then example.com: the longest known one wins.
{% for depth in range(domain_depth) %}
    parent_names_{{ depth }} as (

        {% if depth == 0 %}
            select
                name,
                name as parent_name
            from names
            where name is not null
        {% else %}
            select
                name,
                regexp_replace(parent_name, '^[^.]+[.]', '') as parent_name
            from parent_names_{{ depth - 1 }}
        {% endif %}

    ),
{% endfor %}

source_names as (

    select
        name,
        max(category) as category
    from (
        select
            lower(source_name) as name,
            category
        from referrer_domains
        union all
        select
            source_spellings.source_label as name,
            referrer_domains.category
        from source_spellings
        inner join referrer_domains
            on source_spellings.source_name = referrer_domains.source_name
    ) as spelled_names
    group by name

),

categorised_names as (

    select
        parent_names_0.name,
        coalesce(
            {% for depth in range(domain_depth) %}
                domains_{{ depth }}.category,
            {% endfor %}
            source_names.category
        ) as category
    from parent_names_0
    {% for depth in range(domain_depth) %}
        {% if depth > 0 %}
            inner join parent_names_{{ depth }}
                on parent_names_0.name = parent_names_{{ depth }}.name
        {% endif %}
        left join referrer_domains as domains_{{ depth }}
            on parent_names_{{ depth }}.parent_name = domains_{{ depth }}.domain
    {% endfor %}
    left join source_names
        on parent_names_0.name = source_names.name

),

categorised as (

    select
        combinations.*,
        md5(
            concat_ws(
                '|',
                coalesce(combinations.source_label, '(null)'),
                coalesce(combinations.referrer_domain, '(null)'),
                cast(combinations.is_internal_referrer as string),
                coalesce(combinations.utm_source, '(null)'),
                coalesce(combinations.utm_medium, '(null)'),
                coalesce(combinations.utm_campaign, '(null)'),
                coalesce(combinations.click_id, '(null)')
            )
        ) as traffic_source_key,
        case when combinations.is_internal_referrer then 'true' end as is_internal,
        coalesce(labels.category, campaign_sources.category) as source_category,
        referrers.category as referrer_category
    from combinations
    left join categorised_names as labels
        on combinations.source_label = labels.name
    left join categorised_names as campaign_sources
        on combinations.utm_source = campaign_sources.name
    left join categorised_names as referrers
        on combinations.referrer_domain = referrers.name

),

described as (

    select
        *,
        -- `cpc/search` and `cpc/social` are different channels.
        utm_medium || '/' || coalesce(source_category, referrer_category)
            as medium_and_category,
        -- A banner is bought from the source that is named, not from where it was seen.
        utm_medium || '/' || source_category as medium_and_source_category,
        -- What was sent as a referrer and is none ("not a url") names no source.
        case
            when
                referrer_category is not null
                or is_internal_referrer
                or regexp_replace(referrer_domain, '{{ domain_form }}', '') = ''
                then referrer_domain
        end as known_referrer
    from categorised

),

signals as (

    {% for field in rule_fields %}
        {% if not loop.first %}
            union all
        {% endif %}
        select
            traffic_source_key,
            '{{ field }}' as field,
            {{ field }} as signal
        from described
        where {{ field }} is not null
    {% endfor %}

),

matches as (

    select
        signals.traffic_source_key,
        min(channel_rules.priority) as priority
    from signals
    inner join channel_rules
        on
            signals.field = channel_rules.field
            and case channel_rules.operator
                when 'equals' then signals.signal = channel_rules.value
                when 'contains'
                    then position(channel_rules.value in signals.signal) > 0
                when 'starts_with'
                    then
                        substring(signals.signal, 1, length(channel_rules.value))
                        = channel_rules.value
                when 'ends_with'
                    then
                        right(signals.signal, length(channel_rules.value))
                        = channel_rules.value
                when 'is_domain'
                    then
                        signals.signal = channel_rules.value
                        or right(signals.signal, length(channel_rules.value) + 1)
                        = '.' || channel_rules.value
                when 'is_any_domain'
                    then
                        signals.signal <> ''
                        and regexp_replace(signals.signal, '{{ domain_form }}', '') = ''
                when 'is_empty' then signals.signal = ''
                when 'is_not_empty' then signals.signal <> ''
                else false
            end
    group by signals.traffic_source_key

),

final as (

    select
        -- ids
        described.traffic_source_key,

        -- text
        described.source_label,
        described.referrer_domain,
        described.utm_source,
        described.utm_medium,
        described.utm_campaign,
        described.click_id,
        coalesce(channel_rules.channel, 'unknown') as channel,
        case
            when channel_rules.channel = 'direct' then 'direct'
            else
                coalesce(
                    described.source_label,
                    described.utm_source,
                    nullif(described.known_referrer, ''),
                    'unknown'
                )
        end as source,
        coalesce(described.utm_campaign, 'unknown') as campaign,
        described.source_category,
        described.referrer_category,

        -- numbers
        matches.priority as rule_priority,

        -- booleans
        described.is_internal_referrer
    from described
    left join matches
        on described.traffic_source_key = matches.traffic_source_key
    left join channel_rules
        on matches.priority = channel_rules.priority
    {% if is_batch() %}
        where
            described.traffic_source_key not in (
                select known_sources.traffic_source_key from {{ this }} as known_sources
            )
    {% endif %}

)

select * from final
