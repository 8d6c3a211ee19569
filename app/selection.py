"""What a reader asked for: days, capsules, filters, bots. Checked here, once, for every caller.

Not here: SQL (`queries.py`) and earlier periods (`comparison.py`).
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal, get_args

Bots = Literal["exclude", "include", "only"]
# A day: the first one of as many days as are compared with it.
Comparing = Literal["previous", "year", "none"] | date

FILTER_DIMENSIONS: Final = (
    "channel", "source", "campaign", "country", "device", "browser", "os", "visitor_tier",
    "cta_type", "cta_id", "conversion_type", "content", "content_type", "search_query", "topic",
    "event_name",
)  # fmt: skip
# Sessions in which a content item was opened: a filter, but no key, for a session opens many.
OPENED_CONTENT: Final = "opened_content"
FILTERS: Final = (*FILTER_DIMENSIONS, OPENED_CONTENT)
TIME_KEYS: Final = ("hour", "day", "week", "month")
DIMENSION_KEYS: Final = ("capsule", *FILTER_DIMENSIONS)
KEYS: Final = TIME_KEYS + DIMENSION_KEYS
# Days before and after them are typing errors, and an earlier period would leave the calendar.
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2200


class SelectionError(ValueError):
    """The reader asked for something that does not exist; the text says what does."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`; the nearest is "search"` for a mistyped word; nothing when none is near."""
    by_form = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_form, n=1, cutoff=0.6)
    return f'; the nearest is "{by_form[found[0]]}"' if found else ""


@dataclass(frozen=True)
class Selection:
    """Inclusive days of the reporting time zone; no capsule means all; filters are value lists.

    `until` (UTC, a full hour, exclusive) cuts the last day short, so that an earlier period can be
    read up to the same elapsed part as one that is not over.
    """

    date_from: date
    date_to: date
    capsules: tuple[str, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    bots: Bots = "exclude"
    until: datetime | None = None

    def __post_init__(self) -> None:
        for day in (self.date_from, self.date_to):
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                raise SelectionError(
                    f"The day {day.isoformat()} is out of reach: "
                    f"years {FIRST_YEAR} to {LAST_YEAR} are accepted."
                )
        if self.date_from > self.date_to:
            raise SelectionError(
                f"The range begins on {self.date_from}, after its end on {self.date_to}: swap them."
            )
        if self.bots not in get_args(Bots):
            raise SelectionError(f"Bots can be {', '.join(get_args(Bots))}, not {self.bots!r}.")
        for dimension in self.filters:
            if dimension not in FILTERS:
                raise SelectionError(
                    f"There is no filter {dimension!r}{nearest(dimension, FILTERS)}. "
                    f"Filters are {', '.join(FILTERS)}."
                )

    @property
    def day_count(self) -> int:
        return (self.date_to - self.date_from).days + 1


def checked_keys(by: tuple[str, ...]) -> tuple[str, ...]:
    """`by` itself; SelectionError for an unknown key, a repeated one, or two keys of time."""
    for key in by:
        if key not in KEYS:
            raise SelectionError(f"There is no key {key!r}{nearest(key, KEYS)}. Keys are {', '.join(KEYS)}.")
    if len(set(by)) < len(by):
        raise SelectionError(f"A key is named twice in {', '.join(by)}.")
    if sum(key in TIME_KEYS for key in by) > 1:
        raise SelectionError(f"Only one of {', '.join(TIME_KEYS)} at a time.")
    return by
