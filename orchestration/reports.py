"""Report files: the PDF of a selection, and the weekly one of every capsule in `exports/`.

Why it exists: the command line and the weekly job write the same file. It holds figures, nothing of a person.
Not here: what a report says (`app/report.py`), when the weekly ones are written (`schedules.py`).
"""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from app.about import file_word
from app.breakdowns import capsule_names
from app.publications import Publication, current_publication
from app.queries import metric_values
from app.report import report
from app.report_pdf import report_pdf
from app.scope import EVERYTHING
from app.selection import Selection
from orchestration.settings import Settings

Say = Callable[[str], None]

_REPORT: Final = re.compile(
    r"report_(?P<capsule>.+)_(?P<first>\d{4}-\d\d-\d\d)_to_(?P<last>\d{4}-\d\d-\d\d)\.pdf"
)


def write_report(publication: Publication, selection: Selection, target: Path, now: datetime) -> None:
    """Writes the PDF of a selection, compared with the period before, whole or not at all."""
    made = report_pdf(report(publication, selection, "previous", now), now)
    draft = target.with_name(f".{target.name}.part")
    try:
        draft.write_bytes(made)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def last_whole_week(now: datetime, timezone: str) -> tuple[date, date]:
    """Monday and Sunday of the newest week that is over in the reporting zone."""
    today = now.astimezone(ZoneInfo(timezone)).date()
    monday = today - timedelta(days=today.weekday() + 7)
    return monday, monday + timedelta(days=6)


def write_weekly_reports(settings: Settings, now: datetime, say: Say) -> list[Path]:
    """One PDF for every capsule that had a visitor in the last whole week; returns the files.

    A file of that week is replaced: events may have come late. Raises `PublicationMissing`.
    """
    publication = current_publication(settings.published, EVERYTHING)
    first, last = last_whole_week(now, publication.timezone)
    settings.exports.mkdir(parents=True, exist_ok=True)
    written = []
    for capsule_id in capsule_names(publication):
        selection = Selection(first, last, (capsule_id,))
        if not metric_values(publication, selection, ["visitor_count"])["visitor_count"]:
            continue
        target = settings.exports / f"report_{file_word(capsule_id)}_{first}_to_{last}.pdf"
        write_report(publication, selection, target, now)
        say(f"Wrote {target.name}")
        written.append(target)
    return written


def redraw_reports(
    settings: Settings, capsules: Collection[str], first_day: date, last_day: date, now: datetime, say: Say
) -> int:
    """Writes the reports of `exports/` anew that cover any of the capsules and days; returns how many.

    One of a capsule that nobody visited any more is deleted.
    """
    count = 0
    for path, named, first, last in list(reports_of(settings, capsules, first_day, last_day)):
        publication = current_publication(settings.published, EVERYTHING)
        known = [one for one in named if one in capsule_names(publication)]
        say(f"Drawing {path.name} anew")
        if known:
            write_report(publication, Selection(first, last, tuple(known)), path, now)
        else:
            path.unlink()
        count += 1
    return count


def reports_of(
    settings: Settings, capsules: Collection[str], first_day: date, last_day: date
) -> Iterator[tuple[Path, list[str], date, date]]:
    """The reports of `exports/` that cover any of the capsules and days: file, capsules, first and last day.

    The days before a report, which it compares with, are covered too.
    """
    for path in sorted(settings.exports.glob("*.pdf")):
        found = _REPORT.match(path.name)
        named = [one for one in capsules if found and file_word(one) == found["capsule"]]
        if not found or not named:
            continue
        first, last = date.fromisoformat(found["first"]), date.fromisoformat(found["last"])
        # Events have UTC days, a report those of the reporting zone.
        from_day = first - (last - first) - timedelta(days=2)
        if first_day <= last + timedelta(days=1) and last_day >= from_day:
            yield path, named, first, last
