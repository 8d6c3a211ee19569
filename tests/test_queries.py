"""Figures of a small publication, worked out by hand (see `publication_fixture`)."""

import json
import threading
from dataclasses import replace
from datetime import UTC, date, datetime

import duckdb
import pytest

from app.comparison import NOT_BEGUN, NOT_COMPARABLE, NOT_EARLIER, compare_values, earlier_period
from app.content_figures import idle_content
from app.free_query import QueryRefused, run_query
from app.metric_reports import metrics_report
from app.publications import (
    PublicationMissing,
    close_publications,
    current_publication,
    current_publication_id,
    open_cursor,
)
from app.queries import (
    SINGLE_FIGURES,
    compare,
    freshness,
    metric_rows,
    metric_values,
    period_before,
    revenue_values,
    table_columns,
    table_reader,
)
from app.scope import EVERYTHING
from app.selection import FILTER_DIMENSIONS, Selection, SelectionError
from tests.publication_fixture import CTA_HOURS, ROWS, TABLES, write_publication

WEEK = Selection(date(2026, 3, 9), date(2026, 3, 15))


@pytest.fixture(scope="module")
def publication(tmp_path_factory):
    published = tmp_path_factory.mktemp("published")
    write_publication(published)
    yield current_publication(published, EVERYTHING)
    close_publications()


@pytest.fixture
def published(tmp_path):
    yield tmp_path / "published"
    close_publications()


# Figures


def test_every_metric_of_a_week_is_what_was_worked_out_by_hand(publication) -> None:
    assert metric_values(publication, WEEK) == {
        "view_count": 5,  # s1, s2, s3 one each, s4 two; the bot's is left out
        "unique_viewer_count": 3,  # user-1, daily-1, visitor-1
        "session_count": 4,
        "visitor_count": 3,
        "new_visitor_count": 1,  # visitor-1
        "returning_visitor_count": 1,  # user-1
        "unknown_visitor_count": 1,  # daily-1
        "return_visit_rate": 0.5,  # 1 of 2 known
        "session_seconds_avg": 465.0,  # (600 + 0 + 1200 + 60) / 4
        "session_seconds_median": 330.0,  # between 60 and 600
        "session_seconds_p90": pytest.approx(1020.0),  # 0.7 of the way from 600 to 1200
        "engaged_seconds_total": 250.0,
        "engaged_seconds_avg": 62.5,
        "bounce_count": 1,
        "bounce_rate": 0.25,
        "engaged_session_count": 3,
        "engagement_rate": 0.75,
        "turn_count": 4,
        "message_count": 8,
        "turns_per_session_avg": 1.0,
        "turns_per_session_median": 0.5,  # 0 0 1 3
        "turns_per_session_p90": pytest.approx(2.4),  # 0.7 of the way from 1 to 3
        "conversation_count": 2,
        "turns_per_conversation_avg": 2.0,
        "turns_per_conversation_median": 2.0,
        "turns_per_conversation_p90": pytest.approx(2.8),  # 0.9 of the way from 1 to 3
        "messages_per_conversation_avg": 4.0,  # (6 + 2) / 2
        "reply_seconds_median": 4.0,  # 2, 4 and 10; one turn got no reply
        "reply_seconds_p95": pytest.approx(9.4),  # 0.9 of the way from 4 to 10
        "content_access_count": 2,
        "content_item_count": 2,  # pricing of guide and of onboarding; security was only cited
        "accessing_session_count": 2,  # s1 and s4, both of user-1
        "accessing_visitor_count": 1,
        "citation_count": 0,  # none is counted by the hour in this fixture
        "search_count": 1,
        "zero_result_rate": 1.0,
        "followed_search_rate": 1.0,
        "video_play_count": 2,
        "video_completion_rate": 0.5,
        "video_watched_seconds_avg": 57.5,
        "cta_impression_count": 4,
        "cta_click_count": 2,
        # guide sends impressions: 1 click of 4; onboarding does not: 1 session of 1
        "cta_click_through_rate": pytest.approx(2 / 5),
        "conversion_count": 4,
        "converting_visitor_count": 2,
        "conversion_rate": pytest.approx(2 / 3),
        "lead_count": 1,
        "lead_capture_rate": 0.5,  # visitor-1 of visitor-1 and user-1
        "seconds_to_conversion_median": 600.0,  # first ones: 300 and 900
        "seconds_to_conversion_p75": 750.0,
        "seconds_to_conversion_p90": pytest.approx(840.0),
        "seconds_to_conversion_avg": 600.0,
        "seconds_from_first_touch_median": 306600.0,  # first ones: 612300 and 900
        "seconds_from_first_touch_p75": 459450.0,
        "seconds_from_first_touch_p90": pytest.approx(551160.0),
        "seconds_from_first_touch_avg": 306600.0,
        "custom_event_count": 0,  # likewise
    }
    assert revenue_values(publication, WEEK) == {"EUR": 49.9, "USD": 10.0}


