{#- The newest value that is not null among the rows of a frame: last_value without
    nulls. -#}
{% macro last_known(expression, window) -%}
    {{ return(adapter.dispatch("last_known")(expression, window)) }}
{%- endmacro %}

{% macro default__last_known(expression, window) -%}
    last_value({{ expression }} ignore nulls) over ({{ window }})
{%- endmacro %}

{% macro spark__last_known(expression, window) -%}
    last_value({{ expression }}, true) over ({{ window }})
{%- endmacro %}
