{#- A table expression of one column `whole_number`: 1 to the largest value that a query
    gives. -#}
{% macro whole_numbers(largest_value_query) -%}
    {{ return(adapter.dispatch("whole_numbers")(largest_value_query)) }}
{%- endmacro %}

{% macro default__whole_numbers(largest_value_query) -%}
    (
        select unnest(range(1, ({{ largest_value_query }}) + 1)) as whole_number
    )
{%- endmacro %}

{% macro spark__whole_numbers(largest_value_query) -%}
    (
        select explode(sequence(1, ({{ largest_value_query }}))) as whole_number
    )
{%- endmacro %}
