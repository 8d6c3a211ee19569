"""Instants of a whole column at once, in the one spelling that nearly every sender uses.

Why it exists: see `column_admission.py`; one by one a timestamp costs more than the rest of its line. What is
read here, `timestamps.parse_timestamp` reads alike; any other text is left to it. Pure.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Instants = npt.NDArray[np.int64]

_SECONDS_END: Final = len("2026-11-20T12:00:00")
_LONGEST_FRACTION: Final = len(".123456789")
_OFFSET: Final = len("+01:00")
_MONTH_DAYS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
_NEVER: Final = np.iinfo(np.int64).min


def plain_instants(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32]
) -> tuple[Instants, Flags]:
    """Milliseconds since 1970 of the texts `data[start : start + length]`, and which of them were read.

    Read are years from 1900 to 2099, `T`, seconds, up to nine digits behind a point, and `Z` or an offset of
    less than 18 hours with its colon.
    """
    instants = np.full(len(starts), _NEVER, np.int64)
    is_read = np.zeros(len(starts), np.bool_)
    for length in np.unique(lengths).tolist():
        if not _SECONDS_END < length <= _SECONDS_END + _LONGEST_FRACTION + _OFFSET:
            continue
        rows = np.flatnonzero(lengths == length)
        signs = np.ascontiguousarray(data[starts[rows][:, None] + np.arange(length)].T)
        for is_zulu, ending in ((signs[-1] == ord("Z"), 1), (signs[-1] != ord("Z"), _OFFSET)):
            fraction = length - _SECONDS_END - ending
            if is_zulu.any() and (fraction == 0 or 2 <= fraction <= _LONGEST_FRACTION):
                chosen = signs if is_zulu.all() else signs[:, is_zulu]
                found, good = _of_one_form(chosen, fraction, ending)
                instants[rows[is_zulu]] = np.where(good, found, _NEVER)
                is_read[rows[is_zulu]] = good
    return instants, is_read


def _of_one_form(signs: npt.NDArray[np.uint8], fraction: int, ending: int) -> tuple[Instants, Flags]:
    """Of texts with so many signs for the fraction and for the offset: the instants, and which are right."""
    digits = signs - np.uint8(ord("0"))
    good = np.ones(signs.shape[1], np.bool_)

    def number(start: int, end: int) -> Instants:
        total = np.zeros(signs.shape[1], np.int64)
        for at in range(start, end):
            np.logical_and(good, digits[at] <= 9, out=good)
            total = total * 10 + digits[at]
        return total

    def expect(at: int, sign: str) -> None:
        np.logical_and(good, signs[at] == ord(sign), out=good)

    for at, sign in ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")):
        expect(at, sign)
    year, month, day = number(0, 4), number(5, 7), number(8, 10)
    hour, minute, second = number(11, 13), number(14, 16), number(17, 19)
    good &= (year >= 1900) & (year <= 2099) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    month = np.clip(month, 1, 12)
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    good &= day <= _MONTH_DAYS[month] + (is_leap & (month == 2))
    milliseconds = np.zeros(signs.shape[1], np.int64)
    if fraction:
        expect(_SECONDS_END, ".")
        kept = min(fraction - 1, 3)
        milliseconds = number(_SECONDS_END + 1, _SECONDS_END + 1 + kept) * 10 ** (3 - kept)
        number(_SECONDS_END + 1 + kept, _SECONDS_END + fraction)
    ahead = np.zeros(signs.shape[1], np.int64)
    if ending == _OFFSET:
        at = len(signs) - _OFFSET
        expect(at + 3, ":")
        hours, minutes = number(at + 1, at + 3), number(at + 4, at + 6)
        is_ahead = signs[at] == ord("+")
        good &= (is_ahead | (signs[at] == ord("-"))) & (hours <= 17) & (minutes <= 59)
        ahead = np.where(is_ahead, 1, -1) * (hours * 60 + minutes)
    minutes_since = (_days(year, month, day) * 24 + hour) * 60 + minute - ahead
    return (minutes_since * 60 + second) * 1000 + milliseconds, good


def _days(year: Instants, month: Instants, day: Instants) -> Instants:
    """Days since 1970 in the Gregorian calendar; years begin in March, so that leap days come last."""
    year = year - (month <= 2)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - 719468
