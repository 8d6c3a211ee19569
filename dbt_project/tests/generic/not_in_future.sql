{#- A returned row happened later than now and the five minutes that clocks may differ
    by. -#}
{% test not_in_future(model, column_name) %}

    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} > {{ utc_now() }} + interval '5 minutes'

{% endtest %}
