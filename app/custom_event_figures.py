"""Custom events: how often, by whom, and what their properties add up to.

Not here: Streamlit, formatting, the registry's metrics (`queries.py`).
"""

from typing import Any, Final

from app.breakdowns import dict_rows, has_tables
from app.publications import Publication
from app.relations import RELATIONS, SESSION_DIMENSIONS, Source, conditions
from app.selection import Selection, SelectionError, nearest

_PROPERTIES: Final = Source(
    "fct_custom_event_properties", "activity_date", "date_trunc('hour', occurred_at)",
    {**SESSION_DIMENSIONS, "event_name": "event_name"},
)  # fmt: skip


def custom_event_rows(
    publication: Publication, selection: Selection, event_name: str | None, property_name: str | None
) -> list[dict[str, Any]]:
    """Events by name; the properties of one event; the values of one of its properties.

    SelectionError for an event or a property that does not occur in the selection.
    """
    events = custom_events(publication, selection)
    if event_name is None:
        return events
    _check_occurs("custom event", event_name, [row["event_name"] for row in events])
    properties = event_properties(publication, selection, event_name)
    if property_name is None:
        return properties
    _check_occurs(f"property of {event_name}", property_name, [row["property_name"] for row in properties])
    return property_values(publication, selection, event_name, property_name)


def _check_occurs(what: str, name: str, known: list[str]) -> None:
    if name not in known:
        listed = f"There are {', '.join(known)}." if known else "There are none in this range."
        raise SelectionError(f"No {what} is named {name!r}{nearest(name, known)}. {listed}")


def custom_events(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    """Per name: events, distinct visitors and sessions; most frequent first."""
    if not has_tables(publication, "fct_custom_events"):
        return []
    parameters: dict[str, Any] = {}
    where = conditions(RELATIONS["custom_events"], selection, parameters)
    return dict_rows(
        publication,
        ("event_name", "event_count", "visitor_count", "session_count"),
        "select event_name, count(*) as event_count, count(distinct visitor_key), "
        f"count(distinct session_key) from marts.fct_custom_events where {where} group by event_name "
        "order by event_count desc, event_name",
        parameters,
    )


def event_properties(publication: Publication, selection: Selection, event_name: str) -> list[dict[str, Any]]:
    """Per property of one custom event: how often it was sent and by whom, and what its numbers are.

    `number_count` of the values read as numbers; sum, mean, median and 90th percentile are over those.
    """
    if not has_tables(publication, "fct_custom_event_properties"):
        return []
    parameters: dict[str, Any] = {"event": event_name}
    where = conditions(_PROPERTIES, selection, parameters)
    return dict_rows(
        publication,
        ("property_name", "event_count", "visitor_count", "value_count", "number_count", "sum", "mean",
         "median", "p90"),
        "select property_name, count(*), count(distinct visitor_key), count(distinct text_value), "
        "count(number_value), sum(number_value), avg(number_value), "
        "percentile_cont(0.5) within group (order by number_value), "
        "percentile_cont(0.9) within group (order by number_value) "
        f"from marts.fct_custom_event_properties where event_name = $event and {where} "
        "group by property_name order by property_name",
        parameters,
    )  # fmt: skip


def every_event_properties(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    """The rows of `event_properties` of every custom event, each under its name."""
    return [
        {"event_name": event["event_name"], **row}
        for event in custom_events(publication, selection)
        for row in event_properties(publication, selection, event["event_name"])
    ]


def property_values(
    publication: Publication, selection: Selection, event_name: str, property_name: str, limit: int = 20
) -> list[dict[str, Any]]:
    """The most frequent values of one property: events and distinct visitors."""
    if not has_tables(publication, "fct_custom_event_properties"):
        return []
    parameters: dict[str, Any] = {"event": event_name, "property": property_name, "limit": limit}
    where = conditions(_PROPERTIES, selection, parameters)
    return dict_rows(
        publication,
        ("value", "event_count", "visitor_count"),
        "select text_value, count(*) as event_count, count(distinct visitor_key) "
        "from marts.fct_custom_event_properties "
        f"where event_name = $event and property_name = $property and {where} "
        "group by text_value order by event_count desc, text_value limit $limit",
        parameters,
    )
