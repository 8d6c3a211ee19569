"""What happened in the half hour before the newest event: people, and views by minute.

Not here: Streamlit; days and periods, which do not apply to now (`breakdowns.py`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.breakdowns import dict_rows, has_tables
from app.publications import Publication
from app.relations import SESSION_DIMENSIONS, Source, filter_conditions
from app.selection import Selection

MINUTES_SHOWN: Final = 30
# Who did something within these minutes is here now.
NOW_MINUTES: Final = 5
_MART: Final = "session_activity_minutely"


@dataclass(frozen=True)
class LiveFigures:
    """`minutes`: thirty rows of `start` (wall clock of the reporting zone, no zone) and `view_count`."""

    people_now: int
    people: int
    view_count: int
    minutes: tuple[dict[str, Any], ...]


def live_figures(publication: Publication, selection: Selection) -> LiveFigures | None:
    """The half hour up to the newest event, under the filters but not the days; None without the mart."""
    if publication.as_of is None or not has_tables(publication, _MART):
        return None
    last = publication.as_of.astimezone(UTC).replace(second=0, microsecond=0, tzinfo=None)
    parameters: dict[str, Any] = {"last": last}
    where = _conditions(selection, parameters)
    (totals,) = dict_rows(
        publication,
        ("people_now", "people"),
        f"select count(distinct visitor_key) filter (where activity_minute_at > $last - interval "
        f"'{NOW_MINUTES}' minute), count(distinct visitor_key) from marts.{_MART} where {where}",
        parameters,
    )
    views = {
        row["minute"]: row["view_count"]
        for row in dict_rows(
            publication,
            ("minute", "view_count"),
            f"select activity_minute_at, sum(view_count) from marts.{_MART} where {where} group by all",
            parameters,
        )
    }
    minutes = [last - timedelta(minutes=ago) for ago in reversed(range(MINUTES_SHOWN))]
    zone = ZoneInfo(publication.timezone)
    return LiveFigures(
        totals["people_now"],
        totals["people"],
        sum(views.values()),
        tuple({"start": _local(minute, zone), "view_count": views.get(minute, 0)} for minute in minutes),
    )


def _conditions(selection: Selection, parameters: dict[str, Any]) -> str:
    found = [f"activity_minute_at > $last - interval '{MINUTES_SHOWN}' minute"]
    if selection.capsules:
        parameters["capsules"] = list(selection.capsules)
        found.append("capsule_id = any($capsules)")
    if selection.bots != "include":
        found.append("is_bot" if selection.bots == "only" else "not is_bot")
    found += filter_conditions(Source(_MART, "", "", SESSION_DIMENSIONS), selection, parameters)
    return " and ".join(found)


def _local(minute: datetime, zone: ZoneInfo) -> datetime:
    return minute.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
