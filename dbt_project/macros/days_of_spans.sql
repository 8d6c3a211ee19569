{#- The CTE `span_days`: 0, 1, 2 … as many days as the longest of the CTE `spans`
    lasts, to be added to its first day. -#}
{% macro days_of_spans() -%}
    span_days as (

        select cast(whole_number as int) - 1 as day_number
        from {{ whole_numbers(
            "select cast(max(" ~ milliseconds_between("from_at", "until_at")
            ~ ") / 86400000 as bigint) + 2 from spans"
        ) }}

    ),
{%- endmacro %}
