{#- An instant as text, the same on every engine: its milliseconds since 1970. -#}
{% macro instant_text(instant) -%}
    {{ return(adapter.dispatch("instant_text")(instant)) }}
{%- endmacro %}

{% macro default__instant_text(instant) -%}
    cast(epoch_ms({{ instant }}) as string)
{%- endmacro %}

{% macro spark__instant_text(instant) -%}
    cast(unix_millis({{ instant }}) as string)
{%- endmacro %}
