{#- What an event counts as a conversion of; null if it is none. -#}
{% macro counted_conversion_type() -%}
    case
        when event_type = 'interaction' and action = 'cta_click' then 'cta_click'
        when event_type = 'conversion' and conversion_type is not null
            then conversion_type
        when event_type = 'conversion' and cta_id is not null then 'cta_click'
        when event_type = 'conversion' then 'other'
    end
{%- endmacro %}
