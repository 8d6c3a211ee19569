"""Whether what a reader names exists: a mistyped capsule or value is an error that names the nearest.

Why it exists: zeros for a word that occurs nowhere look like a bad day. The command line asks here first; the
dashboard, whose links may be older than its data, says so on its pages instead.
Not here: which dimensions there are (`selection.py`), what a filter does (`statements.py`).
"""

from collections.abc import Sequence
from typing import Final

from app.publications import Publication
from app.queries import reference_rows, rows_of, table_columns
from app.relations import RELATIONS, UNKNOWN, Source
from app.selection import OPENED_CONTENT, Selection, SelectionError, nearest
from app.statements import Statement

# Words that may be asked for before they occur: seed and column.
VOCABULARIES: Final = {
    "channel": ("channel_rules", "channel"),
    "country": ("countries", "country"),
    "device": ("device_types", "device"),
    "browser": ("browser_families", "browser"),
    "os": ("os_families", "os"),
    "conversion_type": ("conversion_types", "conversion_type"),
}
NAMES_SHOWN: Final = 12


def check_known(publication: Publication, selection: Selection) -> None:
    """SelectionError for a capsule or a value of a filter that no event and no seed has."""
    check_capsules(publication, selection.capsules)
    tables = table_columns(publication)
    for name, values in selection.filters.items():
        dimension = "content" if name == OPENED_CONTENT else name
        by_table = {
            source.table: source
            for source in RELATIONS.values()
            if dimension in source.dimensions and source.table in tables
        }
        for value in values:
            if value != UNKNOWN and value not in _vocabulary(publication, dimension):
                _check(publication, dimension, value, list(by_table.values()))


def check_capsules(publication: Publication, capsules: Sequence[str], *tables: str) -> None:
    """SelectionError for a capsule without an event, a catalogue entry or a row in one of `tables`."""
    columns = table_columns(publication)
    if "dim_capsules" not in columns:
        return
    sources = [
        Source(table, "", "", {"capsule": "capsule_id"})
        for table in ("dim_capsules", *tables)
        if "capsule_id" in columns[table]
    ]
    for capsule_id in capsules:
        _check(publication, "capsule", capsule_id, sources)


def _vocabulary(publication: Publication, dimension: str) -> set[str]:
    if dimension not in VOCABULARIES:
        return set()
    seed, column = VOCABULARIES[dimension]
    return {str(value) for (value,) in reference_rows(publication, seed, [column])}


def _check(publication: Publication, dimension: str, value: str, sources: list[Source]) -> None:
    """Looks for one row first: the list of all values is only read for the text of the error."""
    for source in sources:
        if rows_of(
            publication,
            Statement(
                f"select 1 from marts.{source.table} where {source.dimensions[dimension]} = $value limit 1",
                {"value": value},
            ),
        ):
            return
    known: set[str] = _vocabulary(publication, dimension)
    for source in sources:
        statement = f"select distinct {source.dimensions[dimension]} from marts.{source.table}"
        known |= {str(name) for (name,) in rows_of(publication, Statement(statement, {}))}
    names = sorted(known)
    listed = ", ".join(names[:NAMES_SHOWN]) + (" …" if len(names) > NAMES_SHOWN else "")
    raise SelectionError(
        f"No event has the {dimension.replace('_', ' ')} {value!r}{nearest(value, names)}. "
        + (f"There are {len(names):,}: {listed}." if names else "There are none yet.")
    )
