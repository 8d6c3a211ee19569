"""The columns of schema `raw`, named once.

Why it exists: admission, the sealed archive, the warehouse and dbt's sources must agree on names and
types; they read them here (dbt's `models/staging/_raw__sources.yml` is held to it by a test).
Not here: SQL that moves rows (`warehouse.py`, `raw_events.py`) and rules about values (`admission.py`).

Instants are UTC with milliseconds, without a zone in the type. A `*_key` is the lower-case hexadecimal
text of a keyed hash (`privacy.py`): 24 characters, 96 bits, so that two of 100 million
events share one with a probability below 1e-13.
"""

from typing import Final, Literal

ColumnType = Literal["varchar", "bigint", "double", "boolean", "timestamp", "date", "decimal(18,4)"]

EVENT_COLUMNS: Final[dict[str, ColumnType]] = {
    # identity
    "event_key": "varchar",
    "content_hash": "bigint",
    "event_type": "varchar",
    "capsule_id": "varchar",
    "client_session_key": "varchar",
    "user_key": "varchar",
    "visitor_id_key": "varchar",
    "daily_key": "varchar",
    # time
    "occurred_at": "timestamp",
    "event_date": "date",
    # what happened
    "action": "varchar",
    "role": "varchar",
    "message_key": "varchar",
    "reply_to_key": "varchar",
    "topic": "varchar",
    # where from
    "source": "varchar",
    "referrer_domain": "varchar",
    "url_domain": "varchar",
    "url_path": "varchar",
    "utm_source": "varchar",
    "utm_medium": "varchar",
    "utm_campaign": "varchar",
    "utm_content": "varchar",
    "utm_term": "varchar",
    "click_id": "varchar",
    # with what
    "device_label": "varchar",
    "browser": "varchar",
    "os": "varchar",
    "is_bot_agent": "boolean",
    "country_label": "varchar",
    "region": "varchar",
    "city": "varchar",
    "is_consent_refused": "boolean",
    # given or refused; null when nothing was said, and in rows from before there was this column
    "consent": "varchar",
    # search
    "search_query": "varchar",
    "result_count": "bigint",
    # content
    "content_id": "varchar",
    "content_type": "varchar",
    "content_title": "varchar",
    "relevance_score": "double",
    "play_id": "varchar",
    "position_seconds": "double",
    "from_seconds": "double",
    "to_seconds": "double",
    "duration_seconds": "double",
    "percent": "double",
    # calls to action and conversions
    "cta_id": "varchar",
    "cta_type": "varchar",
    "cta_label": "varchar",
    "conversion_type": "varchar",
    "amount": "decimal(18,4)",
    "currency": "varchar",
    "order_key": "varchar",
    # custom events
    "event_name": "varchar",
    "properties": "varchar",
}

# Where a stored row came from: the line of the file, and the batch that committed it.
ORIGIN_COLUMNS: Final[dict[str, ColumnType]] = {
    "file_id": "bigint",
    "line_number": "bigint",
    "batch_id": "bigint",
}

COUNT_COLUMNS: Final[dict[str, ColumnType]] = {
    "received_count": "bigint",
    "accepted_count": "bigint",
    "duplicate_count": "bigint",
    "rejected_count": "bigint",
    "suppressed_count": "bigint",
}

RAW_TABLES: Final[dict[str, dict[str, ColumnType]]] = {
    "events": {**EVENT_COLUMNS, **ORIGIN_COLUMNS},
    "rejected_events": {
        **ORIGIN_COLUMNS,
        "reason": "varchar",
        "field": "varchar",
        "capsule_id": "varchar",
        "excerpt": "varchar",
        # Of an id_conflict only: a further copy of the losing content is a duplicate, not a conflict.
        "event_key": "varchar",
        "content_hash": "bigint",
        "loaded_at": "timestamp",
    },
    "event_files": {
        "file_id": "bigint",
        "batch_id": "bigint",
        # events, capsules or content
        "file_kind": "varchar",
        "file_name": "varchar",
        "content_hash": "varchar",
        "status": "varchar",
        "refused_reason": "varchar",
        "repeated_of": "bigint",
        "byte_count": "bigint",
        **COUNT_COLUMNS,
        "first_event_at": "timestamp",
        "last_event_at": "timestamp",
        "loaded_at": "timestamp",
    },
    "event_file_counts": {
        "file_id": "bigint",
        "batch_id": "bigint",
        "capsule_id": "varchar",
        **COUNT_COLUMNS,
        "loaded_at": "timestamp",
    },
    "load_batches": {
        "batch_id": "bigint",
        "committed_at": "timestamp",
        "file_count": "bigint",
        "accepted_count": "bigint",
        "newest_event_at": "timestamp",
    },
    # What a person said about being measured; decides which events are suppressed, whatever the order
    # in which files arrive.
    "privacy_signals": {
        "person_key": "varchar",
        "signalled_at": "timestamp",
        "is_opt_out": "boolean",
        "batch_id": "bigint",
    },
    # Where events were that are stored no more (beaten in a conflict, suppressed, erased): their sessions are
    # rebuilt too. Emptied when a build has taken note.
    "removed_events": {
        "batch_id": "bigint",
        "capsule_id": "varchar",
        "client_session_key": "varchar",
        "occurred_at": "timestamp",
    },
    # Entries of the list of erased people (`erasure_list.py`) that no row here belongs to any more.
    "erased_keys": {
        "erased_key": "varchar",
    },
    # How many accepted events of a file left after the retention window: its lines still add up.
    "expired_events": {
        "file_id": "bigint",
        "expired_count": "bigint",
    },
    # One row: the last batch that every model holds, and what the models were then (`model_builds.py`).
    "model_builds": {
        "batch_id": "bigint",
        "fingerprint": "varchar",
        "built_at": "timestamp",
    },
    # What builds renewed in a mart since the publication in `last_publication`: days of a capsule, by the
    # mart's column of that name; a row without a day says that the mart was renewed at all, one without a
    # mart that events were removed (`publication_file.py`).
    "renewed_days": {
        "table_name": "varchar",
        "day_column": "varchar",
        "capsule_id": "varchar",
        "renewed_date": "date",
    },
    # One row: the publication that a next one may be taken over from, the first day that took events then,
    # and the size of its file when it was last written whole.
    "last_publication": {
        "publication_id": "varchar",
        "first_kept_date": "date",
        "whole_bytes": "bigint",
        "published_at": "timestamp",
    },
    "capsules": {
        "capsule_id": "varchar",
        "capsule_name": "varchar",
        "owner_name": "varchar",
        "created_at": "timestamp",
        "loaded_at": "timestamp",
    },
    "content": {
        "capsule_id": "varchar",
        "content_id": "varchar",
        "content_title": "varchar",
        "content_type": "varchar",
        "published_at": "timestamp",
        "duration_seconds": "double",
        "loaded_at": "timestamp",
    },
}

# What warehouses that were made before lack; there the column is null.
_ADDED_COLUMNS: Final = (("events", "consent"),)


def create_statements() -> list[str]:
    """DDL of schema `raw`, safe to repeat: no keys or unique indexes, which grow and slow with history."""
    statements = ["create schema if not exists raw"]
    for table, columns in RAW_TABLES.items():
        listed = ", ".join(f"{name} {column_type}" for name, column_type in columns.items())
        statements.append(f"create table if not exists raw.{table} ({listed})")
    for table, column in _ADDED_COLUMNS:
        kind = RAW_TABLES[table][column]
        statements.append(f"alter table raw.{table} add column if not exists {column} {kind}")
    return statements
