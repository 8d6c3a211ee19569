"""Writes numbers, durations, money, shares, dates and ages the way people read them.

Pure functions of values. English, with a comma for thousands. "Nothing" is written as a dash, never
as zero. Not here: Streamlit, and what a number means (`metrics.py`).
"""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from app.comparison import Change, Number
from app.metrics import Metric, Unit

NOTHING: Final = "–"
MINUS: Final = "−"
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~$:^])")


def escape_markdown(text: str) -> str:
    """Text of users (names, titles, searches) so that Streamlit shows it as it was typed."""
    return _MARKDOWN.sub(r"\\\1", text)


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Names by id, in their order; where two ids have one name, each has its id behind it."""
    count = Counter(names.values())
    return {key: f"{name} ({key})" if count[name] > 1 else name for key, name in names.items()}


def count_text(value: Number | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}".replace("-", MINUS)


def counted(value: Number, one: str, many: str) -> str:
    """1 session, 2 sessions."""
    return f"{count_text(value)} {one if value == 1 else many}"


def number_text(value: Number | None) -> str:
    """One or two decimals, as many as are needed to tell small numbers apart."""
    if value is None:
        return NOTHING
    decimals = 2 if abs(value) < 10 else 1
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".").replace("-", MINUS) if "." in text else text


def decimal_text(value: Number | None) -> str:
    """A mean or median of counts, always with two decimals: 4.80 beside 4.51."""
    return NOTHING if value is None else f"{value:,.2f}".replace("-", MINUS)


def score_text(value: Number | None) -> str:
    """A score between 0 and 1, always with two decimals so that a column reads well."""
    return NOTHING if value is None else f"{value:.2f}"


def rate_text(value: Number | None) -> str:
    """0.1234 is 12.3%. What is rare is not written as never, what is frequent not as always."""
    if value is None:
        return NOTHING
    if 0 < value < 0.0005:
        return "under 0.1%"
    return "over 99.9%" if 0.9995 <= value < 1 else f"{value * 100:.1f}%"


def duration_text(seconds: Number | None) -> str:
    """The two largest units: 4 s, 2 min 5 s, 3 h 20 min, 1,204 h."""
    if seconds is None:
        return NOTHING
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two_units(whole // 60, "min", whole % 60, "s")
    if whole < 100 * 3600:
        return _two_units(whole // 3600, "h", whole % 3600 // 60, "min")
    return f"{whole / 3600:,.0f} h"


def _two_units(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def money_text(amount: Number | None, currency: str) -> str:
    """The amount with its ISO code: every dollar says which one it is."""
    if amount is None:
        return NOTHING
    code = "" if currency == "unknown" else f" {currency}"
    decimals = 0 if abs(amount) >= 100_000 else 2
    return f"{amount:,.{decimals}f}{code}".replace("-", MINUS)


def value_text(value: Number | None, unit: Unit) -> str:
    """A metric's value in its unit."""
    written = {
        "count": count_text,
        "number": decimal_text,
        "rate": rate_text,
        "seconds": duration_text,
        "money": number_text,
    }
    return written[unit](value)


def change_text(change: Change, metric: Metric) -> str:
    """The sign and size of a change: percent, or points for a rate; "new" from zero."""
    if change.change_points is not None:
        return signed_text(change.change_points, " points")
    if change.is_new:
        return "new"
    if change.change is None:
        return NOTHING if change.previous is None else "no change"
    return signed_text(change.change, "%")


def signed_text(value: float, unit: str) -> str:
    """+12.3%, −4 points, no change. Above 1,000 without decimals."""
    decimals = 0 if abs(value) >= 1000 else 1
    text = f"{abs(value):,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text == "0":
        return "no change"
    return f"{'+' if value > 0 else MINUS}{text}{unit}"


def age_text(seconds: float) -> str:
    """How long ago, in one unit."""
    if seconds < 10:
        return "just now"
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            amount = int(seconds // size)
            return f"{amount:,} {name}{'' if amount == 1 else 's'} ago"
    return "just now"


def day_text(day: date) -> str:
    """9 March 2026."""
    return f"{day.day} {day:%B %Y}"


def range_text(date_from: date, date_to: date) -> str:
    """9 March 2026 · 2 to 8 March 2026 · 25 February to 3 March 2026 · 9 Dec. 2025 to …"""
    if date_from == date_to:
        return day_text(date_from)
    if (date_from.year, date_from.month) == (date_to.year, date_to.month):
        return f"{date_from.day} to {day_text(date_to)}"
    if date_from.year == date_to.year:
        return f"{date_from.day} {date_from:%B} to {day_text(date_to)}"
    return f"{day_text(date_from)} to {day_text(date_to)}"


def bucket_text(start: date, grain: str) -> str:
    """What a point of a chart covers: Mon 9 March 2026, week of 9 March 2026, March 2026."""
    if grain == "month":
        return f"{start:%B %Y}"
    if grain == "week":
        return f"{range_text(start, start + timedelta(days=6))}"
    if grain == "hour":
        return f"{start:%a} {start.day} {start:%B}, {start:%H:%M}"
    return f"{start:%a} {day_text(start)}"


def short_bucket_text(start: date, grain: str) -> str:
    """The name of a bucket on an axis: 9 Mar, Mar 2026, 14:00; a week by its Monday."""
    if grain == "month":
        return f"{start:%b %Y}"
    return f"{start:%H:%M}" if grain == "hour" else f"{start.day} {start:%b}"


_ACRONYMS: Final = {"ai": "AI", "cta": "CTA", "id": "ID", "json": "JSON", "utf8": "UTF-8"}


def name_text(value: str) -> str:
    """A stored word as people read it: paid_search is Paid search, ai_assistant is AI assistant."""
    text = " ".join(_ACRONYMS.get(word, word) for word in value.split("_"))
    return text[:1].upper() + text[1:]


# Words of ours among the sources; every other source is a label or a domain as it was sent.
_OWN_SOURCES: Final = frozenset({"unknown", "direct", "internal", "other"})


def source_text(value: str) -> str:
    """unknown is Unknown; news.example and newsletter stay as they are."""
    return name_text(value) if value in _OWN_SOURCES else value
