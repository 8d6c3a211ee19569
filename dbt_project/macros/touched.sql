{#- What a build renews, and nothing else. docs/incremental.md tells the whole story. In
    short: the batches since the last good build touch sessions, days and visitors; a
    model reads the touched rows of its inputs, and the strategy `touched` deletes the
    touched rows of its table before it inserts what the model gives. -#}


{#- Whether a model is built, or a test asked, for what a batch touched. False in a full
    refresh, for a table that is not there yet, and in unit tests; and in `dbt test`,
    which asks all rows: `dbt build` tests what it built. -#}
{% macro is_batch() -%}
    {%- if model.resource_type == "test" -%}
        {{ return(execute and flags.WHICH == "build" and not flags.FULL_REFRESH) }}
    {%- endif -%}
    {{ return(this is not none and is_incremental()) }}
{%- endmacro %}


{#- The rows of a relation that this build renews; all of them in a full refresh.
    `by` is one of
    session          whole sessions, by session_key and event_date
    day              whole days of a capsule, by capsule_id and activity_date
    event_day        the same by UTC day, for models that come before the sessions
    sitting          the events (or sessions) of touched sittings
    visitor          by visitor_tier and visitor_key, on all capsules
    capsule_visitor  by capsule_id, visitor_tier and visitor_key
    history          the same and entry_date: the funnels that a touched session may change
    order            by capsule_id, conversion_type and order_key
    play             by play_key
    entry_day        by capsule_id and entry_date of the funnels of touched histories
    `columns` names them where the relation calls them otherwise (session_date). -#}
{% macro touched(relation, by, columns=none) -%}
    {%- if not execute -%}
        {#- dbt learns here what the model has to wait for. -#}
        {%- set waited_for = touched_keys(by) -%}
    {%- endif -%}
    {%- if not is_batch() -%}
        {{ relation }}
    {%- elif by == "sitting" -%}
        (
            select candidate.*
            from {{ relation }} as candidate
            {{ semi_join_sittings("candidate", columns or "occurred_at") }}
        )
    {%- else -%}
        (
            select *
            from {{ relation }}
            where ({{ (columns or touched_columns(by)) | join(", ") }})
                in ({{ touched_keys(by) }})
        )
    {%- endif -%}
{%- endmacro %}


{% macro touched_columns(by) -%}
    {{ return({
        "session": ["session_key", "event_date"],
        "day": ["capsule_id", "activity_date"],
        "event_day": ["capsule_id", "event_date"],
        "visitor": ["visitor_tier", "visitor_key"],
        "capsule_visitor": ["capsule_id", "visitor_tier", "visitor_key"],
        "history": ["capsule_id", "visitor_tier", "visitor_key", "entry_date"],
        "order": ["capsule_id", "conversion_type", "order_key"],
        "play": ["play_key"],
        "entry_day": ["capsule_id", "entry_date"],
    }[by]) }}
{%- endmacro %}


{#- The touched keys, in the order of `touched_columns`. Only the model that a kind
    needs is named: those before the sessions can't wait for them. -#}
{% macro touched_keys(by) -%}
    {%- if by == "session" -%}
        select session_key, event_date from {{ touched_table("int_touched_sessions") }}
    {%- elif by == "day" -%}
        select capsule_id, event_date from {{ touched_table("int_touched_sessions") }}
    {%- elif by == "event_day" -%}
        select capsule_id, event_date from {{ touched_table("int_touched_sittings") }}
    {%- elif by == "sitting" -%}
        select capsule_id, client_session_key, event_date
        from {{ touched_table("int_touched_sittings") }}
    {%- elif by == "visitor" -%}
        select visitor_tier, visitor_key
        from {{ touched_table("int_touched_visitors") }}
    {%- elif by == "capsule_visitor" -%}
        select capsule_id, visitor_tier, visitor_key
        from {{ touched_table("int_touched_visitors") }}
    {%- elif by == "history" -%}
        select capsule_id, visitor_tier, visitor_key, entry_date
        from {{ touched_table("int_touched_histories") }}
    {%- elif by == "order" -%}
        select capsule_id, conversion_type, order_key
        from {{ touched_table("int_touched_orders") }}
    {%- elif by == "play" -%}
        select play_key from {{ touched_table("int_touched_plays") }}
    {%- elif by == "entry_day" -%}
        select capsule_id, event_date from {{ touched_table("int_touched_sessions") }}
        union distinct
        -- A later step of a visitor changes the day on which the funnel was entered.
        select capsule_id, entry_date
        from {{ touched_table("int_touched_histories") }}
    {%- else -%}
        {{ exceptions.raise_compiler_error("Nothing is touched by " ~ by) }}
    {%- endif -%}
{%- endmacro %}


{#- A table of what is touched. A test that runs names it without waiting for it: its
    model has. -#}
{% macro touched_table(model_name, schema_name="intermediate") -%}
    {%- if execute and model.resource_type == "test" -%}
        {{ api.Relation.create(
            database=target.database, schema=schema_name, identifier=model_name
        ) }}
    {%- else -%}
        {{ ref(model_name) }}
    {%- endif -%}
{%- endmacro %}


{#- Generic tests of an incremental model ask the touched rows in a batch. dbt calls
    this for every one of them. -#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get("where", "") -%}
    {%- if where -%}
        {%- set filtered = "(select * from " ~ relation ~ " where " ~ where ~ ")" -%}
        {{ return(filtered ~ " as rows_asked") }}
    {%- endif -%}
    {%- if execute and is_batch() and model.attached_node -%}
        {%- set tested = graph.nodes[model.attached_node] -%}
        {%- set meta = tested.config.meta -%}
        {%- if meta.get("touched_by") and tested.relation_name == relation | string -%}
            {%- set columns = meta.get("instant") or tested.config.unique_key -%}
            {%- set asked = touched(relation, meta["touched_by"], columns) -%}
            {{ return(asked ~ " as rows_asked") }}
        {%- endif -%}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}


{#- Keeps the rows of touched sittings, or the others. A join, not `exists`: with a
    range in it DuckDB compares every pair, 0.8 s instead of 0.01 s at five million. -#}
{% macro semi_join_sittings(candidate, instant, negated=false) -%}
    {{ "anti" if negated else "semi" }} join
        {{ touched_table("int_touched_sittings") }} as sitting
        on
            {{ candidate }}.event_date = sitting.event_date
            and {{ candidate }}.capsule_id = sitting.capsule_id
            and {{ candidate }}.client_session_key = sitting.client_session_key
            and {{ candidate }}.{{ instant }} >= sitting.from_at
            and {{ candidate }}.{{ instant }} <= sitting.until_at
{%- endmacro %}


{#- Lets a model wait for one that it does not read. -#}
{% macro built_after(model_name) -%}
    {%- if not execute -%}
        {%- set waited_for = ref(model_name) -%}
    {%- endif -%}
{%- endmacro %}


{#- A model as the last build left it, read without waiting for this build to renew it:
    what was there before is touched as well. Empty, with the given columns and types,
    in a full refresh. -#}
{% macro built(model_name, schema_name, columns) -%}
    {%- if is_batch() -%}
        {{ api.Relation.create(
            database=this.database, schema=schema_name, identifier=model_name
        ) }}
    {%- else -%}
        {%- set nulls = [] -%}
        {%- for name, type in columns.items() -%}
            {%- do nulls.append("cast(null as " ~ type ~ ") as " ~ name) -%}
        {%- endfor -%}
        (select {{ nulls | join(", ") }} where 1 = 0)
    {%- endif -%}
{%- endmacro %}


{#- The incremental strategy `touched`: what is touched goes, what the model gives
    comes. A day whose rows all vanished is touched too, so nothing stays behind. The
    model says `meta={'touched_by': kind}`; `unique_key` are the columns compared. -#}
{% macro get_incremental_touched_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set columns = arg_dict["unique_key"] | join(", ") -%}
    {%- set names = arg_dict["dest_columns"] | map(attribute="name") -%}
    {%- set inserted = get_quoted_csv(names) -%}
    {{ note_renewed_days(target, arg_dict["unique_key"], arg_dict["temp_relation"]) }}
    delete from {{ target }}
    where ({{ columns }}) in (
        {{ outdated_keys(target, columns, config.get("meta")) }}
    );

    insert into {{ target }} ({{ inserted }})
    select {{ inserted }}
    from {{ arg_dict["temp_relation"] }}
{%- endmacro %}


{#- Writes down, for the next publication, on which days of a capsule rows of a mart go
    or come, and that it was renewed at all. A mart without such a row is published as a
    whole; so are those by visitor, which have no day. The days of all touched sessions
    are more than a mart has rows on, and cost no look at it. -#}
{% macro note_renewed_days(target, unique_key, temp_relation) -%}
    {%- set kind = config.get("meta")["touched_by"] -%}
    {%- set has_days = kind in ("session", "day", "entry_day", "history", "play") -%}
    {%- set by_key = kind in ("history", "play") -%}
    {%- set day = "event_date" if by_key else unique_key[1] -%}
    {% if target.schema == "marts" and has_days %}
        insert into {{ renewed_days_table(target) }}
        select distinct
            '{{ target.identifier }}',
            '{{ day }}',
            renewed.*
        from (
            {{ days_renewed(kind, day, target, unique_key, temp_relation) }}
            union all
            select
                cast(null as {{ dbt.type_string() }}),
                cast(null as date)
        ) as renewed;

    {% endif %}
{%- endmacro %}


{% macro renewed_days_table(target) -%}
    {{ return(api.Relation.create(
        database=target.database, schema="raw", identifier="renewed_days"
    )) }}
{%- endmacro %}


{% macro days_renewed(kind, day, target, unique_key, temp_relation) -%}
    {%- if kind == "session" -%}
        select capsule_id, event_date from {{ touched_table("int_touched_sessions") }}
    {%- elif kind in ("history", "play") -%}
        select capsule_id, {{ day }} from {{ temp_relation }}
        union all
        select capsule_id, {{ day }}
        from {{ target }}
        where ({{ unique_key | join(", ") }}) in ({{ touched_keys(kind) }})
    {%- else -%}
        {{ touched_keys(kind) }}
    {%- endif -%}
{%- endmacro %}


{#- The keys of the rows that go: those of the touched, or of the rows that lie in a
    touched sitting by the column `instant`. -#}
{% macro outdated_keys(target, columns, meta) -%}
    {%- if meta["touched_by"] == "sitting" -%}
        select {{ columns }}
        from (
            select candidate.*
            from {{ target }} as candidate
            {{ semi_join_sittings("candidate", meta["instant"]) }}
        ) as outdated
    {%- else -%}
        {{ touched_keys(meta["touched_by"]) }}
    {%- endif -%}
{%- endmacro %}