def test_without_rows_counts_are_zero_and_rates_are_nothing(publication) -> None:
    values = metric_values(publication, Selection(date(2025, 1, 1), date(2025, 1, 31)))
    assert values["view_count"] == values["conversion_count"] == values["new_visitor_count"] == 0
    assert values["engaged_seconds_total"] == 0
    for metric_id in ("bounce_rate", "session_seconds_median", "return_visit_rate"):
        assert values[metric_id] is None
    assert values["cta_click_through_rate"] is None
    assert revenue_values(publication, Selection(date(2025, 1, 1), date(2025, 1, 31))) == {}


def test_bots_are_left_out_until_asked_for(publication) -> None:
    assert metric_values(publication, replace(WEEK, bots="include"))["view_count"] == 6
    only = metric_values(publication, replace(WEEK, bots="only"))
    assert (only["view_count"], only["session_count"], only["visitor_count"]) == (1, 1, 1)


def test_a_filter_and_a_capsule_narrow_every_figure(publication) -> None:
    desktop = metric_values(publication, replace(WEEK, filters={"device": ("desktop",)}))
    assert (desktop["view_count"], desktop["session_count"], desktop["conversion_count"]) == (2, 2, 3)
    onboarding = metric_values(publication, replace(WEEK, capsules=("onboarding",)))
    assert (onboarding["view_count"], onboarding["session_count"]) == (2, 1)
    assert onboarding["cta_click_through_rate"] == 1.0
    unknown = metric_values(publication, replace(WEEK, filters={"campaign": ("unknown",)}))
    assert unknown["session_count"] == 3  # all but s4, which has the campaign spring


def test_a_visitor_is_counted_once_over_days_and_capsules(publication) -> None:
    fortnight = Selection(date(2026, 3, 2), date(2026, 3, 15))
    assert metric_values(publication, fortnight)["visitor_count"] == 4
    by_capsule = metric_rows(publication, WEEK, ["capsule"], ["visitor_count"])
    assert by_capsule == [
        {"capsule": "guide", "visitor_count": 3},
        {"capsule": "onboarding", "visitor_count": 1},
    ]


# Rows


def test_days_are_complete_with_zero_counts_and_no_rates(publication) -> None:
    rows = metric_rows(publication, WEEK, ["day"], ["view_count", "bounce_rate", "revenue"])
    assert rows == [
        {"day": date(2026, 3, 9), "view_count": 2, "bounce_rate": 0.5, "revenue": {"EUR": 49.9}},
        {"day": date(2026, 3, 10), "view_count": 0, "bounce_rate": None, "revenue": {}},
        {"day": date(2026, 3, 11), "view_count": 1, "bounce_rate": 0.0, "revenue": {}},
        {"day": date(2026, 3, 12), "view_count": 2, "bounce_rate": 0.0, "revenue": {"USD": 10.0}},
        {"day": date(2026, 3, 13), "view_count": 0, "bounce_rate": None, "revenue": {}},
        {"day": date(2026, 3, 14), "view_count": 0, "bounce_rate": None, "revenue": {}},
        {"day": date(2026, 3, 15), "view_count": 0, "bounce_rate": None, "revenue": {}},
    ]


def test_events_count_on_their_own_day_and_sessions_where_they_start(publication) -> None:
    rows = metric_rows(publication, WEEK, ["day"], ["message_count", "session_count"])
    eleventh, twelfth = rows[2], rows[3]
    assert (eleventh["message_count"], eleventh["session_count"]) == (1, 1)  # s3 before midnight
    assert (twelfth["message_count"], twelfth["session_count"]) == (1, 1)  # s3 after it; s4


