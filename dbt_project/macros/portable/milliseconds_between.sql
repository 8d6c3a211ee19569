{#- Whole milliseconds from the first instant to the second. Their sum is exact in any
    order, that of seconds with fractions is not. -#}
{% macro milliseconds_between(first_instant, second_instant) -%}
    {% set for_engine = adapter.dispatch("milliseconds_between") %}
    {{ return(for_engine(first_instant, second_instant)) }}
{%- endmacro %}

{% macro default__milliseconds_between(first_instant, second_instant) -%}
    (epoch_ms({{ second_instant }}) - epoch_ms({{ first_instant }}))
{%- endmacro %}

{% macro spark__milliseconds_between(first_instant, second_instant) -%}
    (unix_millis({{ second_instant }}) - unix_millis({{ first_instant }}))
{%- endmacro %}
