"""Distributions, rankings and accounting of a small publication, worked out by hand."""

from dataclasses import replace
from datetime import date

import pytest

from app.accounting import accounting_by_day, event_files, load_totals, rejected_reasons
from app.breakdowns import (
    bots_left_out,
    capsule_names,
    content_items,
    conversation_depths,
    cta_performance,
    drawn_buckets,
    grain_of,
    part_order,
    parts_over_time,
    search_queries,
    session_durations,
    turn_drop_offs,
    weekday_hours,
    whole_buckets,
)
from app.consent import consent_by_capsule, consent_shares
from app.publications import close_publications, current_publication
from app.scope import EVERYTHING
from app.selection import Selection
from tests.publication_fixture import ROWS, TABLES, write_publication

WEEK = Selection(date(2026, 3, 9), date(2026, 3, 15))


@pytest.fixture(scope="module")
def publication(tmp_path_factory):
    published = tmp_path_factory.mktemp("published")
    write_publication(published)
    yield current_publication(published, EVERYTHING)
    close_publications()


def test_sessions_fall_into_the_duration_buckets_of_the_definition(publication) -> None:
    found = {row["bucket"]: row["session_count"] for row in session_durations(publication, WEEK)}
    assert found == {
        "0 s": 1, "1–10 s": 0, "11–30 s": 0, "31–60 s": 1, "1–3 min": 0, "3–10 min": 1,
        "10–30 min": 1, "over 30 min": 0,
    }  # fmt: skip


def test_depth_counts_sessions_by_turns_and_shares_add_up(publication) -> None:
    rows = conversation_depths(publication, WEEK)
    assert [row["session_count"] for row in rows] == [2, 1, 0, 1, 0, 0, 0, 0, 0]
    assert sum(row["share"] for row in rows) == pytest.approx(1)


def test_the_week_begins_on_monday_and_has_168_hours(publication) -> None:
    rows = weekday_hours(publication, WEEK)
    assert len(rows) == 168
    assert (rows[0]["weekday"], rows[-1]["weekday"]) == ("Mon", "Sun")
    busy = {(row["weekday"], row["hour"]): row["session_count"] for row in rows if row["session_count"]}
    assert busy == {("Mon", 10): 1, ("Mon", 11): 1, ("Wed", 23): 1, ("Thu", 9): 1}


def test_sessions_per_hour_are_an_average_over_the_weeks(publication) -> None:
    fortnight = Selection(date(2026, 3, 2), date(2026, 3, 15))
    monday_ten = next(
        row for row in weekday_hours(publication, fortnight) if (row["weekday"], row["hour"]) == ("Mon", 10)
    )
    assert monday_ten["sessions_per_hour"] == 0.5  # one session on two Mondays


def test_small_parts_become_other_and_nothing_is_lost(publication) -> None:
    rows = parts_over_time(publication, WEEK, "channel", "view_count", 1)
    assert part_order(rows) == ["email", "other"]
    assert sum(row["count"] for row in rows) == 5
    assert len({row["start"] for row in rows}) == 7


def test_the_accounting_adds_up(publication) -> None:
    assert load_totals(publication) == {
        "received": 21, "accepted": 16, "duplicate": 2, "rejected": 2, "suppressed": 1,
    }  # fmt: skip
    lines = accounting_by_day(publication)
    assert {row["fate"]: row["line_count"] for row in lines} == {
        "accepted": 16, "duplicate": 2, "rejected": 2, "suppressed": 1,
    }  # fmt: skip
    assert {row["reason"] for row in rejected_reasons(publication)} == {
        "not_json", "timestamp_without_offset",
    }  # fmt: skip
    assert event_files(publication)[0]["file_name"] == "march.ndjson"


def test_bots_are_counted_whatever_was_chosen(publication) -> None:
    assert bots_left_out(publication, WEEK)["session_count"] == 1


def test_a_capsule_without_a_name_is_called_by_its_id(publication) -> None:
    assert capsule_names(publication) == {"onboarding": "onboarding", "guide": "Sales *guide*"}


def test_a_missing_mart_is_an_empty_answer(publication) -> None:
    for question in (turn_drop_offs, content_items):
        assert question(publication, WEEK) == []


def test_every_call_to_action_is_a_row_with_its_rate(publication) -> None:
    found = [
        (
            row["cta_id"],
            row["impression_count"],
            row["click_count"],
            row["ctr_basis"],
            row["click_through_rate"],
        )
        for row in cta_performance(publication, WEEK)
    ]
    assert found == [("book-demo", 4, 1, "impressions", 0.25), ("see-plans", 0, 1, "sessions", 1.0)]