def test_a_week_is_named_by_its_monday_and_a_month_by_its_first_day(publication) -> None:
    middle = Selection(date(2026, 3, 4), date(2026, 3, 11))
    weeks = metric_rows(publication, middle, ["week"], ["session_count"])
    assert weeks == [
        {"week": date(2026, 3, 2), "session_count": 1},
        {"week": date(2026, 3, 9), "session_count": 3},
    ]
    months = metric_rows(
        publication, Selection(date(2026, 2, 10), date(2026, 3, 15)), ["month"], ["session_count"]
    )
    assert months == [
        {"month": date(2026, 2, 1), "session_count": 0},
        {"month": date(2026, 3, 1), "session_count": 6},
    ]


def test_a_spring_day_has_23_hours(published) -> None:
    write_publication(published, timezone="Europe/Berlin")
    spring = Selection(date(2026, 3, 29), date(2026, 3, 29))
    hours = metric_rows(current_publication(published, EVERYTHING), spring, ["hour"], ["view_count"])
    assert len(hours) == 23
    assert hours[0]["hour"].isoformat() == "2026-03-29T00:00:00+01:00"
    assert hours[-1]["hour"].isoformat() == "2026-03-29T23:00:00+02:00"


def test_two_keys_give_every_day_of_every_value(publication) -> None:
    rows = metric_rows(publication, WEEK, ["capsule", "day"], ["view_count"])
    assert len(rows) == 14
    assert {row["capsule"]: row["view_count"] for row in rows if row["day"] == date(2026, 3, 12)} == {
        "guide": 0,
        "onboarding": 2,
    }


def test_a_metric_is_null_along_a_dimension_its_mart_lacks(publication) -> None:
    rows = metric_rows(publication, WEEK, ["cta_type"])
    demo = next(row for row in rows if row["cta_type"] == "demo")
    assert demo["conversion_count"] == 2
    assert demo["view_count"] is None
    assert demo["session_count"] is None
    # A CTA type's conversion rate is over all visitors: user-1 of three.
    assert demo["conversion_rate"] == pytest.approx(1 / 3)


CTA_FIGURES = ["cta_impression_count", "cta_click_count", "cta_click_through_rate"]


def test_a_cta_has_impressions_clicks_and_a_rate_of_its_own(publication) -> None:
    assert metric_rows(publication, WEEK, ["cta_type"], CTA_FIGURES)[0] == {
        "cta_type": "demo",
        "cta_impression_count": 4,
        "cta_click_count": 2,
        # guide: 1 click of 4 impressions; onboarding sends none: 1 session of 1
        "cta_click_through_rate": pytest.approx(2 / 5),
    }
    by_id = metric_rows(publication, WEEK, ["cta_id"], CTA_FIGURES)
    assert {row["cta_id"]: tuple(row.values())[1:] for row in by_id} == {
        "book-demo": (4, 1, 0.25),
        "see-plans": (0, 1, 1.0),  # by sessions
        "unknown": (0, 0, None),  # conversions without a CTA
    }
    by_day = metric_rows(publication, WEEK, ["cta_id", "day"], CTA_FIGURES)
    assert [tuple(row.values())[2:] for row in by_day if row["cta_id"] == "book-demo"][:4] == [
        (2, 1, 0.5), (0, 0, None), (0, 0, None), (2, 0, 0.0),
    ]  # fmt: skip


def test_a_filter_by_cta_narrows_its_figures(publication) -> None:
    demo = metric_values(publication, replace(WEEK, filters={"cta_type": ("demo",)}), CTA_FIGURES)
    assert tuple(demo.values()) == (4, 2, pytest.approx(2 / 5))
    plans = metric_values(publication, replace(WEEK, filters={"cta_id": ("see-plans",)}), CTA_FIGURES)
    assert tuple(plans.values()) == (0, 1, 1.0)
    both = replace(WEEK, filters={"cta_type": ("demo",), "device": ("mobile",)})
    assert tuple(metric_values(publication, both, CTA_FIGURES).values()) == (0, 1, 1.0)
    until = replace(WEEK, until=datetime(2026, 3, 9, 10, tzinfo=UTC), filters={"cta_type": ("demo",)})
    assert tuple(metric_values(publication, until, CTA_FIGURES).values()) == (0, 0, None)


