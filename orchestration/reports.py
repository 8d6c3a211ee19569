"""Report files: the PDF of a selection, and the weekly one of every capsule in `exports/`.

Why it exists: the command line and the weekly job write the same file. It holds figures, nothing of a person.
Not here: what a report says (`app/report.py`), when the weekly ones are written (`schedules.py`).
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
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
