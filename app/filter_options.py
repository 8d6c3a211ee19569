"""What the filters offer: every channel, country and device of a publication, the most frequent first, and
the content items opened most.

Not here: Streamlit, what a filter does (`statements.py`).
"""

from typing import Final

from app.breakdowns import has_tables
from app.publications import Publication
from app.queries import rows_of
from app.relations import CONTENT_ACCESSES, RELATIONS
from app.selection import OPENED_CONTENT
from app.statements import Statement

SESSION_KEYS: Final = ("channel", "country", "device")
FILTER_KEYS: Final = (*SESSION_KEYS, OPENED_CONTENT)
# A list of thousands can't be read, and costs every run of a page; a table or a link takes any item.
MOST_ITEMS: Final = 200


def filter_options(publication: Publication) -> dict[str, list[str]]:
    """The values of each filter by sessions, most first; empty without sessions."""
    if not has_tables(publication, "fct_sessions"):
        return {key: [] for key in FILTER_KEYS}
    columns = RELATIONS["sessions"].dimensions
    return {OPENED_CONTENT: _content_items(publication)} | {
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
        for key in SESSION_KEYS
    }


def _content_items(publication: Publication) -> list[str]:
    if not has_tables(publication, "dim_content", CONTENT_ACCESSES):
        return []
    statement = Statement(
        "select content_id from marts.dim_content where access_count > 0 group by content_id "
        "order by sum(access_count) desc, content_id limit $most",
        {"most": MOST_ITEMS},
    )
    return [content_id for (content_id,) in rows_of(publication, statement)]
