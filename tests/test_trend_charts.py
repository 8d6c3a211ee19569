"""Points of a trend: what lies beside them, and how an unfinished end is drawn."""

from datetime import date, timedelta

import pytest

from app.metrics import METRICS_BY_ID
from app.trend_charts import trend, trend_points

VIEWS = METRICS_BY_ID["view_count"]


def days(first: date, values: list[int]) -> list[dict]:
    return [{"day": first + timedelta(days=n), "view_count": value} for n, value in enumerate(values)]


def beside(length: int, distance: int) -> list[tuple[int, int | None]]:
    """Value and earlier value of each point, both counting the days from 0 on."""
    first = date(2026, 3, 2)
    rows = days(first, list(range(length)))
    earlier = days(first - timedelta(days=distance), list(range(length)))
    points = trend_points(rows, earlier, VIEWS, "day", is_so_far=False)
    return [(point["value"], point["earlier"]) for point in points]


def test_whole_weeks_lie_day_by_day_beside_the_weeks_before() -> None:
    assert beside(7, 7) == [(n, n) for n in range(7)]
    assert beside(14, 14) == [(n, n) for n in range(14)]


def test_thirty_days_lie_beside_the_same_weekdays_four_weeks_before() -> None:
    # The earlier 30 days began 30 days before: its third day is 28 days before the first one.
    assert beside(30, 30) == [(n, n + 2) for n in range(28)] + [(28, None), (29, None)]


def test_ninety_days_lie_beside_the_same_weekdays_thirteen_weeks_before() -> None:
    assert beside(90, 90) == [(0, None)] + [(n, n - 1) for n in range(1, 90)]


def test_a_week_of_last_year_lies_beside_the_same_weekdays() -> None:
    # 365 days are 52 weeks and a day.
    assert beside(7, 365) == [(n, n + 1) for n in range(6)] + [(6, None)]


def test_fewer_days_than_a_week_lie_beside_each_other_in_their_order() -> None:
    assert beside(3, 3) == [(0, 0), (1, 1), (2, 2)]


def test_days_that_overlap_by_chance_of_a_readers_choice_lie_in_their_order() -> None:
    assert beside(7, 2) == [(n, n) for n in range(7)]


@pytest.mark.parametrize("is_so_far", [True, False])
def test_no_line_leads_to_a_day_that_is_not_over(is_so_far) -> None:
    points = trend_points(days(date(2026, 3, 2), [5, 6, 1]), [], VIEWS, "day", is_so_far)
    assert [point["is_complete"] for point in points] == [True, True, not is_so_far]
    assert points[-1]["label"].endswith(", so far") is is_so_far
    layers = trend(points, VIEWS, "day").to_dict()["layer"]
    lines = [layer for layer in layers if layer["mark"]["type"] in ("line", "area")]
    assert {layer["transform"][0]["filter"] for layer in lines} == {"datum.is_complete"}
    named = [layer for layer in layers if layer["mark"]["type"] == "text"]
    assert len(named) == is_so_far


@pytest.mark.parametrize(("last", "distance"), [(1, 14), (0, -14)])
def test_the_word_of_an_unfinished_point_is_below_it_unless_the_axis_is(last: int, distance: int) -> None:
    layers = trend(trend_points(days(date(2026, 3, 2), [5, 6, last]), [], VIEWS, "day", True), VIEWS, "day")
    (word,) = [layer for layer in layers.to_dict()["layer"] if layer["mark"]["type"] == "text"]
    assert word["mark"]["dy"] == distance


def test_labels_of_time_lie_at_even_distances_from_the_first_day() -> None:
    points = trend_points(days(date(2026, 10, 27), list(range(30))), [], VIEWS, "day", is_so_far=False)
    axis = trend(points, VIEWS, "day").to_dict()["layer"][0]["encoding"]["x"]["axis"]
    # Thirty days, twelve labels at most: every third day.
    labelled = [date(one["year"], one["month"], one["date"]) for one in axis["values"]]
    assert labelled == [date(2026, 10, 27) + timedelta(days=3 * n) for n in range(10)]
