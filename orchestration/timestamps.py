"""Instants: an ISO 8601 text with an offset becomes UTC, cut to milliseconds.

Why it exists: a wrong hour is worse than a visible reject, so every spelling is decided here. Rules:
METRICS.md, "Clock". Not here: the window of accepted instants, many texts at once (`instant_columns.py`).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from orchestration.event_fields import FieldProblem

_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})[Tt ]([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?"
    r" ?(?:([Zz])|([+\-\u2212])([0-9]{2})(?::?([0-9]{2}))?)?"
)


def parse_timestamp(text: str) -> datetime:
    """The UTC instant of an ISO 8601 timestamp with an offset or Z, cut to milliseconds.

    Raises `FieldProblem` with `timestamp_without_offset` or `timestamp_unreadable`.
    """
    found = _TIMESTAMP.fullmatch(text.strip())
    if found is None:
        raise FieldProblem("timestamp_unreadable", "timestamp")
    year, month, day, hour, minute, second, fraction, zulu, sign, ahead_hours, ahead_minutes = found.groups()
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second or 0),
            int((fraction or "0")[:3].ljust(3, "0")) * 1000,
            tzinfo=UTC,
        )
        if not zulu and not sign:
            raise FieldProblem("timestamp_without_offset", "timestamp")
        if zulu:
            return local
        if int(ahead_hours) > 18 or int(ahead_minutes or 0) > 59:
            raise FieldProblem("timestamp_unreadable", "timestamp")
        ahead = timedelta(hours=int(ahead_hours), minutes=int(ahead_minutes or 0))
        return local - ahead if sign == "+" else local + ahead
    except (ValueError, OverflowError) as error:
        if isinstance(error, FieldProblem):
            raise
        raise FieldProblem("timestamp_unreadable", "timestamp") from error
