{#- A returned row has a value outside the range; null is not judged. -#}
{% test accepted_range(model, column_name, at_least=none, at_most=none) %}

    select {{ column_name }}
    from {{ model }}
    where
        {{ column_name }} < {{ at_least if at_least is not none else column_name }}
        or {{ column_name }} > {{ at_most if at_most is not none else column_name }}

{% endtest %}
