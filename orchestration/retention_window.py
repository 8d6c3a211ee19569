"""From which instant events are kept: what admission refuses and what retention removes.

Why it exists: both must mean the same moment. Pure. Not here: removing (`retention.py`).
"""

import calendar
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def first_kept_day(now: datetime, months: int, timezone: str) -> date:
    """Today in the reporting zone, so many calendar months back: of the 31st in a shorter month its last day.

    13 months before 2026-11-25 is 2025-10-25; 12 before 2028-02-29 is 2027-02-28.
    """
    today = now.astimezone(ZoneInfo(timezone)).date()
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    return date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))


def start_of_day(day: date, timezone: str) -> datetime:
    """The first instant (UTC) of a day of the reporting zone."""
    return datetime.combine(day, time.min, ZoneInfo(timezone)).astimezone(UTC)


def window_start(now: datetime, months: int, timezone: str) -> datetime:
    """The first instant (UTC) that is kept: whole days, so that no kept figure is of half a day."""
    return start_of_day(first_kept_day(now, months, timezone), timezone)
