"""The marts as the registry reads them: their day and hour, what each can be cut by, its WHERE clause.

Values are bound, never written into the text; identifiers come from the constants of this module.
Not here: what is asked of a mart (`measures.py`), a whole statement (`statements.py`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.measures import Relation
from app.selection import OPENED_CONTENT, TIME_KEYS, Selection

UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Source:
    """A mart as the registry reads it: its day, the UTC hour within it, and what it can be cut by."""

    table: str
    day: str
    hour: str
    dimensions: Mapping[str, str]


SESSION_DIMENSIONS: Final = {"capsule": "capsule_id"} | {
    name: f"coalesce(nullif({name}, ''), '{UNKNOWN}')"
    for name in (
        "channel", "source", "campaign", "country", "device", "browser", "os", "visitor_tier"
    )
}  # fmt: skip


def _with(**columns: str) -> dict[str, str]:
    """The dimensions of the session and these of the mart's own; an empty value is unknown."""
    return SESSION_DIMENSIONS | {
        name: f"coalesce(nullif({column}, ''), '{UNKNOWN}')" for name, column in columns.items()
    }


CONTENT_ACCESSES: Final = "fct_content_accesses"
# Their rows are of one content item.
OF_CONTENT: Final = (CONTENT_ACCESSES, "fct_video_plays")

_CONVERSIONS: Final = Source(
    "fct_conversions", "conversion_date", "date_trunc('hour', converted_at)",
    _with(cta_type="cta_type", cta_id="cta_id", conversion_type="conversion_type"),
)  # fmt: skip

RELATIONS: Final[dict[Relation, Source]] = {
    "activity": Source(
        "session_activity_hourly", "activity_date", "activity_hour_at", SESSION_DIMENSIONS
    ),
    "sessions": Source(
        "fct_sessions", "session_date", "date_trunc('hour', started_at)", SESSION_DIMENSIONS
    ),
    "conversions": _CONVERSIONS,
    "first_conversions": _CONVERSIONS,
    "ctas": Source(
        "session_activity_hourly", "activity_date", "activity_hour_at", SESSION_DIMENSIONS
    ),
    "cta_hours": Source(
        "cta_activity_hourly", "activity_date", "activity_hour_at",
        _with(cta_type="cta_type", cta_id="cta_id"),
    ),
    "content": Source(
        "fct_content_accesses", "activity_date", "activity_hour_at",
        _with(content="content_id", content_type="content_type"),
    ),
    "turns": Source("fct_turns", "session_date", "session_hour_at", _with(topic="topic")),
    "topic_turns": Source(
        "fct_turns", "activity_date", "date_trunc('hour', asked_at)", _with(topic="topic")
    ),
    "leads": _CONVERSIONS,
    "searches": Source(
        "fct_searches", "activity_date", "activity_hour_at", _with(search_query="search_query")
    ),
    "videos": Source(
        "fct_video_plays", "activity_date", "activity_hour_at",
        _with(content="content_id", content_type="content_type"),
    ),
    "custom_events": Source(
        "fct_custom_events", "activity_date", "date_trunc('hour', occurred_at)",
        _with(event_name="event_name"),
    ),
}  # fmt: skip


def answers(relation: Relation, selection: Selection, by: Sequence[str], tables: Collection[str]) -> bool:
    """Whether a relation has the mart, every key and every filter that is asked for."""
    source = RELATIONS[relation]
    return (
        source.table in tables
        and all(key in source.dimensions or key in TIME_KEYS for key in by)
        and all(_knows(source, name, tables) for name in selection.filters)
    )


def _knows(source: Source, name: str, tables: Collection[str]) -> bool:
    return name in source.dimensions or (name == OPENED_CONTENT and CONTENT_ACCESSES in tables)


def key_expression(source: Source, key: str) -> str:
    if key == "hour":
        return source.hour
    if key == "day":
        return source.day
    if key in TIME_KEYS:
        return f"cast(date_trunc('{key}', {source.day}) as date)"
    return source.dimensions[key]


def conditions(source: Source, selection: Selection, parameters: dict[str, Any]) -> str:
    """The WHERE clause of a relation; adds the values it binds to `parameters`."""

    def bound(name: str, value: Any) -> str:
        parameters[name] = value
        return f"${name}"

    first, last = bound("date_from", selection.date_from), bound("date_to", selection.date_to)
    found = [f"{source.day} between {first} and {last}"]
    if selection.until is not None:
        until = bound("until", selection.until.replace(tzinfo=None))
        found.append(f"{source.hour} < {until}")
    if selection.capsules:
        found.append(f"capsule_id in ({_bound_list('capsule', selection.capsules, parameters)})")
    if selection.bots != "include":
        found.append("is_bot" if selection.bots == "only" else "not is_bot")
    found += filter_conditions(source, selection, parameters)
    return " and ".join(found)


def filter_conditions(source: Source, selection: Selection, parameters: dict[str, Any]) -> list[str]:
    """What the filters ask of a mart, as far as it knows them; adds the values it binds to `parameters`.

    An opened item chooses sessions: those in which a person opened it. Of accesses and plays it chooses
    its own.
    """
    found = []
    for name, values in selection.filters.items():
        if not values:
            continue
        # What no mart of a statement knows is not bound: DuckDB refuses a value without a place.
        if name in source.dimensions:
            listed = _bound_list(name, values, parameters)
            found.append(f"{source.dimensions[name]} in ({listed})")
        elif name == OPENED_CONTENT:
            listed = _bound_list(name, values, parameters)
            found.append(
                f"content_id in ({listed})"
                if source.table in OF_CONTENT
                else f"session_key in (select session_key from marts.{CONTENT_ACCESSES} "
                f"where not is_citation and content_id in ({listed}))"
            )
    return found


def _bound_list(name: str, values: Sequence[str], parameters: dict[str, Any]) -> str:
    """The names under which a list of values is bound."""
    marks = []
    for index, value in enumerate(values):
        parameters[f"{name}_{index}"] = value
        marks.append(f"${name}_{index}")
    return ", ".join(marks)
