{#- A returned row contradicts the expression; unknown counts as a contradiction. -#}
{% test expression_is_true(model, expression) %}

    select 1 as contradiction
    from {{ model }}
    where not coalesce({{ expression }}, false)

{% endtest %}
