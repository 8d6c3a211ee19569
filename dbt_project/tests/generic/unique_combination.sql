{#- A returned row is a combination of the columns that occurs more than once; null is a
    value. -#}
{% test unique_combination(model, columns) %}

    select {{ columns | join(", ") }}
    from {{ model }}
    group by {{ columns | join(", ") }}
    having count(*) > 1

{% endtest %}
