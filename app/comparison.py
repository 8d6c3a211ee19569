"""Compares a period with an earlier one. Pure: dates, zones and numbers, no SQL.

The rules are those of `METRICS.md`, "Comparing periods": an unfinished period is compared with the
same elapsed part of the earlier one, in whole hours because that is the grain of the activity mart.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.publications import Publication
from app.selection import Comparing, Selection

Number = int | float


@dataclass(frozen=True)
class Change:
    """A figure beside its earlier self. `change` in percent, `change_points` in percentage points."""

    value: Number | None
    previous: Number | None = None
    change: float | None = None
    change_points: float | None = None
    is_new: bool = False


@dataclass(frozen=True)
class EarlierPeriod:
    """What to compare with. `selection` is None when there is nothing comparable, for `reason`."""

    selection: Selection | None
    is_so_far: bool = False
    reason: str = ""


NO_COMPARISON: Final = "No comparison was asked for."
NOT_COMPARABLE: Final = "Not comparable: the earlier period begins before the first event."
NOT_EARLIER: Final = "Not comparable: the days to compare with do not begin before this period."
NOT_BEGUN: Final = "Not comparable: no event of this period has arrived yet."


def compare_values(value: Number | None, previous: Number | None, *, is_rate: bool) -> Change:
    """15 against 10 is +50 %; a rate of 0.25 against 0.20 is also +5 points; 3 against 0 is new."""
    if value is None or previous is None:
        return Change(value, previous)
    points = round((value - previous) * 100, 10) if is_rate else None
    if previous == 0:
        return Change(value, previous, None, points, is_new=value != 0)
    return Change(value, previous, round((value - previous) / abs(previous) * 100, 10), points)


def a_year_before(day: date) -> date:
    """The same day one year before; 29 February becomes the 28th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def is_unfinished(selection: Selection, publication: Publication) -> bool:
    """Whether events of the period may still come: it reaches the day of the newest event."""
    return publication.as_of is not None and selection.date_to >= local_day(publication)


def local_day(publication: Publication) -> date:
    """The reporting-zone day of the newest event."""
    assert publication.as_of is not None
    return publication.as_of.astimezone(ZoneInfo(publication.timezone)).date()


def earlier_period(
    publication: Publication, selection: Selection, compare: Comparing, first_day: date | None = None
) -> EarlierPeriod:
    """The period to compare `selection` with, cut to the same elapsed part when it is not over.

    A day as `compare` is the first of equally many days.
    `first_day`: of the first event of the chosen capsules; that of the whole publication without.
    """
    is_so_far = is_unfinished(selection, publication)
    if compare == "none":
        return EarlierPeriod(None, is_so_far, NO_COMPARISON)
    if is_so_far and local_day(publication) < selection.date_from:
        return EarlierPeriod(None, is_so_far, NOT_BEGUN)
    if compare == "year":
        date_from, date_to = a_year_before(selection.date_from), a_year_before(selection.date_to)
    else:
        distance = _distance(selection, compare)
        if distance <= timedelta(0):
            return EarlierPeriod(None, is_so_far, NOT_EARLIER)
        date_from, date_to = selection.date_from - distance, selection.date_to - distance
    first_day = first_day or publication.first_event_date
    if first_day is None or date_from < first_day:
        return EarlierPeriod(None, is_so_far, NOT_COMPARABLE)
    until = _elapsed_until(publication, selection, compare) if is_so_far else None
    return EarlierPeriod(replace(selection, date_from=date_from, date_to=date_to, until=until), is_so_far)


def _distance(selection: Selection, compare: Comparing) -> timedelta:
    """How far back the earlier period lies: its own length, or as far as the chosen first day."""
    if isinstance(compare, date):
        return selection.date_from - compare
    return timedelta(days=selection.day_count)


def _elapsed_until(publication: Publication, selection: Selection, compare: Comparing) -> datetime:
    """End (UTC, exclusive) of the hour in which the earlier period was as old as this one is now.

    Counted on the wall clock, so that a change to summer time does not move it by an hour.
    """
    assert publication.as_of is not None
    zone = ZoneInfo(publication.timezone)
    now = publication.as_of.astimezone(zone).replace(tzinfo=None)
    if compare == "year":
        then = datetime.combine(a_year_before(now.date()), now.time())
    else:
        then = now - _distance(selection, compare)
    instant = then.replace(tzinfo=zone).astimezone(UTC)
    return instant.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def hour_bounds(selection: Selection, timezone: str) -> tuple[datetime, datetime]:
    """First UTC hour that touches the selected days, and the end (exclusive) of the last one."""
    zone = ZoneInfo(timezone)
    start = datetime.combine(selection.date_from, time(), zone).astimezone(UTC)
    end = datetime.combine(selection.date_to + timedelta(days=1), time(), zone).astimezone(UTC)
    return start.replace(minute=0, second=0, microsecond=0), end
