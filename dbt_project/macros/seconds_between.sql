{#- Seconds from the first instant to the second, with milliseconds, as a double. -#}
{% macro seconds_between(first_instant, second_instant) -%}
    (cast({{ milliseconds_between(first_instant, second_instant) }} as double) / 1000)
{%- endmacro %}