def test_a_cta_that_is_never_sent_as_shown_has_no_rate_where_others_of_its_capsule_are(published) -> None:
    silent = {**CTA_HOURS[0], "cta_id": "chat", "impression_count": 0}
    write_publication(published, rows=ROWS | {"cta_activity_hourly": [*CTA_HOURS, silent]})
    rows = metric_rows(current_publication(published, EVERYTHING), WEEK, ["cta_id"], CTA_FIGURES)
    assert next(row for row in rows if row["cta_id"] == "chat")["cta_click_through_rate"] is None


def test_figures_follow_the_dimension_only_their_own_mart_knows(publication) -> None:
    items = metric_rows(publication, WEEK, ["content"], ["content_access_count", "video_play_count"])
    assert {row["content"]: tuple(row.values())[1:] for row in items} == {
        "pricing": (2, 0), "security": (0, 0), "tour": (0, 2),
    }  # fmt: skip
    topics = metric_rows(publication, WEEK, ["topic"], ["turn_count", "reply_seconds_median", "view_count"])
    assert {row["topic"]: tuple(row.values())[1:] for row in topics} == {
        "prices": (2, 2.0, None), "setup": (1, 10.0, None), "unknown": (1, 4.0, None),
    }  # fmt: skip
    queries = metric_rows(publication, WEEK, ["search_query"], ["search_count", "zero_result_rate"])
    assert queries == [{"search_query": "refund", "search_count": 1, "zero_result_rate": 1.0}]
    refund = replace(WEEK, filters={"search_query": ("refund",)})
    assert metric_values(publication, refund, ["search_count", "view_count"]) == {
        "search_count": 1, "view_count": None,
    }  # fmt: skip


def test_content_items_follow_every_filter_and_key(publication) -> None:
    def items(**filters: tuple[str, ...]) -> object:
        found = metric_values(publication, replace(WEEK, filters=filters), ["content_item_count"])
        return found["content_item_count"]

    assert items(device=("desktop",)) == items(channel=("email",)) == 1
    assert items(country=("DE",)) == 2
    by_source = metric_rows(publication, WEEK, ["source"], ["content_item_count"])
    assert {row["source"]: row["content_item_count"] for row in by_source} == {
        "google": 1, "newsletter": 1, "unknown": 0,
    }  # fmt: skip
    by_hour = metric_rows(publication, WEEK, ["hour"], ["content_item_count"])
    assert [row["hour"].day for row in by_hour if row["content_item_count"]] == [9, 12]
    until = replace(WEEK, until=datetime(2026, 3, 12, 9, tzinfo=UTC))
    assert metric_values(publication, until, ["content_item_count"]) == {"content_item_count": 1}


def test_a_chosen_first_day_is_compared_with_as_many_days(publication) -> None:
    # 10 to 15 March against 4 to 9 March: s3 and s4 with 1 + 2 views; s6, s1 and s2 with one each.
    six_days = replace(WEEK, date_from=date(2026, 3, 10))
    found = compare(publication, six_days, date(2026, 3, 4))
    assert found.earlier.selection is not None
    assert (found.earlier.selection.date_from, found.earlier.selection.date_to) == (
        date(2026, 3, 4), date(2026, 3, 9),
    )  # fmt: skip
    views = found.figures["view_count"]
    assert (views.value, views.previous, views.change) == (3, 3, 0)


@pytest.mark.parametrize(
    ("first_day", "reason"),
    [
        (date(2026, 3, 9), NOT_EARLIER),
        (date(2026, 3, 20), NOT_EARLIER),
        (date(2026, 3, 1), NOT_COMPARABLE),
    ],
)
def test_chosen_days_must_lie_before_the_period_and_after_the_first_event(
    publication, first_day, reason
) -> None:
    earlier = period_before(publication, WEEK, first_day)
    assert (earlier.selection, earlier.reason) == (None, reason)


