"""Months are calendar months, days are whole days of the reporting zone."""

from datetime import UTC, date, datetime

import pytest

from orchestration.micro_batch import admission_rules
from orchestration.opt_outs import OptOuts
from orchestration.retention_window import first_kept_day, window_start
from orchestration.settings import Settings


@pytest.mark.parametrize(
    ("now", "months", "first"),
    [
        (datetime(2026, 11, 25, 7, 3, tzinfo=UTC), 13, date(2025, 10, 25)),
        (datetime(2027, 1, 1, tzinfo=UTC), 13, date(2025, 12, 1)),
        (datetime(2028, 2, 29, tzinfo=UTC), 12, date(2027, 2, 28)),
        (datetime(2027, 3, 31, tzinfo=UTC), 13, date(2026, 2, 28)),
        (datetime(2027, 12, 31, tzinfo=UTC), 24, date(2025, 12, 31)),
    ],
)
def test_a_month_is_a_calendar_month(now: datetime, months: int, first: date) -> None:
    assert first_kept_day(now, months, "UTC") == first


def test_the_window_begins_at_midnight_of_the_reporting_zone() -> None:
    # 23:30 UTC is 00:30 of the 26th in Berlin; midnight there was 22:00 UTC the day before, in summer time.
    late = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    assert window_start(late, 13, "Europe/Berlin") == datetime(2025, 10, 25, 22, tzinfo=UTC)
    assert window_start(late, 13, "UTC") == datetime(2025, 10, 25, tzinfo=UTC)


def test_admission_refuses_what_lies_before_the_window(settings: Settings) -> None:
    now = datetime(2026, 11, 25, 7, tzinfo=UTC)
    assert admission_rules(settings, now, OptOuts()).oldest == datetime(2025, 10, 25, tzinfo=UTC)
    any_age = settings.model_copy(update={"accept_any_age": True})
    assert admission_rules(any_age, now, OptOuts()).oldest is None
