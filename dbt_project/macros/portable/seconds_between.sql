{#- Seconds from the first instant to the second, with milliseconds, as a double. -#}
{% macro seconds_between(first_instant, second_instant) -%}
    {{ return(adapter.dispatch("seconds_between")(first_instant, second_instant)) }}
{%- endmacro %}

{% macro default__seconds_between(first_instant, second_instant) -%}
    (
        cast(
            epoch_ms({{ second_instant }}) - epoch_ms({{ first_instant }}) as double
        ) / 1000
    )
{%- endmacro %}

{% macro spark__seconds_between(first_instant, second_instant) -%}
    (
        cast(
            unix_millis({{ second_instant }}) - unix_millis({{ first_instant }}) as double
        ) / 1000
    )
{%- endmacro %}
