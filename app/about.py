"""What every export says about itself: days, zone, filters, comparison, age of the data. Pure.

Not here: the figures (`queries.py`), the formats (`exports.py`, `report_pdf.py`).
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from app.breakdowns import capsule_names, country_names
from app.comparison import EarlierPeriod
from app.content_over_time import content_titles
from app.format import age_text, name_text, range_text
from app.publications import Publication
from app.queries import freshness
from app.selection import OPENED_CONTENT, Selection

BOTS_TEXT: Final = {"exclude": "left out", "include": "counted as well", "only": "only bots"}


def about_view(
    publication: Publication, selection: Selection, earlier: EarlierPeriod, generated_at: datetime
) -> dict[str, str]:
    """What every export says about itself: days, zone, filters, comparison, age of the data."""
    zone = ZoneInfo(publication.timezone)
    age = freshness(publication, generated_at)
    names = capsule_names(publication)
    return {
        "Period": range_text(selection.date_from, selection.date_to)
        + (", so far" if earlier.is_so_far else ""),
        "Time zone": publication.timezone,
        "Compared with": range_text(earlier.selection.date_from, earlier.selection.date_to)
        if earlier.selection
        else earlier.reason,
        "Capsules": capsules_text(selection, names),
        "Filters": _filters_text(publication, selection) or "none",
        "Sessions of bots": BOTS_TEXT[selection.bots],
        "Figures published": f"{publication.published_at.astimezone(zone):%Y-%m-%d %H:%M}, "
        f"{age_text(age.publication_age_seconds)}",
        "Newest event": f"{publication.as_of.astimezone(zone):%Y-%m-%d %H:%M}"
        if publication.as_of
        else "none",
        "Generated": f"{generated_at.astimezone(zone):%Y-%m-%d %H:%M}",
        "Publication": publication.id,
    }


def _filters_text(publication: Publication, selection: Selection) -> str:
    """Values as they are written in an address; countries and content items with their names."""
    named = {
        "country": country_names(publication) if selection.filters.get("country") else {},
        OPENED_CONTENT: content_titles(publication) if selection.filters.get(OPENED_CONTENT) else {},
    }

    def text(key: str, value: str) -> str:
        name = named.get(key, {}).get(value, value)
        return value if name == value else f"{name} ({value})"

    return "; ".join(
        f"{name_text(key)}: {', '.join(text(key, value) for value in values)}"
        for key, values in selection.filters.items()
        if values
    )


def about_loading(publication: Publication, generated_at: datetime) -> dict[str, str]:
    """What an export about loading says of itself: neither days nor filters apply to it."""
    zone = ZoneInfo(publication.timezone)
    age = freshness(publication, generated_at)
    return {
        "Period": "everything that was ever loaded",
        "Time zone": publication.timezone,
        "Filters": "none",
        "Figures published": f"{publication.published_at.astimezone(zone):%Y-%m-%d %H:%M}, "
        f"{age_text(age.publication_age_seconds)}",
        "Generated": f"{generated_at.astimezone(zone):%Y-%m-%d %H:%M}",
        "Publication": publication.id,
    }


def capsules_text(selection: Selection, names: Mapping[str, str]) -> str:
    if not selection.capsules:
        return "All capsules"
    return ", ".join(names.get(capsule_id, capsule_id) for capsule_id in selection.capsules)


def file_word(text: str) -> str:
    """A part of a file name for any text; two texts never become the same part."""
    word = re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-")[:60]
    if word == text:
        return word
    return f"{word}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".lstrip("-")
