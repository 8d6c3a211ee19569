"""What sessions say of consent: how many agreed to be recognised, refused, or said nothing.

Why it exists: a share of unknown visitors is read rightly only beside what people were asked and answered.
Plain rows from `fct_sessions`; empty when the publication was made before answers were kept.
Not here: who a visitor is (`visitor_tier`), Streamlit, formatting.
"""

from typing import Any, Final

from app.breakdowns import dict_rows
from app.publications import Publication
from app.queries import table_columns
from app.relations import RELATIONS
from app.selection import Selection
from app.statements import conditions

ANSWERS: Final = ("given", "refused", "unknown")
CAPSULES_SHOWN: Final = 200


def consent_shares(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    """Sessions started in the range by what they last said of consent, every answer present, with its share.

    Empty when no session started.
    """
    if "consent" not in table_columns(publication).get("fct_sessions", ()):
        return []
    parameters: dict[str, Any] = {}
    where = conditions(RELATIONS["sessions"], selection, parameters)
    found = dict_rows(
        publication,
        ("consent", "session_count"),
        f"select consent, count(*) from marts.fct_sessions where {where} group by consent",
        parameters,
    )
    counts = {row["consent"]: row["session_count"] for row in found}
    total = sum(counts.values())
    return [
        {"consent": answer, "session_count": counts.get(answer, 0), "share": counts.get(answer, 0) / total}
        for answer in ANSWERS
        if total
    ]


def consent_by_capsule(
    publication: Publication, selection: Selection, limit: int = CAPSULES_SHOWN
) -> list[dict[str, Any]]:
    """Sessions of each capsule and the shares of each answer, the most visited first."""
    if "consent" not in table_columns(publication).get("fct_sessions", ()):
        return []
    parameters: dict[str, Any] = {"capsules_shown": limit}
    where = conditions(RELATIONS["sessions"], selection, parameters)
    shares = ", ".join(
        f"cast(count(*) filter (where consent = '{answer}') as double) / count(*)" for answer in ANSWERS
    )
    return dict_rows(
        publication,
        ("capsule_id", "session_count", *(f"{answer}_share" for answer in ANSWERS)),
        f"select capsule_id, count(*) as session_count, {shares} from marts.fct_sessions where {where} "
        "group by capsule_id order by session_count desc, capsule_id limit $capsules_shown",
        parameters,
    )