def test_chosen_days_of_an_unfinished_period_end_at_the_same_hour(published) -> None:
    write_publication(published, "later", as_of="2026-03-12T09:00:30Z")
    earlier = period_before(current_publication(published, EVERYTHING), WEEK, date(2026, 3, 3))
    # Six days back from 12 March 09:00 to 10:00.
    assert earlier.selection is not None
    assert earlier.selection.until == datetime(2026, 3, 6, 10, tzinfo=UTC)


def test_an_opened_item_chooses_the_sessions_it_was_opened_in(publication) -> None:
    # pricing was opened in s1 (guide) and s4 (onboarding), both of user-1; security was only cited, in s3.
    def of(item: str, *metrics: str) -> tuple:
        found = metric_values(publication, replace(WEEK, filters={"opened_content": (item,)}), metrics)
        return tuple(found[name] for name in metrics)

    counts = ("session_count", "visitor_count", "view_count", "turn_count", "conversion_count")
    assert of("pricing", *counts) == (2, 1, 3, 3, 3)
    assert of("pricing", "content_access_count", "search_count", "conversion_rate") == (2, 1, 1.0)
    assert of("security", *counts) == (0, 0, 0, 0, 0)


def test_an_item_that_was_chosen_leaves_the_others_as_used_as_they_are(publication) -> None:
    chosen = replace(WEEK, filters={"opened_content": ("pricing",)})
    assert idle_content(publication, chosen) == idle_content(publication, WEEK)


def test_a_publication_without_content_accesses_has_no_item_count(published) -> None:
    write_publication(published, tables=[name for name in TABLES if name != "fct_content_accesses"])
    found = metric_values(
        current_publication(published, EVERYTHING), WEEK, ["content_item_count", "view_count"]
    )
    assert found == {"content_item_count": None, "view_count": 5}


def test_parts_of_an_additive_metric_add_up_to_the_whole(publication) -> None:
    for key in ("channel", "source", "country", "device", "browser", "os", "capsule", "hour"):
        rows = metric_rows(publication, WEEK, [key], ["view_count", "session_count"])
        assert sum(row["view_count"] for row in rows) == 5, key
        assert sum(row["session_count"] for row in rows) == 4, key


@pytest.mark.parametrize("dimension", FILTER_DIMENSIONS)
def test_a_row_of_a_key_is_what_the_filter_of_its_value_gives(publication, dimension: str) -> None:
    rows = metric_rows(publication, WEEK, [dimension], SINGLE_FIGURES)
    for row in rows:
        chosen = replace(WEEK, filters={dimension: (row[dimension],)})
        filtered = metric_values(publication, chosen, SINGLE_FIGURES)
        assert {name: row[name] for name in SINGLE_FIGURES} == filtered, row[dimension]


@pytest.mark.parametrize(
    ("keys", "words"),
    [(["colour"], "no key 'colour'"), (["day", "day"], "twice"), (["day", "week"], "Only one")],
)
def test_a_wrong_key_is_refused_with_a_reason(publication, keys, words) -> None:
    with pytest.raises(SelectionError, match=words):
        metric_rows(publication, WEEK, keys)


def test_a_wrong_selection_is_refused_with_a_reason() -> None:
    with pytest.raises(SelectionError, match="swap them"):
        Selection(date(2026, 3, 2), date(2026, 3, 1))
    with pytest.raises(SelectionError, match="1970 to 2200"):
        Selection(date(1, 1, 1), date(2026, 3, 1))
    with pytest.raises(SelectionError, match="1970 to 2200"):
        Selection(date(2026, 3, 1), date(9999, 12, 31))
    with pytest.raises(SelectionError, match="Filters are channel"):
        Selection(date(2026, 3, 1), date(2026, 3, 1), filters={"colour": ("red",)})


def test_the_first_and_last_year_that_are_accepted_can_be_asked_for(publication) -> None:
    for year in (1970, 2200):
        whole = Selection(date(year, 1, 1), date(year, 12, 31))
        for comparing in ("previous", "year", "none"):
            assert compare(publication, whole, comparing).figures["view_count"].value == 0
    everything = Selection(date(1970, 1, 1), date(2200, 12, 31))
    assert compare(publication, everything).figures["view_count"].value == 7


