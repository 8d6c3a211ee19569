{#- A text that sorts events by their instant, then by their key. -#}
{% macro newest_rank() -%}
    concat(lpad({{ instant_text('occurred_at') }}, 14, '0'), event_key)
{%- endmacro %}
