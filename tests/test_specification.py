"""What the specification says, held on a warehouse whose reporting zone is Berlin.

One stream, built once: both days on which the clocks change, every row of every seed, and a shop whose
figures are worked out on paper. Then every invariant of `dbt_project/tests` is shown to fail when what it
guards is broken.
"""

import csv
import math
import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.dbt_runner import build
from orchestration.settings import PROJECT_ROOT, Settings, load_settings
from tests.test_dbt_models import Stream, _write_raw

Ask = Callable[[str], list[tuple[Any, ...]]]


def at(text: str, seconds: float = 0) -> datetime:
    """An instant of UTC without a zone in its type, as in `raw`."""
    return datetime.fromisoformat(text) + timedelta(seconds=seconds)


def seed_rows(name: str) -> list[dict[str, str]]:
    with (PROJECT_ROOT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def add_clock_changes(stream: Stream) -> None:
    # 29 March 2026 lasts from 28 March 23:00 to 29 March 22:00 UTC.
    stream.add("spring", "s1", at("2026-03-28T22:59:50"))
    stream.message("spring", "s1", at("2026-03-28T23:00:05"), "user")
    stream.add("spring", "s2", at("2026-03-29T21:59:59"))
    stream.message("spring", "s2", at("2026-03-29T22:00:01"), "user")
    # 26 October 2025 lasts from 25 October 22:00 to 26 October 23:00 UTC.
    for number, instant in enumerate(
        ("2025-10-25T21:59:59", "2025-10-25T22:00:00", "2025-10-26T22:59:59", "2025-10-26T23:00:00")
    ):
        stream.add("autumn", f"s{number}", at(instant))


def signal(rule: dict[str, str]) -> dict[str, Any]:
    """The columns of an event that says just what a channel rule asks for."""
    field, value = rule["field"], rule["value"]
    category_names = {row["category"]: row["domain"] for row in seed_rows("referrer_domains")}
    if rule["operator"] in ("starts_with", "ends_with", "contains"):
        value = {"starts_with": f"{value}x", "ends_with": f"x{value}", "contains": f"x{value}x"}[
            rule["operator"]
        ]
    if rule["operator"] == "is_any_domain":
        value = "some-blog.example"
    if rule["operator"] == "is_not_empty":
        value = "something"
    if field == "source_label":
        return {"source": value}
    if field == "is_internal":
        return {"referrer_domain": "cap.example", "url_domain": "cap.example"}
    if field == "source_category":
        return {"source": category_names[value]}
    if field == "referrer_category":
        return {"referrer_domain": category_names[value]}
    if field == "medium_and_category":
        medium, category = value.split("/")
        return {"utm_medium": medium, "referrer_domain": category_names[category]}
    if field == "medium_and_source_category":
        medium, category = value.split("/")
        return {"utm_medium": medium, "utm_source": category_names[category]}
    return {field: value}


def add_seeds(stream: Stream) -> None:
    start = at("2026-03-10T09:00:00")
    for rule in seed_rows("channel_rules"):
        stream.add("rules", rule["priority"], start, **signal(rule))
    for row in seed_rows("referrer_domains"):
        stream.add("domains", row["domain"], start, referrer_domain=f"sub.{row['domain']}")
    for row in seed_rows("source_spellings"):
        stream.add("spellings", row["source_label"], start, source=row["source_label"])
    for row in seed_rows("device_types"):
        stream.add("devices", row["device_label"], start, device_label=row["device_label"])
    for kind in ("browser", "os"):
        for row in seed_rows(f"{kind}_families"):
            label = row[f"{kind}_label"]
            stream.add(f"{kind} labels", label, start, **{kind: label.title()})
    for row in seed_rows("country_spellings"):
        stream.add("countries", row["country_label"], start, country_label=row["country_label"].upper())
    for row in seed_rows("conversion_types"):
        stream.add("types", row["conversion_type"], start, "conversion",
                   conversion_type=row["conversion_type"])  # fmt: skip


def add_shop(stream: Stream) -> None:
    ana = {"user_key": "ana"}
    first, second = at("2026-03-02T10:00:00"), at("2026-03-09T10:00:00")
    # Ana comes by a newsletter, a week later directly, and buys for 10 euros.
    stream.add("shop", "s1", first, source="newsletter", **ana)
    stream.message("shop", "s1", at("2026-03-02T10:00:10"), "user", topic="prices", **ana)
    stream.message("shop", "s1", at("2026-03-02T10:00:13"), "assistant", content_id="plans", **ana)
    stream.add("shop", "s2", second, referrer_domain="", **ana)
    stream.add("shop", "s2", at("2026-03-09T10:00:05"), "interaction", action="cta_impression",
               cta_id="buy", cta_type="checkout", **ana)  # fmt: skip
    stream.message("shop", "s2", at("2026-03-09T10:00:20"), "user", **ana)
    stream.add(
        "shop", "s2", at("2026-03-09T10:00:30"), "interaction", action="cta_click", cta_id="buy", **ana
    )
    stream.add("shop", "s2", at("2026-03-09T10:01:00"), "conversion", conversion_type="sale", amount=10,
               currency="EUR", **ana)  # fmt: skip
    # Ben searches twice, opens one document, plays a film in parts, rates it twice.
    ben = {"user_key": "ben", "device_label": "mobile"}
    stream.add("shop", "b", first, **ben)
    stream.add("shop", "b", at("2026-03-02T10:00:01"), "interaction", action="search",
               search_query="refund", result_count=0, **ben)  # fmt: skip
    stream.add("shop", "b", at("2026-03-02T10:00:09"), "content_access", content_id="plans", **ben)
    stream.add("shop", "b", at("2026-03-02T10:00:10"), "interaction", action="search",
               search_query="invoice", result_count=2, **ben)  # fmt: skip
    film = {"content_id": "film", "content_type": "video", "play_id": "p", "duration_seconds": 60, **ben}
    stream.add("shop", "b", at("2026-03-02T10:01:00"), "content_access", action="play", position_seconds=0,
               **film)  # fmt: skip
    stream.add("shop", "b", at("2026-03-02T10:01:30"), "content_access", action="progress",
               position_seconds=30, **film)  # fmt: skip
    stream.add("shop", "b", at("2026-03-02T10:01:31"), "content_access", action="seek", from_seconds=30,
               to_seconds=57, **film)  # fmt: skip
    stream.add("shop", "b", at("2026-03-02T10:01:34"), "content_access", action="complete",
               position_seconds=60, **film)  # fmt: skip
    for second_of, score in ((40, 3), (50, 4.5)):
        stream.add("shop", "b", at(f"2026-03-02T10:02:{second_of}"), "custom", event_name="rated",
                   properties=f'{{"score": {score}, "kind": "film"}}', **ben)  # fmt: skip


def add_incident(stream: Stream) -> None:
    # Ten sessions a day for a fortnight, half of them mobile. One of five bounces; in the second week all
    # of the mobile ones do. The others write after eight seconds.
    for day in range(14):
        for number in range(10):
            start, session = at(f"2026-03-{16 + day}T12:00:00", number), f"{day}-{number}"
            device = "mobile" if number < 5 else "desktop"
            stream.add("news", session, start, device_label=device, country_label="FR")
            if number not in (0, 5) and not (day >= 7 and device == "mobile"):
                stream.message("news", session, start + timedelta(seconds=8), "user")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    found = load_settings(home=tmp_path_factory.mktemp("specification"), timezone="Europe/Berlin")
    stream = Stream()
    for add in (add_clock_changes, add_seeds, add_shop, add_incident):
        add(stream)
    _write_raw(found, stream.rows)
    assert build(found).failures == {}
    return found


@pytest.fixture(scope="module")
def connection(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as opened:
        yield opened


@pytest.fixture
def rows_of(connection: duckdb.DuckDBPyConnection) -> Ask:
    return lambda query: connection.cursor().execute(query).fetchall()


# Reporting time zone


def test_a_day_of_23_hours_keeps_its_events_and_sessions(rows_of: Ask) -> None:
    assert rows_of(
        "select activity_date, sum(session_count), sum(view_count), sum(turn_count) "
        "from marts.capsule_traffic_daily where capsule_id = 'spring' group by all order by all"
    ) == [(date(2026, 3, 28), 1, 1, 0), (date(2026, 3, 29), 1, 1, 1), (date(2026, 3, 30), 0, 0, 1)]
    # A turn's reply time is a figure of its session.
    assert rows_of(
        "select session_date, count(*) from marts.fct_turns where capsule_id = 'spring' "
        "group by all order by all"
    ) == [(date(2026, 3, 28), 1), (date(2026, 3, 29), 1)]


def test_a_day_of_25_hours_keeps_its_events_and_sessions(rows_of: Ask) -> None:
    assert rows_of(
        "select session_date, count(*) from marts.fct_sessions where capsule_id = 'autumn' "
        "group by all order by all"
    ) == [(date(2025, 10, 25), 1), (date(2025, 10, 26), 2), (date(2025, 10, 27), 1)]


# Rules are data


def test_every_channel_rule_gives_its_channel_unless_an_earlier_one_matches_too(rows_of: Ask) -> None:
    rules = {rule["priority"]: rule["channel"] for rule in seed_rows("channel_rules")}
    found = dict(
        rows_of(
            "select split_part(client_session_key, '/', 2), channel "
            "from intermediate.int_events_sessionized as events inner join marts.fct_sessions as sessions "
            "on events.session_key = sessions.session_key where events.capsule_id = 'rules'"
        )
    )
    wrong = {priority: (found[priority], channel) for priority, channel in rules.items()
             if found[priority] != channel}  # fmt: skip
    assert wrong == {}
    assert len(found) == len(rules)


@pytest.mark.parametrize(
    ("capsule", "seed", "key", "column", "expected"),
    [
        ("devices", "device_types", "device_label", "device", "device"),
        ("countries", "country_spellings", "country_label", "country", "country"),
        ("browser labels", "browser_families", "browser_label", "browser", "browser"),
        ("os labels", "os_families", "os_label", "os", "os"),
    ],
)
def test_every_spelling_of_a_seed_is_understood(
    rows_of: Ask, capsule: str, seed: str, key: str, column: str, expected: str
) -> None:
    found = dict(
        rows_of(
            f"select substring(client_session_key, {len(capsule) + 2}), {column} "
            "from intermediate.int_events_sessionized as events inner join marts.fct_sessions as sessions "
            f"on events.session_key = sessions.session_key where events.capsule_id = '{capsule}'"
        )
    )
    assert found == {row[key]: row[expected] for row in seed_rows(seed)}


def test_every_referrer_and_every_spelling_of_a_source_has_its_category(rows_of: Ask) -> None:
    domains = {row["domain"]: row["category"] for row in seed_rows("referrer_domains")}
    found = dict(
        rows_of(
            "select referrer_domain, referrer_category from intermediate.int_traffic_sources_classified "
            "where referrer_domain like 'sub.%'"
        )
    )
    assert found == {f"sub.{domain}": category for domain, category in domains.items()}
    names = {row["source_name"]: row["category"] for row in seed_rows("referrer_domains")}
    spelled = dict(
        rows_of(
            "select source_label, min(source_category) from intermediate.int_traffic_sources_classified "
            "where source_label is not null group by source_label"
        )
    )
    for row in seed_rows("source_spellings"):
        assert spelled[row["source_label"]] == names[row["source_name"]], row["source_label"]


def test_every_conversion_type_is_a_lead_or_a_sale_as_the_seed_says(rows_of: Ask) -> None:
    found = rows_of(
        "select conversion_type, is_lead, is_sale from marts.fct_conversions "
        "where capsule_id = 'types' order by all"
    )
    assert found == sorted(
        (row["conversion_type"], row["is_lead"] == "true", row["is_sale"] == "true")
        for row in seed_rows("conversion_types")
    )


# The shop


def test_a_reply_is_timed_and_the_last_turn_waits_in_vain(rows_of: Ask) -> None:
    assert rows_of(
        "select topic, reply_seconds, is_answered from marts.fct_turns "
        "where capsule_id = 'shop' order by asked_at"
    ) == [("prices", 3.0, True), ("unknown", None, False)]
    assert rows_of(
        "select last_topic, last_content_id, last_speaker, is_finished from marts.fct_conversations "
        "where capsule_id = 'shop' order by started_at"
    ) == [("prices", "plans", "assistant", False), ("unknown", "unknown", "user", True)]


def test_a_film_is_watched_as_far_as_it_was_played(rows_of: Ask) -> None:
    # 0 to 30, then a skip to 57, then 3 seconds: 33 of 60, though the end was reached.
    assert rows_of(
        "select watched_seconds, duration_seconds, watched_share, furthest_share, is_completed "
        "from marts.fct_video_plays where capsule_id = 'shop'"
    ) == [(33.0, 60.0, 0.55, 1.0, False)]


def test_a_search_is_followed_by_whatever_is_opened_later_in_the_session(rows_of: Ask) -> None:
    # The document after the first, the film after both.
    assert rows_of(
        "select search_query, is_zero_result, is_followed_by_access from marts.fct_searches "
        "order by searched_at"
    ) == [("refund", True, True), ("invoice", False, True)]
    assert rows_of(
        "select search_query, search_count, zero_result_count from marts.search_queries_daily order by all"
    ) == [("invoice", 1, 0), ("refund", 1, 1)]


def test_the_sale_is_credited_to_both_visits_and_by_default_to_the_newsletter(rows_of: Ask) -> None:
    # 7 days and a minute before, and a minute before: weights 0.49997 and 0.99993 make 3.33 and 6.67.
    assert rows_of(
        "select model, channel, cast(credit as double) from marts.revenue_attribution "
        "where capsule_id = 'shop' order by all"
    ) == [
        ("first", "email", 10), ("last", "direct", 10), ("last_non_direct", "email", 10),
        ("linear", "direct", 5), ("linear", "email", 5),
        ("position_based", "direct", 5), ("position_based", "email", 5),
        ("time_decay", "direct", 6.67), ("time_decay", "email", 3.33),
    ]  # fmt: skip


def test_the_funnel_of_a_session_and_of_seven_days(rows_of: Ask) -> None:
    # The click comes 30 s after seven days: Ana's first entry ends at the turn, her second goes through.
    assert rows_of(
        "select entry_date, step, sum(session_count), sum(visitor_count) from marts.conversion_funnel_daily "
        "where capsule_id = 'shop' group by entry_date, step, step_number order by entry_date, step_number"
    ) == [
        (date(2026, 3, 2), "view", 2, 2), (date(2026, 3, 2), "turn", 1, 1),
        (date(2026, 3, 2), "cta_click", 0, 0), (date(2026, 3, 2), "conversion", 0, 0),
        (date(2026, 3, 9), "view", 1, 1), (date(2026, 3, 9), "turn", 1, 1),
        (date(2026, 3, 9), "cta_click", 1, 1), (date(2026, 3, 9), "conversion", 1, 1),
    ]  # fmt: skip


def test_properties_of_custom_events_are_measured(rows_of: Ask) -> None:
    assert rows_of(
        "select property_name, count(*), sum(number_value) from marts.fct_custom_event_properties "
        "group by all order by all"
    ) == [("kind", 2, None), ("score", 2, 7.5)]


# Insights


def test_an_incident_is_found_with_its_probability_and_who_makes_it(rows_of: Ask) -> None:
    # 14 of 70 bounced, then 42 of 70. Pooled 0.4, so t = 0.4 / sqrt(0.4 * 0.6 * 2 / 70), with 138 degrees of
    # freedom; five metrics are tested (28 conversations of the second week are too few).
    t = 0.4 / math.sqrt(0.4 * 0.6 * 2 / 70)
    z = (8 * 138 + 1) / (8 * 138 + 3) * math.sqrt(138 * math.log(1 + t * t / 138))
    found = rows_of(
        "select p_value, test_count, explained_by, explained_value, explained_share, sentence, link, "
        "period_from from marts.insights where metric = 'bounce_rate'"
    )
    assert found == [
        (
            pytest.approx(5 * math.erfc(z / math.sqrt(2)), abs=2e-6), 5, "device", "mobile", 1.0,
            "The bounce rate rose from 20.0% to 60.0% in seven days, mostly on mobile.",
            "/engagement?from=2026-03-23&to=2026-03-29&capsule=news", date(2026, 3, 23),
        )
    ]  # fmt: skip


def test_only_what_changed_is_an_insight_and_only_where_there_are_enough_sessions(rows_of: Ask) -> None:
    assert rows_of("select capsule_id, metric, direction from marts.insights order by all") == [
        ("news", "bounce_rate", "up"), ("news", "engaged_seconds_avg", "down"),
        ("news", "engagement_rate", "down"),
    ]  # fmt: skip


# Invariants: each holds, and each fails when what it guards is broken.

BROKEN = {
    "assert_channels_add_up_to_sessions":
        "update marts.capsule_traffic_daily set session_count = 0 where capsule_id = 'shop'",
    "assert_conversions_are_counted_alike": "delete from marts.fct_conversions where is_sale",
    "assert_credits_add_up_to_the_amount":
        "update marts.revenue_attribution set credit = credit + 0.01 "
        "where model = 'linear' and channel = 'email'",
    "assert_depth_adds_up_to_conversations":
        "update marts.conversation_depth_daily set dropped_count = dropped_count + 1",
    "assert_events_one_by_one_are_those_of_the_sessions":
        "delete from marts.fct_searches where search_query = 'refund'",
    "assert_every_day_accounts_for_its_lines":
        "update marts.ingestion_daily set rejected_count = rejected_count + 1",
    "assert_every_event_is_in_one_session":
        "delete from marts.fct_sessions where capsule_id = 'shop'",
    "assert_every_file_accounts_for_its_lines":
        "update marts.event_files set received_count = received_count + 1",
    "assert_funnel_never_widens":
        "update marts.conversion_funnel_daily set session_count = 9 where step = 'turn'",
    "assert_reached_never_rises_with_the_turn":
        "insert into marts.conversation_depth_daily "
        "select * replace (turn_number + 1 as turn_number, reached_count + 1 as reached_count) "
        "from marts.conversation_depth_daily",
    "assert_rejects_match_the_accounting": "update marts.event_files set rejected_count = rejected_count + 1",
    "assert_revenue_is_that_of_the_conversions":
        "update marts.revenue_daily set amount = amount - 0.01 where currency = 'EUR'",
    "assert_sessions_of_a_client_do_not_overlap":
        "update intermediate.int_events_sessionized set session_key = 'torn' "
        "where capsule_id = 'shop' and event_number = 2",
    "assert_unique_viewers_lie_between_the_largest_day_and_the_sum_of_days": None,
    "assert_visitors_are_new_returning_or_unknown":
        "update marts.session_activity_hourly set is_returning = true where visitor_tier = 'session'",
}  # fmt: skip


def compiled_test(settings: Settings, name: str) -> str:
    folder = settings.home / "dbt" / "compiled" / "engagement_metrics" / "dbt_project" / "tests"
    return (folder / f"{name}.sql").read_text(encoding="utf-8")


def test_every_invariant_is_tried_in_both_states() -> None:
    assert set(BROKEN) == {path.stem for path in (PROJECT_ROOT / "dbt_project" / "tests").glob("*.sql")}


@pytest.mark.parametrize("name", [name for name, tampering in BROKEN.items() if tampering])
def test_an_invariant_holds_and_fails_when_it_is_broken(
    name: str, settings: Settings, tmp_path: Path
) -> None:
    # The compiled SQL names the catalog, which is called like the file.
    copy = tmp_path / settings.warehouse_file.name
    shutil.copy(settings.warehouse_file, copy)
    query = compiled_test(settings, name)
    with duckdb.connect(str(copy)) as connection:
        assert connection.execute(query).fetchall() == []
        connection.execute(str(BROKEN[name]))
        assert connection.execute(query).fetchall() != []


def test_unique_viewers_cannot_leave_their_bounds_unless_a_day_is_lost(settings: Settings) -> None:
    # True of any rows of one table; what can break is the query itself, so its parts are swapped.
    query = compiled_test(settings, "assert_unique_viewers_lie_between_the_largest_day_and_the_sum_of_days")
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as connection:
        assert connection.execute(query).fetchall() == []
        swapped = query.replace("max(viewer_count)", "max(viewer_count) + 1000")
        assert connection.execute(swapped).fetchall() != []