def test_rows_are_compared_along_their_key_when_it_is_asked_for(publication) -> None:
    assert "previous" not in metrics_report(publication, WEEK, ["channel"])["rows"][0]
    report = metrics_report(publication, WEEK, ["channel"], "previous")
    rows = {row["channel"]: row for row in report["rows"]}
    # The week before: s5 by search, s6 directly. Nobody came by e-mail then.
    assert (rows["search"]["session_count"], rows["search"]["previous"]["session_count"]) == (2, 1)
    assert rows["search"]["change"]["session_count"] == 100.0
    assert rows["direct"]["change_points"]["bounce_rate"] == 0.0
    assert rows["email"]["previous"]["session_count"] == 0
    assert rows["email"]["change"]["session_count"] is None
    assert rows["email"]["previous"]["bounce_rate"] is None
    json.dumps(report, allow_nan=False)
    with pytest.raises(SelectionError, match="no earlier self"):
        metrics_report(publication, WEEK, ["day"], "previous")
    march = Selection(date(2026, 3, 1), date(2026, 3, 31))
    report = metrics_report(publication, march, ["channel"], "year")
    assert report["compared_with"]["reason"] == NOT_COMPARABLE
    assert "previous" not in report["rows"][0]


# Comparing periods


def test_growth_is_in_percent_and_a_rate_also_in_points() -> None:
    assert compare_values(15, 10, is_rate=False).change == 50.0
    rate = compare_values(0.25, 0.20, is_rate=True)
    assert (rate.change, rate.change_points) == (25.0, 5.0)


def test_from_zero_is_new_and_from_nothing_is_nothing() -> None:
    new = compare_values(3, 0, is_rate=False)
    assert (new.change, new.is_new) == (None, True)
    flat = compare_values(0, 0, is_rate=False)
    assert (flat.change, flat.is_new) == (None, False)
    assert compare_values(3, None, is_rate=False).change is None
    assert compare_values(None, 3, is_rate=False).change is None
    assert compare_values(5, -10, is_rate=False).change == 150.0


def test_a_finished_week_is_compared_with_the_whole_week_before(publication) -> None:
    found = compare(publication, WEEK)
    assert not found.earlier.is_so_far
    sessions = found.figures["session_count"]
    assert (sessions.value, sessions.previous, sessions.change) == (4, 2, 100.0)
    bounces = found.figures["bounce_rate"]
    assert (bounces.value, bounces.previous, bounces.change_points) == (0.25, 0.5, -25.0)
    assert found.revenue["EUR"].is_new


def test_an_unfinished_week_is_compared_with_the_same_elapsed_part(published) -> None:
    write_publication(published, as_of="2026-03-12T09:00:30Z")
    found = compare(current_publication(published, EVERYTHING), WEEK)
    assert found.earlier.is_so_far
    # Up to Thursday 5 March 10:00: s6 at 20:00 of that day is not counted.
    assert found.earlier.selection is not None
    assert found.earlier.selection.until == datetime(2026, 3, 5, 10, tzinfo=UTC)
    assert found.figures["session_count"].previous == 1
    assert found.figures["view_count"].previous == 1


def test_the_elapsed_part_follows_the_wall_clock_over_summer_time(published) -> None:
    write_publication(published, timezone="Europe/Berlin", as_of="2026-03-31T08:15:00Z")
    today = Selection(date(2026, 3, 30), date(2026, 4, 5))  # as of 31 March, 10:15 summer time
    earlier = earlier_period(current_publication(published, EVERYTHING), today, "previous").selection
    assert earlier is not None
    assert earlier.until == datetime(2026, 3, 24, 10, tzinfo=UTC)  # 24 March, 11:00 winter time


def test_a_period_before_the_first_event_is_not_comparable(publication) -> None:
    early = Selection(date(2026, 3, 2), date(2026, 3, 8))
    found = compare(publication, early)
    assert found.earlier.reason == NOT_COMPARABLE
    assert found.figures["session_count"].previous is None
    assert found.figures["session_count"].change is None


def test_a_period_that_has_not_begun_is_not_comparable(publication) -> None:
    future = Selection(date(2026, 4, 1), date(2026, 4, 7))
    assert earlier_period(publication, future, "previous").reason == NOT_BEGUN


