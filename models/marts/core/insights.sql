-- What changed in the last seven whole days, in words, with what explains it and what
-- to do about it.
{% set days = 7 %}
{% set significance = 0.01 %}
{% set most_insights = 5 %}
{% set dimensions = ['channel', 'device', 'country', 'content'] %}

with units as (

    select * from {{ ref('int_units_compared') }}

),

tested_changes as (

    select * from {{ ref('int_changes_tested') }}

),

insight_texts as (

    select * from {{ ref('insight_texts') }}

),

countries as (

    select * from {{ ref('countries') }}

),

periods as (

    select distinct
        period_from,
        period_to
    from units

),

ranked_changes as (

    select
        tested_changes.*,
        insight_texts.unit,
        insight_texts.headline,
        insight_texts.recommendation,
        insight_texts.page,
        row_number() over (
            partition by tested_changes.capsule_id
            order by tested_changes.z_score desc, tested_changes.metric asc
        ) as insight_rank
    from tested_changes
    inner join insight_texts
        on
            tested_changes.metric = insight_texts.metric
            and tested_changes.direction = insight_texts.direction
    where tested_changes.p_value < {{ significance }}

),

-- How much of the change each part of the audience makes: these add up to the change
-- over the values of one dimension. A part that grows, and one that changes its ways,
-- both count.
parts as (

    {% for dimension in dimensions %}
        select
            units.capsule_id,
            units.metric,
            {{ loop.index }} as dimension_number,
            '{{ dimension }}' as dimension,
            units.{{ dimension }} as dimension_value,
            cast(count(*) filter (where units.is_current) as double) as unit_count,
            cast(count(*) filter (where not units.is_current) as double)
                as previous_unit_count,
            cast(
                coalesce(sum(units.unit_value) filter (where units.is_current), 0)
                as double
            ) as total,
            cast(
                coalesce(sum(units.unit_value) filter (where not units.is_current), 0)
                as double
            ) as previous_total
        from units
        group by units.capsule_id, units.metric, units.{{ dimension }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

shares as (

    select
        parts.capsule_id,
        parts.metric,
        parts.dimension_number,
        parts.dimension,
        parts.dimension_value,
        case
            when parts.metric = 'session_count'
                then (parts.total - parts.previous_total) / {{ days }}
            else
                (parts.total - parts.unit_count * ranked_changes.previous_mean)
                / ranked_changes.unit_count
                - (
                    parts.previous_total
                    - parts.previous_unit_count * ranked_changes.previous_mean
                )
                / ranked_changes.previous_unit_count
        end
        / nullif(ranked_changes.mean - ranked_changes.previous_mean, 0)
            as explained_share,
        (parts.unit_count + parts.previous_unit_count)
        / sum(parts.unit_count + parts.previous_unit_count) over (
            partition by parts.capsule_id, parts.metric, parts.dimension
        ) as unit_share
    from parts
    inner join ranked_changes
        on
            parts.capsule_id = ranked_changes.capsule_id
            and parts.metric = ranked_changes.metric

),

-- Named is the part that explains most beyond its size; without one of some weight the
-- change is everybody's.
explanations as (

    select
        *,
        row_number() over (
            partition by capsule_id, metric
            order by
                round(explained_share - unit_share, 6) desc,
                dimension_number,
                dimension_value asc
        ) as explanation_rank
    from shares
    where
        explained_share >= 0.3
        and explained_share - unit_share >= 0.1
        and dimension_value not in ('none', 'unknown')

),

written_values as (

    select
        ranked_changes.*,
        explanations.dimension as explained_by,
        explanations.dimension_value as explained_value,
        -- The least of nothing and 1 is 1, which would say that nothing explains all.
        case
            when explanations.explained_share is not null
                then least(explanations.explained_share, 1.0)
        end as explained_share,
        {% for side in ['', 'previous_'] %}
            case ranked_changes.unit
                when 'rate'
                    then
                        concat(
                            {{ one_decimal('100 * ranked_changes.' ~ side ~ 'mean') }},
                            '%'
                        )
                when 'seconds'
                    then
                        concat(
                            {{ one_decimal('ranked_changes.' ~ side ~ 'mean') }}, ' s'
                        )
                when 'count'
                    then
                        cast(
                            {{ 'ranked_changes.' ~ side ~ 'session_count' }} as string
                        )
                else {{ one_decimal('ranked_changes.' ~ side ~ 'mean') }}
            end as {{ side }}text,
        {% endfor %}
        case explanations.dimension
            when 'device'
                then concat('on ', replace(explanations.dimension_value, '_', ' '))
            when 'content'
                then concat('with content item ', explanations.dimension_value)
            when 'channel'
                then concat('from ', replace(explanations.dimension_value, '_', ' '))
            else
                concat(
                    'from ',
                    coalesce(countries.country_name, explanations.dimension_value)
                )
        end as explanation_text,
        periods.period_from,
        periods.period_to
    from ranked_changes
    cross join periods
    left join explanations
        on
            ranked_changes.capsule_id = explanations.capsule_id
            and ranked_changes.metric = explanations.metric
            and explanations.explanation_rank = 1
    left join countries
        on
            explanations.dimension = 'country'
            and explanations.dimension_value = countries.country
    where ranked_changes.insight_rank <= {{ most_insights }}

),

final as (

    select
        -- ids
        cast(md5(concat_ws('|', capsule_id, metric)) as string) as insight_key,
        cast(capsule_id as string) as capsule_id,

        -- text
        cast(metric as string) as metric,
        cast(direction as string) as direction,
        cast(
            concat(
                headline,
                ' from ',
                previous_text,
                ' to ',
                text,
                case when unit = 'turns' then ' turns' else '' end,
                ' in seven days',
                case
                    when explained_by is not null
                        then
                            concat(
                                ', mostly ',
                                explanation_text
                            )
                    else ', across the whole audience'
                end,
                '.'
            ) as string
        ) as sentence,
        cast(recommendation as string) as recommendation,
        cast(
            concat(
                cast(session_count as string),
                ' sessions against ',
                cast(previous_session_count as string),
                ' in the seven days before; by chance this happens ',
                case
                    when p_value < 0.0001 then 'in fewer than 1 of 10,000 cases'
                    else
                        concat(
                            'in ',
                            cast(
                                greatest(
                                    cast(round(p_value * 10000) as bigint), 1
                                ) as string
                            ),
                            ' of 10,000 cases'
                        )
                end,
                ', all ',
                cast(test_count as string),
                ' tests taken together',
                case
                    when explained_by is not null
                        then
                            concat(
                                '; ',
                                cast(
                                    cast(round(100 * explained_share) as bigint)
                                    as string
                                ),
                                '% of the change is explained'
                            )
                    else ''
                end,
                '.'
            ) as string
        ) as evidence,
        cast(
            concat(
                '/',
                page,
                '?from=',
                cast(period_from as string),
                '&to=',
                cast(period_to as string),
                '&capsule=',
                url_encode(capsule_id)
            ) as string
        ) as link,
        cast(explained_by as string) as explained_by,
        cast(explained_value as string) as explained_value,

        -- numbers
        cast(insight_rank as bigint) as insight_rank,
        cast(
            round(
                case when unit = 'count' then session_count else mean end, 6
            ) as double
        ) as value,
        cast(
            round(
                case
                    when unit = 'count' then previous_session_count
                    else previous_mean
                end,
                6
            ) as double
        ) as previous_value,
        cast(round(explained_share, 6) as double) as explained_share,
        cast(session_count as bigint) as session_count,
        cast(previous_session_count as bigint) as previous_session_count,
        cast(round(p_value, 9) as double) as p_value,
        cast(test_count as bigint) as test_count,

        -- timestamps
        cast(period_from as date) as period_from,
        cast(period_to as date) as period_to
    from written_values

)

select * from final
