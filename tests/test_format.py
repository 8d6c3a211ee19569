"""Numbers, durations, money and dates as people read them."""

from datetime import date

import pytest

from app.comparison import Change, compare_values
from app.format import (
    age_text,
    bucket_text,
    change_text,
    count_text,
    duration_text,
    escape_markdown,
    money_text,
    name_text,
    number_text,
    range_text,
    rate_text,
    score_text,
    source_text,
    told_apart,
    value_text,
)
from app.metrics import METRICS_BY_ID


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"), (0, "0 s"), (3.25, "3.2 s"), (59.4, "59 s"), (59.6, "1 min"), (125, "2 min 5 s"),
        (3599.7, "1 h"), (3720, "1 h 2 min"), (359_999, "99 h 59 min"), (4_334_400, "1,204 h"),
    ],
)  # fmt: skip
def test_a_duration_is_written_in_its_two_largest_units(seconds, text) -> None:
    assert duration_text(seconds) == text


def test_nothing_is_a_dash_and_never_a_zero() -> None:
    for unit in ("count", "number", "rate", "seconds", "money"):
        assert value_text(None, unit) == "–"
    assert money_text(None, "EUR") == "–"
    assert score_text(None) == "–"


def test_numbers_keep_only_the_digits_that_tell_something() -> None:
    assert count_text(1_234_567) == "1,234,567"
    assert number_text(4.12) == "4.12"
    assert number_text(4.0) == "4"
    assert number_text(16.847) == "16.8"
    assert rate_text(0.1234) == "12.3%"
    assert rate_text(12 / 148_119) == "under 0.1%"
    assert (rate_text(0), rate_text(0.0005)) == ("0.0%", "0.1%")
    assert rate_text(0.99991) == "over 99.9%"
    assert (rate_text(1), rate_text(0.9994)) == ("100.0%", "99.9%")
    assert score_text(0.7) == "0.70"


def test_money_says_its_currency_and_never_rounds_small_sums() -> None:
    assert money_text(1690.219, "EUR") == "1,690.22 EUR"
    assert money_text(-20, "USD") == "−20.00 USD"
    assert money_text(123_456.78, "JPY") == "123,457 JPY"
    assert money_text(5, "unknown") == "5.00"


def test_a_change_has_a_sign_and_a_rate_changes_in_points() -> None:
    views, bounces = METRICS_BY_ID["view_count"], METRICS_BY_ID["bounce_rate"]
    assert change_text(compare_values(15, 10, is_rate=False), views) == "+50%"
    assert change_text(compare_values(10, 15, is_rate=False), views) == "−33.3%"
    assert change_text(compare_values(0.25, 0.20, is_rate=True), bounces) == "+5 points"
    assert change_text(compare_values(10, 10, is_rate=False), views) == "no change"
    assert change_text(compare_values(10_001, 10_000, is_rate=False), views) == "no change"
    assert change_text(compare_values(3, 0, is_rate=False), views) == "new"
    assert change_text(Change(3), views) == "–"
    assert change_text(compare_values(2500, 100, is_rate=False), views) == "+2,400%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4, "just now"), (45, "45 seconds ago"), (61, "1 minute ago"), (7300, "2 hours ago"),
     (90_000, "1 day ago"), (200_000, "2 days ago")],
)  # fmt: skip
def test_an_age_is_written_in_one_unit(seconds, text) -> None:
    assert age_text(seconds) == text


def test_a_range_repeats_no_month_or_year() -> None:
    assert range_text(date(2026, 3, 9), date(2026, 3, 9)) == "9 March 2026"
    assert range_text(date(2026, 3, 2), date(2026, 3, 8)) == "2 to 8 March 2026"
    assert range_text(date(2026, 2, 25), date(2026, 3, 3)) == "25 February to 3 March 2026"
    assert range_text(date(2025, 12, 30), date(2026, 1, 5)) == "30 December 2025 to 5 January 2026"


def test_a_bucket_says_what_it_covers() -> None:
    assert bucket_text(date(2026, 3, 9), "day") == "Mon 9 March 2026"
    assert bucket_text(date(2026, 3, 9), "week") == "9 to 15 March 2026"
    assert bucket_text(date(2026, 3, 1), "month") == "March 2026"


def test_stored_words_become_readable_ones() -> None:
    assert name_text("paid_search") == "Paid search"
    assert name_text("ai_assistant") == "AI assistant"
    assert name_text("not_json") == "Not JSON"


def test_two_things_of_one_name_are_told_apart_by_their_ids() -> None:
    names = {"b": "Twins", "a": "Alone", "c": "Twins"}
    assert list(told_apart(names).items()) == [("b", "Twins (b)"), ("a", "Alone"), ("c", "Twins (c)")]


def test_text_of_users_is_not_markdown() -> None:
    assert escape_markdown("Sales *guide* $5 [x](y)") == "Sales \\*guide\\* \\$5 \\[x\\]\\(y\\)"


def test_own_words_are_in_sentence_case_and_sources_stay_as_they_were_sent() -> None:
    found = [source_text(name) for name in ("unknown", "direct", "news.example", "partner_kit")]
    assert found == ["Unknown", "Direct", "news.example", "partner_kit"]
