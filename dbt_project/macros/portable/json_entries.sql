{#- A table expression: the rows of a relation that have a JSON text, once per entry of
    its object, with the entry as the text columns `entry_name` and `entry_text`. -#}
{% macro json_entries(relation, json_column) -%}
    {{ return(adapter.dispatch("json_entries")(relation, json_column)) }}
{%- endmacro %}

{% macro default__json_entries(relation, json_column) -%}
    (
        select
            {{ relation }}.*,
            entries.key as entry_name,
            entries.value ->> '$' as entry_text
        from {{ relation }}, json_each({{ relation }}.{{ json_column }}) as entries
    )
{%- endmacro %}

{% macro spark__json_entries(relation, json_column) -%}
    (
        select
            *
        from {{ relation }}
        lateral view explode(
            from_json({{ json_column }}, 'map<string,string>')
        ) as entry_name, entry_text
    )
{%- endmacro %}
