"""Intervals, funnels, attribution, idle content, endings and custom events, worked out by hand."""

from dataclasses import replace
from datetime import date

import pytest

from app.content_figures import idle_content, video_items, video_retention
from app.conversation_figures import conversation_endings
from app.conversion_figures import attributed_revenue, conversion_rates, funnel_steps, revenue_days
from app.custom_event_figures import custom_events, event_properties, property_values
from app.insights import insights
from app.intervals import is_too_few, wilson_interval
from app.publications import close_publications, current_publication
from app.scope import EVERYTHING
from app.selection import Selection, SelectionError
from tests.publication_fixture import write_publication

WEEK = Selection(date(2026, 3, 9), date(2026, 3, 15))
NOTHING = Selection(date(2025, 3, 9), date(2025, 3, 15))


@pytest.fixture(scope="module")
def publication(tmp_path_factory):
    published = tmp_path_factory.mktemp("published")
    write_publication(published)
    yield current_publication(published, EVERYTHING)
    close_publications()


@pytest.fixture
def bare(tmp_path):
    """A publication of a version that had none of these marts."""
    write_publication(tmp_path, tables=["fct_sessions", "session_activity_hourly"])
    yield current_publication(tmp_path, EVERYTHING)
    close_publications()


def test_the_wilson_interval_is_that_of_the_textbooks() -> None:
    # 8 of 10: (0.8 + 0.1921 ± 1.96 sqrt(0.016 + 0.0096)) / 1.3841, published as 49.0 % to 94.3 %.
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(0, 30) == pytest.approx((0.0, 0.1135), abs=1e-4)
    assert wilson_interval(30, 30) == pytest.approx((0.8865, 1.0), abs=1e-4)
    assert wilson_interval(0, 0) is None
    assert wilson_interval(None, 5) is None


def test_fewer_than_thirty_visitors_are_too_few() -> None:
    assert [is_too_few(count) for count in (0, 29, 30, None)] == [True, True, False, True]


def test_a_conversion_rate_has_its_interval_and_says_when_it_is_over_too_few(publication) -> None:
    # user-1 of the 3 visitors clicked, user-1 bought, visitor-1 signed up.
    rows = conversion_rates(publication, WEEK)
    counted = [tuple(row[name] for name in ("conversion_type", "converting_visitor_count", "visitor_count"))
               for row in rows]  # fmt: skip
    assert counted == [("cta_click", 1, 3), ("sale", 1, 3), ("signup", 1, 3)]
    assert rows[0]["conversion_rate"] == pytest.approx(1 / 3)
    assert 0 < rows[0]["low"] < 1 / 3 < rows[0]["high"] < 1
    assert all(row["is_too_few"] for row in rows)
    by_channel = {row["channel"]: row for row in conversion_rates(publication, WEEK, "channel")}
    assert (by_channel["search"]["visitor_count"], by_channel["search"]["conversion_rate"]) == (2, 1.0)
    assert by_channel["direct"]["conversion_rate"] == 0.0
    assert conversion_rates(publication, NOTHING) == []


def test_a_funnel_counts_sessions_or_visitors_and_never_widens(publication) -> None:
    rows = funnel_steps(publication, WEEK)
    assert [(row["step"], row["count"], row["share"], row["drop_off_rate"]) for row in rows] == [
        ("view", 4, 1.0, 0.5), ("turn", 2, 0.5, 0.5), ("cta_click", 1, 0.25, None),
    ]  # fmt: skip
    assert rows[1]["median_seconds_to_step"] == 40.0
    people = funnel_steps(publication, WEEK, "visitor")
    # user-1 entered on two capsules and is one visitor.
    assert [row["count"] for row in people] == [3, 2, 1, 1]
    assert funnel_steps(publication, replace(WEEK, filters={"device": ("mobile",)}))[0]["count"] == 2
    assert funnel_steps(publication, NOTHING) == []


def test_credited_money_adds_up_to_the_revenue_in_every_model(publication) -> None:
    linear = attributed_revenue(publication, WEEK, "linear")
    assert [(row["channel"], row["currency"], row["credit"]) for row in linear] == [
        ("email", "EUR", 33.27), ("search", "EUR", 16.63), ("search", "USD", 10.0),
    ]  # fmt: skip
    default = attributed_revenue(publication, WEEK)
    assert [(row["channel"], row["credit"], row["conversion_credit"]) for row in default] == [
        ("email", 49.9, 1.0), ("search", 10.0, 1.0),
    ]  # fmt: skip
    with pytest.raises(SelectionError, match="no model 'best'"):
        attributed_revenue(publication, WEEK, "best")
    with pytest.raises(SelectionError, match="A touch has no 'device'"):
        attributed_revenue(publication, WEEK, by="device")


