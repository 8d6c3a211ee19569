{#- A returned row means that two relations that should hold the same things do not:
    their counts. -#}
{% test row_count_equal(model, compare_model) %}

    with counted as (

        select
            (select count(*) from {{ model }}) as row_count,
            (select count(*) from {{ compare_model }}) as compared_row_count

    )

    select *
    from counted
    where row_count <> compared_row_count

{% endtest %}
