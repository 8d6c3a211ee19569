"""What changed, in sentences: the insights of the publication, for the capsules a reader chose.

Not here: how they are found (`models/marts/core/insights.sql`), Streamlit.
"""

from typing import Any, Final

from app.breakdowns import dict_rows, has_tables
from app.publications import Publication
from app.selection import Selection

MOST_INSIGHTS: Final = 5


def insights(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    """At most five insights of the chosen capsules, the surest first.

    They are about the seven whole days before the newest event, whatever range is chosen; the link
    leads to the tab that shows those days.
    """
    if not has_tables(publication, "insights"):
        return []
    parameters: dict[str, Any] = {"limit": MOST_INSIGHTS}
    where = "true"
    if selection.capsules:
        parameters["capsules"] = list(selection.capsules)
        where = "capsule_id = any($capsules)"
    columns = (
        "capsule_id", "metric", "direction", "sentence", "recommendation", "evidence", "link",
        "period_from", "period_to",
    )  # fmt: skip
    return dict_rows(
        publication,
        columns,
        f"select {', '.join(columns)} from marts.insights where {where} "
        "order by p_value, insight_rank, capsule_id, metric limit $limit",
        parameters,
    )
