{#- A number as text with one decimal: 12.0, 0.5. -#}
{% macro one_decimal(number) -%}
    cast(cast(round({{ number }}, 1) as decimal(18, 1)) as string)
{%- endmacro %}
