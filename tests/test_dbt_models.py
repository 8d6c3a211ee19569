"""The models, built over rows of `raw` written by hand: every scenario is a capsule of its own.

Numbers are worked out on paper. What a single model does with odd input is held by the unit tests
beside the models; here it is what all of them together make of a stream.
"""

import csv
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.dbt_runner import build
from orchestration.raw_schema import create_statements
from orchestration.settings import PROJECT_ROOT, Settings, load_settings

Row = dict[str, Any]
# Instants of raw are UTC without a zone in their type.
NOON = datetime.fromisoformat("2026-03-10T12:00:00")
MIDNIGHT = datetime.fromisoformat("2026-03-11T00:00:00")
CHANNELS = {
    "direct", "social", "search", "referral", "email", "paid_search", "paid_social", "paid_other",
    "ai_assistant", "campaign_link", "internal", "unknown",
}  # fmt: skip


def at(seconds: float, start: datetime = NOON) -> datetime:
    return start + timedelta(seconds=seconds)


class Stream:
    """Rows of raw.events; `event_key` numbers them, so that a scenario reads like a log."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(self, capsule: str, session: str, when: datetime, event_type: str = "view", **more: Any) -> None:
        self.rows.append(
            {
                "event_key": f"{len(self.rows):024x}",
                "event_type": event_type,
                "capsule_id": capsule,
                "client_session_key": f"{capsule}/{session}",
                "occurred_at": when,
                "event_date": when.date(),
                "file_id": 1,
                "line_number": len(self.rows) + 1,
                "batch_id": 1,
                **more,
            }
        )

    def message(self, capsule: str, session: str, when: datetime, role: str, **more: Any) -> None:
        self.add(capsule, session, when, "interaction", action="message", role=role, **more)


def _stream() -> list[Row]:
    stream = Stream()
    # A bounce with an assistant's greeting, a heartbeat, a shown CTA and a citation: not the person's.
    stream.add("bounces", "s1", at(0), referrer_domain="", device_label="desktop")
    stream.message("bounces", "s1", at(1), "assistant", content_id="guide")
    stream.add("bounces", "s1", at(2), "interaction", action="heartbeat")
    stream.add("bounces", "s1", at(3), "interaction", action="cta_impression", cta_id="book")
    stream.add("bounces", "s1", at(4), "content_access", action="cite", content_id="guide")
    # One view each and one act of the person: none of these is a bounce.
    acts: list[Row] = [
        {"event_type": "interaction", "action": "message", "role": "user"},
        {"event_type": "content_access", "content_id": "guide"},
        {"event_type": "content_access", "content_id": "film", "action": "progress"},
        {"event_type": "interaction", "action": "cta_click", "cta_id": "book"},
        {"event_type": "conversion", "conversion_type": "lead"},
        {"event_type": "interaction", "action": "search", "search_query": "price"},
        {"event_type": "interaction", "action": "feedback"},
        {"event_type": "custom", "event_name": "liked"},
    ]
    for number, act in enumerate(acts):
        stream.add("acts", f"s{number}", at(0))
        stream.add("acts", f"s{number}", at(1), **act)
    # Exactly 30 minutes, then a millisecond more.
    stream.add("pauses", "s1", at(0))
    stream.add("pauses", "s1", at(1800))
    stream.add("pauses", "s1", at(3600.001))
    # Anonymous, then ana, then ben in the same sessionId; ana comes back two days later.
    stream.add("people", "s1", at(0), daily_key="day")
    stream.add("people", "s1", at(10), user_key="ana")
    stream.add("people", "s1", at(20))
    stream.add("people", "s1", at(30), user_key="ben")
    stream.add("people", "s2", at(172_800), user_key="ana", visitor_id_key="laptop")
    stream.add("people", "s3", at(0), daily_key="day")
    stream.add("people", "s4", at(60), daily_key="day")
    # Three turns (one message sent twice), two answers, a tool's message.
    for second, key in ((0, "m1"), (5, "m1"), (20, "m2"), (95, None)):
        stream.message("talks", "s1", at(second), "user", message_key=key)
    stream.message("talks", "s1", at(8), "assistant", message_key="m3")
    stream.message("talks", "s1", at(9), "tool", message_key="m4")
    stream.message("talks", "s1", at(25), "assistant", message_key="m5")
    # Orders: the same one on two days, as a refund, and by somebody else's capsule.
    sale = {"event_type": "conversion", "conversion_type": "sale", "amount": 40, "currency": "EUR"}
    stream.add("orders", "s1", at(0), user_key="ana")
    stream.add("orders", "s1", at(90), user_key="ana", order_key="o1", **sale)
    stream.add("orders", "s2", at(86_400), user_key="ana", order_key="o1", **sale)
    stream.add(
        "orders",
        "s2",
        at(86_401),
        user_key="ana",
        order_key="o1",
        **sale | {"conversion_type": "refund", "amount": -40},
    )
    stream.add("orders", "s3", at(0), "conversion", cta_id="book", cta_type="link", cta_label="Book")
    stream.add("orders", "s3", at(1), "conversion")
    stream.add("orders", "s3", at(2), "conversion", conversion_type="signup", cta_id="book")
    # A session over midnight.
    stream.add("midnight", "s1", at(-10, MIDNIGHT), device_label="smartphone", country_label="UK")
    stream.message("midnight", "s1", at(5, MIDNIGHT), "user")
    # 301 events in 59.8 s; 300 in the same time.
    for number in range(301):
        stream.add("bots", "fast", at(number * 0.199), "interaction", action="heartbeat")
        if number < 300:
            stream.add("bots", "busy", at(number * 0.199), "interaction", action="heartbeat")
    stream.add("bots", "crawler", at(0), device_label="bot")
    # Where from: the first event with a channel decides, and an unlisted device is one all the same.
    stream.add("sources", "s1", at(0), source="odd label", device_label="fridge")
    stream.add("sources", "s1", at(1), referrer_domain="google.co.uk", url_domain="cap.example")
    stream.add("sources", "s1", at(2), utm_source="facebook", utm_medium="cpc", utm_campaign="spring")
    stream.add("sources", "s2", at(0), utm_source="facebook", utm_medium="CPC", utm_campaign="Spring")
    stream.add("sources", "s3", at(0), referrer_domain="cap.example", url_domain="cap.example")
    stream.add("sources", "s4", at(0))
    stream.add("sources", "s5", at(0), source="www.partner.example")
    # Content: opened, watched on, cited.
    stream.add("library", "s1", at(0), "content_access", content_id="film", content_title="Film",
               action="play", relevance_score=0.1)  # fmt: skip
    stream.add("library", "s1", at(9), "content_access", content_id="film", action="progress")
    stream.add("library", "s2", at(0), "content_access", content_id="film", relevance_score=0.2)
    stream.message("library", "s2", at(1), "assistant", content_id="film")
    return stream.rows


def _write_raw(settings: Settings, rows: list[Row]) -> None:
    settings.warehouse_file.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse_file)) as connection:
        for statement in create_statements():
            connection.execute(statement)
        for row in rows:
            names, marks = ", ".join(row), ", ".join("?" for _ in row)
            connection.execute(f"insert into raw.events ({names}) values ({marks})", list(row.values()))
        if rows:
            loaded_at = datetime.fromisoformat("2026-03-13T08:00:00")
            connection.execute(
                "insert into raw.event_files (file_id, batch_id, file_kind, file_name, status, "
                "received_count, accepted_count, duplicate_count, rejected_count, suppressed_count, "
                "loaded_at) "
                "values (1, 1, 'events', 'a.ndjson', 'loaded', ?, ?, 2, 1, 0, ?)",
                [len(rows) + 3, len(rows), loaded_at],
            )
            connection.execute(
                "insert into raw.rejected_events (file_id, line_number, reason, field, loaded_at) "
                "values (1, 7, 'missing_field', 'sessionId', ?)", [loaded_at],
            )  # fmt: skip
            connection.executemany(
                "insert into raw.event_file_counts values (1, 1, ?, ?, ?, ?, ?, 0, ?)",
                [
                    ("all", len(rows) + 2, len(rows), 2, 0, loaded_at),
                    (None, 1, 0, 0, 1, loaded_at),
                ],
            )


def _built(home: Path, rows: list[Row], *, with_unit_tests: bool = False) -> duckdb.DuckDBPyConnection:
    settings = load_settings(home=home, timezone="UTC")
    _write_raw(settings, rows)
    outcome = build(settings, with_unit_tests=with_unit_tests)
    assert outcome.failures == {}
    return duckdb.connect(str(settings.warehouse_file), read_only=True)


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with _built(tmp_path_factory.mktemp("models"), _stream(), with_unit_tests=True) as connection:
        yield connection


@pytest.fixture
def rows_of(warehouse: duckdb.DuckDBPyConnection) -> Callable[[str], list[tuple[Any, ...]]]:
    return lambda query: warehouse.cursor().execute(query).fetchall()


Ask = Callable[[str], list[tuple[Any, ...]]]


def test_what_the_assistant_and_the_page_do_leaves_a_bounce_a_bounce(rows_of: Ask) -> None:
    found = rows_of(
        "select is_bounce, is_engaged, view_count, message_count, citation_count, cta_impression_count, "
        "channel, source, device, engaged_seconds from marts.fct_sessions where capsule_id = 'bounces'"
    )
    assert found == [(True, False, 1, 1, 2, 1, "direct", "direct", "desktop", 4.0)]


def test_any_act_of_the_person_is_no_bounce(rows_of: Ask) -> None:
    found = rows_of(
        "select count(*), count(*) filter (where is_bounce) from marts.fct_sessions where capsule_id = 'acts'"
    )
    assert found == [(8, 0)]


def test_which_acts_make_a_session_engaged(rows_of: Ask) -> None:
    # Message, access, progress of a film, click and lead do; a search, feedback or custom event does not.
    assert rows_of(
        "select count(*) filter (where is_engaged) from marts.fct_sessions where capsule_id = 'acts'"
    ) == [(5,)]


def test_exactly_thirty_minutes_stay_together(rows_of: Ask) -> None:
    assert rows_of(
        "select started_at, session_seconds, engaged_seconds, event_count from marts.fct_sessions "
        "where capsule_id = 'pauses' order by started_at"
    ) == [(NOON, 1800.0, 60.0, 2), (at(3600.001), 0.0, 0.0, 1)]


def test_another_user_begins_a_new_session_and_anonymous_events_before_belong_to_the_first(
    rows_of: Ask,
) -> None:
    assert rows_of(
        "select visitor_key, visitor_tier, event_count, is_returning from marts.fct_sessions "
        "where capsule_id = 'people' order by started_at, visitor_key"
    ) == [
        ("ana", "user", 3, False),
        ("day", "daily", 1, False),
        ("ben", "user", 1, False),
        ("day", "daily", 1, False),
        ("ana", "user", 1, True),
    ]


def test_a_visitor_is_one_row_and_counts_sessions(rows_of: Ask) -> None:
    # ana: two sessions in people, two in orders.
    assert rows_of(
        "select visitor_tier, session_count, capsule_count from marts.dim_visitors where visitor_key = 'ana'"
    ) == [("user", 4, 2)]


def test_a_message_sent_twice_is_one_turn(rows_of: Ask) -> None:
    # Gaps 5, 3, 1, 11, 5 and 70 s; the last counts 60.
    assert rows_of(
        "select turn_count, message_count, assistant_message_count, system_message_count, event_count, "
        "is_conversation, session_seconds, engaged_seconds from marts.fct_sessions where capsule_id = 'talks'"
    ) == [(3, 5, 2, 1, 7, True, 95.0, 85.0)]


def test_depth_ends_where_the_conversation_ends(rows_of: Ask) -> None:
    assert rows_of(
        "select turn_number, reached_count, dropped_count, finished_count "
        "from marts.conversation_depth_daily where capsule_id = 'talks' order by turn_number"
    ) == [(1, 1, 0, 0), (2, 1, 0, 0), (3, 1, 1, 0)]


def test_an_order_counts_once_and_its_earliest_time_and_amount_stay(rows_of: Ask) -> None:
    assert rows_of(
        "select conversion_type, amount, converted_at, seconds_from_session_start, seconds_from_first_touch "
        "from marts.fct_conversions where capsule_id = 'orders' and visitor_key = 'ana' order by converted_at"
    ) == [("sale", 40, at(90), 90.0, 90.0), ("refund", -40, at(86_401), 1.0, 86_401.0)]


def test_the_default_type_of_a_conversion_and_leads_by_the_seed(rows_of: Ask) -> None:
    assert rows_of(
        "select conversion_type, is_cta_click, is_lead, seconds_from_first_touch from marts.fct_conversions "
        "where visitor_key = 'orders/s3' order by converted_at"
    ) == [
        ("cta_click", True, False, None),
        ("other", False, False, None),
        ("signup", False, True, None),
    ]


def test_a_call_to_action_is_one_row_a_day_with_its_newest_known_type(rows_of: Ask) -> None:
    # The click says `link`, the signup two seconds later says nothing.
    assert rows_of(
        "select cta_id, cta_type, cta_label, impression_count, click_count, conversion_count "
        "from marts.cta_performance_daily where capsule_id = 'orders'"
    ) == [("book", "link", "Book", 0, 1, 2)]
    assert rows_of(
        "select conversion_type, cta_type from marts.fct_conversions "
        "where visitor_key = 'orders/s3' order by converted_at"
    ) == [("cta_click", "link"), ("other", "unknown"), ("signup", "link")]


def test_a_session_over_midnight_counts_on_its_first_day_and_its_events_on_theirs(rows_of: Ask) -> None:
    assert rows_of(
        "select activity_date, session_count, view_count, turn_count, engaged_seconds, device, country "
        "from marts.capsule_traffic_daily where capsule_id = 'midnight' order by activity_date"
    ) == [
        (date(2026, 3, 10), 1, 1, 0, 15.0, "mobile", "GB"),
        (date(2026, 3, 11), 0, 0, 1, 0.0, "mobile", "GB"),
    ]


def test_bots_are_flagged_and_kept(rows_of: Ask) -> None:
    assert rows_of(
        "select visitor_key, is_bot, bot_reason, event_count from marts.fct_sessions "
        "where capsule_id = 'bots' order by visitor_key"
    ) == [
        ("bots/busy", False, None, 300),
        ("bots/crawler", True, "device", 1),
        ("bots/fast", True, "too_many_events", 301),
    ]


def test_the_first_event_with_a_channel_gives_channel_source_and_campaign(rows_of: Ask) -> None:
    assert rows_of(
        "select visitor_key, channel, source, campaign, device from marts.fct_sessions "
        "where capsule_id = 'sources' order by visitor_key"
    ) == [
        ("sources/s1", "search", "google.co.uk", "unknown", "other"),
        ("sources/s2", "paid_social", "facebook", "spring", "unknown"),
        ("sources/s3", "internal", "cap.example", "unknown", "unknown"),
        ("sources/s4", "unknown", "unknown", "unknown", "unknown"),
        ("sources/s5", "referral", "partner.example", "unknown", "unknown"),
    ]


def test_accesses_are_the_persons_and_citations_are_apart(rows_of: Ask) -> None:
    assert rows_of(
        "select access_count, session_count, visitor_count, citation_count, relevance_score_sum, "
        "relevance_score_count from marts.content_engagement_daily where capsule_id = 'library'"
    ) == [(2, 2, 2, 1, 0.3, 2)]
    assert rows_of(
        "select content_id, visitor_key, is_citation, relevance_score, accessed_at, activity_hour_at "
        "from marts.fct_content_accesses where capsule_id = 'library' order by accessed_at, visitor_key"
    ) == [
        ("film", "library/s1", False, 0.1, NOON, NOON),
        ("film", "library/s2", False, 0.2, NOON, NOON),
        ("film", "library/s2", True, None, at(1), NOON),
    ]
    assert rows_of(
        "select content_title, access_count, first_accessed_at from marts.dim_content "
        "where capsule_id = 'library'"
    ) == [("Film", 2, NOON)]


def test_accesses_and_citations_one_by_one_are_those_counted_by_session(rows_of: Ask) -> None:
    # One access in acts; two accesses and a citation in library; two citations in bounces.
    assert rows_of(
        "select count(*) filter (where not is_citation), count(*) filter (where is_citation) "
        "from marts.fct_content_accesses"
    ) == [(3, 3)]
    assert rows_of("select sum(content_access_count), sum(citation_count) from marts.fct_sessions") == [
        (3, 3)
    ]


def test_every_event_is_in_one_hour_of_one_session(rows_of: Ask) -> None:
    expected = len(_stream())
    assert rows_of("select sum(event_count) from marts.session_activity_hourly") == [(expected,)]
    assert rows_of("select sum(event_count) from marts.capsule_activity_hourly") == [(expected,)]
    assert rows_of("select sum(event_count) from marts.fct_sessions") == [(expected,)]


def test_the_accounting_keeps_lines_without_a_capsule(rows_of: Ask) -> None:
    accepted = len(_stream())
    assert rows_of(
        "select capsule_id, received_count, accepted_count, duplicate_count, rejected_count "
        "from marts.ingestion_daily order by capsule_id nulls last"
    ) == [("all", accepted + 2, accepted, 2, 0), (None, 1, 0, 0, 1)]
    assert rows_of("select load_date, reason, field, rejected_count from marts.rejected_daily") == [
        (date(2026, 3, 13), "missing_field", "sessionId", 1)
    ]
    assert rows_of(
        "select load_date, file_name, line_number, reason, field, excerpt from marts.rejected_lines"
    ) == [(date(2026, 3, 13), "a.ndjson", 7, "missing_field", "sessionId", None)]


def test_sessions_lie_by_capsule_and_start_on_disk(rows_of: Ask) -> None:
    stored = rows_of("select capsule_id, started_at, session_key from marts.fct_sessions order by rowid")
    assert stored == sorted(stored)


def test_the_order_of_arrival_changes_no_row_of_any_mart(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    shuffled = _stream()
    random.Random(7).shuffle(shuffled)
    tables = [
        name
        for (name,) in warehouse.cursor()
        .execute("select table_name from information_schema.tables where table_schema = 'marts'")
        .fetchall()
    ]
    assert len(tables) >= 17
    with _built(tmp_path, shuffled) as other:
        for table in tables:
            query = f"select * from marts.{table} order by all"
            assert warehouse.cursor().execute(query).fetchall() == other.execute(query).fetchall(), table


def test_an_empty_warehouse_builds_and_passes_its_tests(tmp_path: Path) -> None:
    with _built(tmp_path, []) as connection:
        assert connection.execute("select count(*) from marts.fct_sessions").fetchone() == (0,)


def _seed(name: str) -> list[dict[str, str]]:
    with (PROJECT_ROOT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_channel_rules_give_known_channels_in_an_unambiguous_order() -> None:
    rules = _seed("channel_rules")
    assert {rule["channel"] for rule in rules} == CHANNELS
    priorities = [int(rule["priority"]) for rule in rules]
    assert priorities == sorted(set(priorities))
    conditions = Counter((rule["field"], rule["operator"], rule["value"]) for rule in rules)
    assert [condition for condition, count in conditions.items() if count > 1] == []
    assert all(rule["value"] == rule["value"].lower().strip() for rule in rules)


def test_every_country_is_spelled_by_its_codes_and_name() -> None:
    countries = _seed("countries")
    spelled = {row["country_label"]: row["country"] for row in _seed("country_spellings")}
    assert len(countries) == 250
    for country in countries:
        for name in ("country", "country_alpha_3", "country_name"):
            assert spelled[country[name].lower()] == country["country"]
    assert [spelled[label] for label in ("uk", "usa", "na", "czech republic", "kosovo")] == [
        "GB", "US", "NA", "CZ", "XK",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seed", "key"),
    [
        ("country_spellings", "country_label"),
        ("device_types", "device_label"),
        ("browser_families", "browser_label"),
        ("os_families", "os_label"),
        ("conversion_types", "conversion_type"),
        ("referrer_domains", "domain"),
        ("source_spellings", "source_label"),
    ],
)
def test_keys_of_a_seed_are_lower_case_and_unique(seed: str, key: str) -> None:
    keys = [row[key] for row in _seed(seed)]
    assert len(keys) == len(set(keys))
    assert keys == [value.lower().strip() for value in keys]


def test_a_referrers_name_has_one_category() -> None:
    categories: dict[str, set[str]] = {}
    for row in _seed("referrer_domains"):
        categories.setdefault(row["source_name"].lower(), set()).add(row["category"])
    assert [name for name, found in categories.items() if len(found) > 1] == []


def test_a_spelling_of_a_source_is_of_a_known_site_and_not_its_own_name() -> None:
    names = {row["source_name"] for row in _seed("referrer_domains")}
    spellings = {row["source_label"]: row["source_name"] for row in _seed("source_spellings")}
    assert set(spellings.values()) <= names
    assert spellings.keys() & {name.lower() for name in names} == set()


def test_every_model_and_seed_has_its_yml_beside_it() -> None:
    models = [*PROJECT_ROOT.glob("models/**/*.sql"), *PROJECT_ROOT.glob("seeds/*.csv")]
    assert len(models) > 25
    assert [model.name for model in models if not model.with_suffix(".yml").exists()] == []