def test_a_year_before_keeps_the_days(published) -> None:
    write_publication(published, first_event_date="2020-01-01")
    publication = current_publication(published, EVERYTHING)
    leap = Selection(date(2024, 2, 29), date(2024, 2, 29))
    earlier = earlier_period(publication, leap, "year").selection
    assert earlier is not None
    assert (earlier.date_from, earlier.date_to) == (date(2023, 2, 28), date(2023, 2, 28))


# The report of the command line


def test_the_report_is_plain_json_of_the_public_shape(publication) -> None:
    report = json.loads(json.dumps(metrics_report(publication, WEEK), allow_nan=False))
    assert list(report) == [
        "from", "to", "timezone", "capsules", "publication", "compared_with", "metrics",
    ]  # fmt: skip
    assert report["compared_with"] == {
        "from": "2026-03-02", "to": "2026-03-08", "is_so_far": False, "reason": None,
    }  # fmt: skip
    assert report["metrics"]["conversion_rate"]["is_too_few"]
    low, high = report["metrics"]["conversion_rate"]["interval"]
    assert 0 < low < 2 / 3 < high < 1
    assert report["from"] == "2026-03-09"
    assert report["to"] == "2026-03-15"
    assert report["publication"] == {
        "id": "20260316T100000-1",
        "published_at": "2026-03-16T10:00:00Z",
        "as_of": "2026-03-16T09:30:00Z",
    }
    assert report["metrics"]["session_count"] == {
        "value": 4, "previous": 2, "change": 100.0, "change_points": None,
    }  # fmt: skip
    assert report["metrics"]["revenue"]["EUR"] == {
        "value": 49.9, "previous": 0.0, "change": None, "change_points": None,
    }  # fmt: skip
    nothing = metrics_report(publication, Selection(date(2025, 1, 1), date(2025, 1, 31)))
    assert nothing["metrics"]["bounce_rate"] == {
        "value": None, "previous": None, "change": None, "change_points": None,
    }  # fmt: skip


def test_the_report_by_hour_is_plain_json_with_rows(publication) -> None:
    selection = replace(WEEK, bots="include", filters={"device": ("bot",)})
    report = json.loads(json.dumps(metrics_report(publication, selection, ["hour"]), allow_nan=False))
    assert report["bots"] == "include"
    assert report["filters"] == {"device": ["bot"]}
    assert "metrics" not in report
    assert [row["hour"] for row in report["rows"] if row["view_count"]] == ["2026-03-10T03:00:00Z"]


def test_without_comparison_there_is_no_earlier_figure(publication) -> None:
    report = metrics_report(publication, WEEK, compare_with="none")
    assert report["metrics"]["session_count"]["previous"] is None
    assert report["metrics"]["revenue"]["USD"]["previous"] is None


# Opening publications


def test_without_a_publication_the_words_say_what_to_do(tmp_path) -> None:
    assert current_publication_id(tmp_path) is None
    with pytest.raises(PublicationMissing, match="Nothing has been published yet"):
        current_publication(tmp_path, EVERYTHING)


def test_a_pointer_cannot_lead_out_of_the_folder(tmp_path) -> None:
    (tmp_path / "CURRENT").write_text("../secrets\n", encoding="utf-8")
    assert current_publication_id(tmp_path) is None


def test_a_damaged_publication_is_named(published) -> None:
    folder = write_publication(published)
    (folder / "publication.duckdb").write_bytes(b"not a database")
    with pytest.raises(PublicationMissing, match="could not be opened"):
        metric_values(current_publication(published, EVERYTHING), WEEK)
    (folder / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(PublicationMissing, match="no readable manifest"):
        current_publication(published, EVERYTHING)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('/etc/hostname')",
        "select * from glob('/*')",
        "attach '/tmp/elsewhere.duckdb'",
        "copy (select 1) to '/tmp/elsewhere.csv'",
        "set enable_external_access = true",
        "set threads = 1",
        "delete from marts.fct_sessions",
        "install httpfs",
    ],
)
def test_a_query_cannot_leave_or_change_the_publication(publication, statement) -> None:
    with open_cursor(publication) as cursor, pytest.raises(duckdb.Error):
        cursor.execute(statement)


