"""Every place that can hold a person: tables, columns, files, and what erasure and retention do there.

Why it exists: what is not on one list is forgotten when somebody asks to be erased. A test builds an
installation and fails for any table, column or file that is not here; so does a new model without its row.
Not here: erasing itself (`erasure.py`), what is reduced before anything is written (`privacy.py`).
"""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from orchestration.settings import Settings

# What a column or a file may hold of a person. `raw`: the id as it was sent; `key`: a keyed hash of it;
# `linked`: a keyed hash of something that is the person's alone (a session, an event, an order); `text`:
# words the sender wrote, masked at the door; `none`: nothing of one person.
Identity = Literal["raw", "key", "linked", "text", "none"]
# What erasure does there. `rows`: the person's rows are deleted; `counts`: they move to suppressed;
# `rebuilt`: dbt renews what the rows had touched; `rewritten`: the file is written anew without the person's
# lines; `removed`: the whole file goes; `drawn anew`: written again from the new figures; `kept`: nothing.
Treatment = Literal["rows", "counts", "rebuilt", "rewritten", "removed", "drawn anew", "kept"]


@dataclass(frozen=True, slots=True)
class TablePlace:
    """A table or view of the warehouse. `Treatment` of its rows."""

    name: str
    treatment: Treatment


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Files of the state folder: `pattern` of the path inside it, in which `*` stands for folders too.

    The first pattern that fits a path is its place.
    """

    pattern: str
    holds: str
    identity: Identity
    treatment: Treatment


def _tables(schema: str, treatment: Treatment, names: str) -> list[TablePlace]:
    return [TablePlace(f"{schema}.{name}", treatment) for name in names.split()]


TABLES: Final[tuple[TablePlace, ...]] = (
    *_tables("raw", "rows", "events rejected_events privacy_signals removed_events"),
    *_tables("raw", "counts", "event_files event_file_counts load_batches expired_events"),
    # What a catalogue says of capsules and content stays, but for the id of an erased person in it.
    *_tables("raw", "rewritten", "capsules content"),
    *_tables("raw", "kept", "erased_keys model_builds renewed_days last_publication"),
    # Views over `raw`.
    *_tables(
        "staging",
        "rebuilt",
        """stg_capsules stg_content stg_event_file_counts stg_event_files stg_events stg_pending_batches
        stg_rejected_events stg_removed_events""",
    ),
    *_tables(
        "intermediate",
        "rebuilt",
        """int_changes_tested int_content_described int_content_described_daily int_ctas_described
        int_ctas_described_daily int_events_counted int_events_sessionized int_order_events
        int_outdated_sessions int_play_events int_sessions_identified int_touched_histories
        int_touched_orders int_touched_plays int_touched_sessions int_touched_sittings int_touched_visitors
        int_traffic_sources_classified int_units_compared int_visitors_first_seen""",
    ),
    *_tables(
        "marts",
        "rebuilt",
        """capsule_activity_hourly capsule_traffic_daily content_engagement_daily content_status
        conversation_depth_daily conversion_funnel_daily cta_activity_hourly cta_performance_daily
        dim_capsules dim_content dim_ctas dim_visitors event_files fct_content_accesses fct_conversations
        fct_conversions fct_custom_event_properties fct_custom_events fct_funnel_steps fct_searches
        fct_sessions fct_turns fct_video_plays ingestion_daily insights rejected_daily rejected_lines
        revenue_attribution revenue_daily search_queries_daily session_activity_hourly
        session_activity_minutely""",
    ),
    # Seeds of the project.
    *_tables(
        "reference",
        "kept",
        """browser_families channel_rules conversion_types countries country_spellings device_types
        funnel_steps insight_texts os_families referrer_domains source_spellings""",
    ),
)

# By name, because one quantity has one name in every table. A column that is not here fails a test, numbers
# and flags too: somebody has to say that a new one tells nothing of one person by itself.
COLUMNS: Final[dict[str, Identity]] = {
    **dict.fromkeys("user_key visitor_id_key visitor_key person_key".split(), "key"),
    **dict.fromkeys(
        """access_key client_session_key content_hash conversion_key daily_key event_key message_key order_key
        play_id play_key reply_to_key search_key session_key touch_session_key turn_key""".split(),
        "linked",
    ),
    **dict.fromkeys(
        """browser_label campaign city click_id content_title cta_label device_label evidence event_name
        excerpt file_name last_topic os_label owner_name properties property_name referrer_domain region
        search_query sentence source source_label text_value topic url_domain url_path
        utm_campaign utm_content utm_medium utm_source utm_term value""".split(),
        "text",
    ),
    **dict.fromkeys(
        """access_count accepted_count accessed_at action activity_date activity_hour_at amount asked_at
        assistant_message_count batch_id bot_reason bounce_count browser built_at byte_count capsule_count
        capsule_id capsule_name category channel citation_count click_count click_through_rate
        clicking_session_count committed_at consent consent_given_session_count
        activity_minute_at consent_refused_session_count content content_access_count content_id
        content_key content_type
        continent conversation_count conversion_count conversion_date conversion_label conversion_type
        converted_at country country_alpha_3 country_label country_name created_at credit credit_share
        cta_click_count cta_id cta_impression_count cta_type ctr_basis currency custom_event_count device
        direction domain dropped_count dropped_session_count dropped_visitor_count duplicate_count
        duration_seconds ended_at engaged_seconds engaged_session_count entered_at entry_date erased_key
        day_column first_kept_date publication_id renewed_date table_name whole_bytes
        event_count event_date event_number event_type expired_count explained_by
        explained_share explained_value feedback_count field
        file_count file_id file_kind fingerprint finished_count first_accessed_at first_event_at first_seen_at
        first_started_at followed_count from_at from_seconds furthest_share gap_milliseconds headline
        impression_count insight_key insight_rank is_answered is_assistant_message is_bot is_bot_agent
        is_bounce is_catalogued is_citation is_cold is_completed is_consent_refused is_content_access
        is_conversation is_conversion is_cta_click is_cta_impression is_current is_custom_event is_engaged
        is_engaging_action is_feedback is_finished is_followed_by_access is_in_burst is_internal_referrer
        is_last_turn is_last_turn_unanswered is_lead is_opt_out is_person_action is_repeated_message
        is_repeated_order is_returning is_sale is_search is_system_message is_turn is_unused is_view
        is_zero_result label_rank last_accessed_at last_content_id last_event_at last_seen_at last_speaker
        lead_count line_number link load_date loaded_at mean median_seconds_to_step message_count metric model
        newest_event_at number_value occurred_at operator os p_value page percent period_from period_to
        played_at position_seconds previous_mean previous_session_count previous_unit_count previous_value
        priority published_at reached_count reason received_count recommendation referrer_category
        refund_amount refused_reason rejected_count relevance_score relevance_score_count relevance_score_sum
        repeated_file_id repeated_of reply_seconds result_count role rule_priority scope search_count
        searched_at seconds_from_entry seconds_from_first_touch seconds_from_session_start seconds_to_step
        session_count session_date session_hour_at session_seconds signalled_at sitting_ended_at
        sitting_started_at source_category source_name started_at status step step_label step_number
        suppressed_count system_message_count test_count title_rank to_seconds touch_count touch_number
        touched_at touched_from_at touched_until_at traffic_source_key turn_count turn_number type_rank unit
        unit_count unit_value until_at view_count view_session_count viewing_session_count visitor_count
        visitor_median_seconds_to_step visitor_tier watched_seconds watched_share z_score zero_result_count
        zero_result_search_count""".split(),
        "none",
    ),
}

# Paths begin with `landing/` wherever ENGAGEMENT_LANDING is.
FILES: Final[tuple[FilePlace, ...]] = (
    FilePlace("landing/refused/*.reason", "why a file was refused", "none", "kept"),
    FilePlace("landing/refused/*", "files that could not be read, as they were sent", "raw", "rewritten"),
    FilePlace("landing/requests/*", "requests to be erased, until they are taken", "raw", "removed"),
    FilePlace("landing/opt-outs/*", "opt-outs and opt-ins, until they are noted", "raw", "rewritten"),
    FilePlace("landing/loaded/*", "files as they were sent, for ENGAGEMENT_KEEP_LOADED_DAYS", "raw",
              "rewritten"),
    FilePlace("landing/*", "files that wait to be loaded, as they were sent", "raw", "rewritten"),
    FilePlace("archive/batches/*", "the journal: names, hashes and sizes of files", "text", "rewritten"),
    FilePlace("archive/erased.txt", "of whom the archive was cleaned: hashes of keys", "none", "kept"),
    FilePlace("archive/*.parquet", "sealed events and rejects", "key", "rewritten"),
    FilePlace("archive/kept/*", "figures of days that left the window, small groups folded", "text",
              "rewritten"),
    FilePlace("archive/*.catalogue.json", "rows of the catalogues: names, and owners of capsules", "text",
              "rewritten"),
    FilePlace("archive/.*", "half-written files of a crash", "key", "removed"),
    FilePlace("warehouse/damaged-*", "the warehouse as `engagement recover` found it", "key", "removed"),
    FilePlace("warehouse/warehouse.duckdb", "every table of TABLES", "key", "rewritten"),
    FilePlace("warehouse/*.duckdb*", "logs of the warehouse, and files half rebuilt", "key", "removed"),
    FilePlace("warehouse/retention.*", "what a retention run is about to do: counts and hashes of files",
              "none", "kept"),
    FilePlace("warehouse/originals.*", "inode, size and time of landed files", "none", "kept"),
    FilePlace("warehouse/*.lock", "number of the process that writes", "none", "kept"),
    FilePlace("published/CURRENT", "name of the current publication", "none", "drawn anew"),
    FilePlace("published/.*", "publications half written", "key", "removed"),
    FilePlace("published/*", "copies of the marts", "key", "drawn anew"),
    FilePlace("exports/*", "reports written by the clock: figures", "none", "drawn anew"),
    FilePlace("quality/*", "shares and verdicts over raw batches; no value that was sent", "none", "kept"),
    FilePlace("dbt/*", "compiled SQL and results of dbt; no rows", "none", "kept"),
    FilePlace("dagster/*", "runs and their logs: counts, masked file names", "text", "rewritten"),
    FilePlace("logs/*", "logs of the services and of dbt, details of errors", "text", "rewritten"),
    FilePlace("tmp/*", "spilled rows and unfinished files", "key", "removed"),
    FilePlace("secrets/requests/*", "open requests to be erased, until their receipt", "raw", "removed"),
    FilePlace("secrets/*", "keys, salts, the list of erased people: hashes of keys", "none", "kept"),
    FilePlace("receipts/erased.txt", "a copy of the list of erased people: hashes of keys", "none", "kept"),
    FilePlace("receipts/*", "what erasure and retention removed, in numbers", "none", "kept"),
    FilePlace("sample.expected.json", "figures of the sample stream", "none", "kept"),
)  # fmt: skip


def place_of(path: str) -> FilePlace | None:
    """The place of a path inside the state folder (landing paths begin with `landing/`); null for none."""
    return next((place for place in FILES if fnmatch.fnmatchcase(path, place.pattern)), None)


def state_files(settings: Settings) -> Iterable[tuple[str, Path]]:
    """Every file of the installation: its path as `place_of` takes it, and where it is. Follows no link."""
    yield from _below(settings.landing, "landing/")
    for name, path in _below(settings.home, ""):
        if not path.is_relative_to(settings.landing):
            yield name, path


def _below(folder: Path, prefix: str) -> Iterable[tuple[str, Path]]:
    # Not by recursion: strangers may nest folders deeper than Python's stack.
    waiting = [folder]
    while waiting:
        try:
            entries = sorted(waiting.pop().iterdir())
        except OSError:
            continue
        for path in entries:
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)
            else:
                yield f"{prefix}{path.relative_to(folder)}", path
