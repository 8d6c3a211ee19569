"""Why conversations end: what was said and shown last in those that were dropped.

Not here: Streamlit, formatting, how many end at which turn (`breakdowns.turn_drop_offs`).
"""

from typing import Any, Final

from app.breakdowns import dict_rows, has_tables
from app.publications import Publication
from app.relations import SESSION_DIMENSIONS, Source, conditions
from app.selection import Selection, SelectionError

_CONVERSATIONS: Final = Source(
    "fct_conversations", "session_date", "date_trunc('hour', started_at)", SESSION_DIMENSIONS
)
# What a conversation can be asked about its end: column, as text.
ENDINGS: Final = {
    "last_topic": "last_topic",
    "last_content": "last_content_id",
    "last_speaker": "last_speaker",
    "last_turn": "case when is_last_turn_unanswered then 'unanswered' else 'answered' end",
}


def conversation_endings(
    publication: Publication, selection: Selection, by: str = "last_topic", limit: int = 20
) -> list[dict[str, Any]]:
    """Per last topic, item, speaker or answer to the last turn: conversations, and how many were dropped.

    `drop_off_rate` is dropped / conversations; most dropped first.
    """
    if by not in ENDINGS:
        raise SelectionError(f"A conversation has no {by!r}. It has {', '.join(ENDINGS)}.")
    if not has_tables(publication, "fct_conversations"):
        return []
    parameters: dict[str, Any] = {"limit": limit}
    where = conditions(_CONVERSATIONS, selection, parameters)
    return dict_rows(
        publication,
        ("value", "conversation_count", "dropped_count", "finished_count", "drop_off_rate"),
        f"select {ENDINGS[by]} as ending, count(*) as conversation_count, "
        "count(*) filter (where not is_finished) as dropped_count, "
        "count(*) filter (where is_finished), "
        "cast(count(*) filter (where not is_finished) as double) / nullif(count(*), 0) "
        f"from marts.fct_conversations where {where} group by all "
        "order by dropped_count desc, conversation_count desc, ending limit $limit",
        parameters,
    )