def test_a_search_says_what_it_found_and_led_to(publication) -> None:
    assert search_queries(publication, WEEK) == [
        {"query": "refund", "search_count": 1, "session_count": 1, "zero_result_count": 1,
         "zero_result_rate": 1.0, "followed_rate": 1.0},
    ]  # fmt: skip


@pytest.mark.parametrize(("last", "grain"), [(1, "hour"), (31, "day")])
def test_a_day_is_drawn_by_hours_and_a_month_by_days(last, grain) -> None:
    assert grain_of(Selection(date(2026, 3, 1), date(2026, 3, last))) == grain


def test_a_year_is_drawn_by_weeks() -> None:
    assert grain_of(Selection(date(2025, 3, 1), date(2026, 2, 28))) == "week"


def test_weeks_and_months_cut_by_the_range_are_not_drawn() -> None:
    weeks = [{"week": date(2026, 3, day)} for day in (2, 9, 16)]
    middle = Selection(date(2026, 3, 4), date(2026, 3, 20))  # Wednesday to Friday
    assert whole_buckets(weeks, "week", middle, is_so_far=False) == [{"week": date(2026, 3, 9)}]
    assert whole_buckets(weeks, "week", middle, is_so_far=True) == weeks[1:]
    exact = Selection(date(2026, 3, 2), date(2026, 3, 22))
    assert whole_buckets(weeks, "week", exact, is_so_far=False) == weeks
    months = [{"month": date(2026, 2, 1)}, {"month": date(2026, 3, 1)}]
    assert whole_buckets(months, "month", Selection(date(2026, 2, 1), date(2026, 3, 31)), False) == months


def test_nothing_is_drawn_before_the_first_event(publication) -> None:
    # Of a first day on Sunday, 1 March 2026; its week begins on 23 February.
    publication = replace(publication, first_event_date=date(2026, 3, 1))
    year = Selection(date(2025, 3, 17), date(2026, 3, 15))
    weeks = [{"week": date(2026, 2, 16)}, {"week": date(2026, 2, 23)}, {"week": date(2026, 3, 2)}]
    assert drawn_buckets(publication, weeks, "week", year, False) == weeks[1:]
    months = [{"month": date(2026, 2, 1)}, {"month": date(2026, 3, 1)}]
    long = Selection(date(2024, 2, 1), date(2026, 3, 31))
    assert drawn_buckets(publication, months, "month", long, False) == months[1:]
    days = [{"day": date(2026, 2, 28)}, {"day": date(2026, 3, 1)}]
    month = Selection(date(2026, 2, 28), date(2026, 3, 29))
    assert drawn_buckets(publication, days, "day", month, False) == days[1:]
    parts = parts_over_time(publication, year, "channel", "view_count")
    assert min(row["start"] for row in parts) == date(2026, 2, 23)


def test_sessions_are_counted_by_their_last_word_on_consent(publication) -> None:
    # Of s1, s2, s3 and s4; the bot is left out.
    assert consent_shares(publication, WEEK) == [
        {"consent": "given", "session_count": 1, "share": 0.25},
        {"consent": "refused", "session_count": 1, "share": 0.25},
        {"consent": "unknown", "session_count": 2, "share": 0.5},
    ]
    guide, onboarding = consent_by_capsule(publication, WEEK)
    assert list(guide.values()) == ["guide", 3, *[pytest.approx(1 / 3)] * 3]
    assert list(onboarding.values()) == ["onboarding", 1, 0.0, 0.0, 1.0]
    empty = Selection(date(2025, 1, 1), date(2025, 1, 2))
    assert (consent_shares(publication, empty), consent_by_capsule(publication, empty)) == ([], [])


def test_a_publication_from_before_answers_were_kept_has_no_consent_share(tmp_path, monkeypatch) -> None:
    columns = {name: kind for name, kind in TABLES["fct_sessions"].items() if name != "consent"}
    monkeypatch.setitem(TABLES, "fct_sessions", columns)
    rows = [{name: value for name, value in row.items() if name != "consent"} for row in ROWS["fct_sessions"]]
    write_publication(tmp_path, rows={**ROWS, "fct_sessions": rows})
    old = current_publication(tmp_path, EVERYTHING)
    assert (consent_shares(old, WEEK), consent_by_capsule(old, WEEK)) == ([], [])