def test_an_answer_of_free_sql_is_valid_json(publication) -> None:
    rows = run_query(
        publication,
        "select 'nan'::double as a, 'inf'::float as b, ['-inf'::double, 1] as c, "
        "{'d': 'nan'::double, 'e': 2} as f, 1.50::decimal(4, 2) as g, null as h",
    )
    assert rows == [{"a": None, "b": None, "c": [None, 1.0], "f": {"d": None, "e": 2}, "g": 1.5, "h": None}]
    json.dumps(rows, allow_nan=False)


def test_an_answer_of_too_many_rows_names_the_way_out(publication) -> None:
    assert len(run_query(publication, "from range(100_000)")) == 100_000
    with pytest.raises(QueryRefused, match=r"more than 100,000 rows.*engagement export"):
        run_query(publication, "from range(100_001)")


def test_a_query_that_takes_too_long_is_stopped(publication) -> None:
    slow = "select sum(a.range * b.range) from range(10_000_000) a, range(10_000_000) b"
    with pytest.raises(QueryRefused, match=r"stopped after 0\.3 seconds.*fewer days"):
        run_query(publication, slow, seconds_limit=0.3)
    assert run_query(publication, "select 1 as one") == [{"one": 1}]


def test_no_timer_outlives_a_query(publication) -> None:
    # Alive at the end of the command it holds the cursor, and DuckDB's module prints it as leaked.
    before = threading.active_count()
    run_query(publication, "select 1 as one")
    with pytest.raises(QueryRefused):
        run_query(publication, "select nope")
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("query", "words"), [("select 1; select 2", "holds 2"), ("selec 1", "can't be run"), ("", "holds 0")]
)
def test_a_wrong_query_is_refused_with_a_reason(publication, query, words) -> None:
    with pytest.raises(QueryRefused, match=words):
        run_query(publication, query)


def test_a_reader_sees_the_new_publication_and_old_opened_close(published) -> None:
    for number in range(4):
        write_publication(published, f"p{number}")
        assert metric_values(current_publication(published, EVERYTHING), WEEK)["view_count"] == 5
    from app.publications import _opened

    assert [folder.name for folder in _opened] == ["p2", "p3"]


def test_threads_do_not_get_each_others_rows(publication) -> None:
    wrong: list[tuple[str, object]] = []

    def ask(capsule: str, expected: int) -> None:
        for _ in range(20):
            found = metric_values(publication, replace(WEEK, capsules=(capsule,)), ["session_count"])
            if found != {"session_count": expected}:
                wrong.append((capsule, found))

    threads = [
        threading.Thread(target=ask, args=args)
        for args in [("guide", 3), ("onboarding", 1), ("nowhere", 0)] * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_freshness_tells_the_age_of_publication_and_events(publication) -> None:
    found = freshness(publication, datetime(2026, 3, 16, 10, 1, tzinfo=UTC))
    assert (found.publication_age_seconds, found.event_age_seconds) == (60.0, 1860.0)


# Whole tables


def test_a_table_is_read_whole_or_by_days_and_capsules(publication) -> None:
    assert set(table_columns(publication)) == set(TABLES)
    with table_reader(publication, "fct_sessions") as reader:
        assert reader.read_all().num_rows == 7
    with table_reader(publication, "fct_sessions", date(2026, 3, 9), date(2026, 3, 10), ["guide"]) as reader:
        assert sorted(reader.read_all()["session_key"].to_pylist()) == ["s1", "s2", "s9"]
    with table_reader(publication, "dim_capsules", date(2030, 1, 1)) as reader:
        assert reader.read_all().num_rows == 2


def test_a_table_that_does_not_exist_is_refused(publication) -> None:
    with (
        pytest.raises(SelectionError, match="Tables are"),
        table_reader(publication, 'x" where true; --'),
    ):
        pass


def test_days_by_a_key_of_one_mart_come_once_each(publication) -> None:
    rows = metric_rows(publication, WEEK, ["day", "content"], ["content_access_count"])
    assert len(rows) == 7 * 2
    opened = {(row["day"].day, row["content"]): row["content_access_count"] for row in rows}
    assert {key: count for key, count in opened.items() if count} == {(9, "pricing"): 1, (12, "pricing"): 1}