def test_revenue_has_a_row_a_day_and_currency(publication) -> None:
    assert revenue_days(publication, WEEK) == [
        {
            "day": date(2026, 3, 9),
            "currency": "EUR",
            "amount": 49.9,
            "refund_amount": 0.0,
            "conversion_count": 1,
        }
    ]


def test_content_is_idle_when_it_is_old_enough_and_unused_in_the_range_or_cold(publication) -> None:
    # Fourteen days before Sunday 15 March is Sunday 1 March: the news of the 2nd are too new.
    found = [(row["content_id"], row["state"]) for row in idle_content(publication, WEEK)]
    assert found == [("old", "cold"), ("faq", "unused")]
    assert idle_content(publication, replace(WEEK, capsules=("onboarding",))) == []
    later = Selection(date(2026, 3, 10), date(2026, 3, 16))  # after the only access of the prices
    assert [row["content_id"] for row in idle_content(publication, later)] == [
        "news",
        "old",
        "pricing",
        "faq",
    ]


def test_a_video_has_plays_a_completion_rate_and_a_curve_that_never_rises(publication) -> None:
    (tour,) = video_items(publication, WEEK)
    assert (tour["content_title"], tour["play_count"], tour["completion_rate"]) == ("tour", 2, 0.5)
    assert (tour["watched_seconds_avg"], tour["watched_share_avg"]) == (57.5, pytest.approx(0.575))
    curve = video_retention(publication, WEEK)
    assert [row["play_count"] for row in curve] == [2] * 7 + [1] * 14
    assert (curve[6]["position_share"], curve[7]["share"]) == (0.3, 0.5)
    assert video_retention(publication, NOTHING) == []


def test_conversations_that_were_dropped_say_what_came_last(publication) -> None:
    both = Selection(date(2026, 3, 2), date(2026, 3, 15))
    assert conversation_endings(publication, both) == [
        {
            "value": "prices",
            "conversation_count": 2,
            "dropped_count": 1,
            "finished_count": 1,
            "drop_off_rate": 0.5,
        },
        {
            "value": "setup",
            "conversation_count": 1,
            "dropped_count": 0,
            "finished_count": 1,
            "drop_off_rate": 0.0,
        },
    ]
    turns = {
        row["value"]: row["conversation_count"]
        for row in conversation_endings(publication, both, "last_turn")
    }
    assert turns == {"answered": 2, "unanswered": 1}
    with pytest.raises(SelectionError, match="no 'mood'"):
        conversation_endings(publication, both, "mood")


def test_custom_events_are_counted_and_their_numbers_measured(publication) -> None:
    assert custom_events(publication, WEEK) == [
        {"event_name": "quiz", "event_count": 3, "visitor_count": 2, "session_count": 3},
        {"event_name": "shared", "event_count": 1, "visitor_count": 1, "session_count": 1},
    ]
    level, score = event_properties(publication, WEEK, "quiz")
    assert score == {
        "property_name": "score", "event_count": 3, "visitor_count": 2, "value_count": 3,
        "number_count": 2, "sum": 50.0, "mean": 25.0, "median": 25.0, "p90": pytest.approx(37.0),
    }  # fmt: skip
    assert (level["number_count"], level["mean"]) == (0, None)
    assert property_values(publication, WEEK, "quiz", "level") == [
        {"value": "hard", "event_count": 2, "visitor_count": 2},
        {"value": "easy", "event_count": 1, "visitor_count": 1},
    ]
    mobile = replace(WEEK, filters={"device": ("mobile",)})
    assert [row["sum"] for row in event_properties(publication, mobile, "quiz")] == [None, 40.0]


def test_five_insights_are_shown_the_surest_first_and_of_the_chosen_capsules(publication) -> None:
    found = insights(publication, WEEK)
    assert [(row["capsule_id"], row["metric"]) for row in found] == [
        ("onboarding", "bounce_rate"), ("guide", "bounce_rate"), ("guide", "engagement_rate"),
        ("onboarding", "engagement_rate"), ("guide", "conversion_rate"),
    ]  # fmt: skip
    guide = insights(publication, replace(WEEK, capsules=("guide",)))
    assert {row["capsule_id"] for row in guide} == {"guide"}
    assert guide[0]["sentence"] == "The bounce_rate rose."


def test_without_their_marts_there_is_no_answer(bare) -> None:
    assert funnel_steps(bare, WEEK) == attributed_revenue(bare, WEEK) == revenue_days(bare, WEEK) == []
    assert idle_content(bare, WEEK) == video_items(bare, WEEK) == video_retention(bare, WEEK) == []
    assert insights(bare, WEEK) == conversation_endings(bare, WEEK) == custom_events(bare, WEEK) == []
    assert event_properties(bare, WEEK, "quiz") == property_values(bare, WEEK, "quiz", "level") == []
