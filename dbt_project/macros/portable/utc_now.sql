{#- The present instant in UTC, without a zone in its type. For tests only: a model that
    reads the clock gives other rows tomorrow. -#}
{% macro utc_now() -%}
    {{ return(adapter.dispatch("utc_now")()) }}
{%- endmacro %}

{% macro default__utc_now() -%}
    cast(timezone('UTC', current_timestamp) as timestamp)
{%- endmacro %}

{% macro spark__utc_now() -%}
    to_utc_timestamp(current_timestamp(), current_timezone())
{%- endmacro %}
