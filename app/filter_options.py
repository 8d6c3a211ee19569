"""What the filters offer: every channel, country and device of a publication, the most frequent first.

Not here: Streamlit, what a filter does (`statements.py`).
"""

from typing import Final

from app.breakdowns import has_tables
from app.publications import Publication
from app.queries import rows_of
from app.relations import RELATIONS
from app.statements import Statement

FILTER_KEYS: Final = ("channel", "country", "device")


def filter_options(publication: Publication) -> dict[str, list[str]]:
    """The values of each filter by sessions, most first; empty without sessions."""
    if not has_tables(publication, "fct_sessions"):
        return {key: [] for key in FILTER_KEYS}
    columns = RELATIONS["sessions"].dimensions
    return {
        key: [
            str(value)
            for value, _ in rows_of(
                publication,
                Statement(
                    f"select {columns[key]} as value, count(*) as session_count from marts.fct_sessions "
                    "group by all order by session_count desc, value",
                    {},
                ),
            )
        ]
        for key in FILTER_KEYS
    }
