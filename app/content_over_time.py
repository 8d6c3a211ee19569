"""When content is opened: the items opened most, by bucket of time. Rows for one heat map.

Not here: Streamlit, drawing, what is opened in all (`breakdowns.content_items`).
"""

from typing import Any

from app.breakdowns import drawn_buckets, grain_of, has_tables
from app.comparison import is_unfinished
from app.format import bucket_text, short_bucket_text, told_apart
from app.publications import Publication
from app.queries import metric_rows, rows_of
from app.selection import Selection
from app.statements import Statement


def content_buckets(
    publication: Publication, selection: Selection, largest: int = 12
) -> list[dict[str, Any]]:
    """Per item and bucket: accesses by a person; the items opened most come first.

    `content` is the item's id, which two capsules may share; they are then counted together.
    """
    if not has_tables(publication, "fct_content_accesses"):
        return []
    totals = metric_rows(publication, selection, ["content"], ["content_access_count"])
    ranked = sorted(totals, key=lambda row: (-(row["content_access_count"] or 0), row["content"]))
    kept = [row["content"] for row in ranked[:largest] if row["content_access_count"]]
    grain = grain_of(selection)
    rows = metric_rows(publication, selection, [grain, "content"], ["content_access_count"])
    drawn = drawn_buckets(publication, rows, grain, selection, is_unfinished(selection, publication))
    drawn.sort(key=lambda row: (kept.index(row["content"]) if row["content"] in kept else -1, row[grain]))
    return [
        {
            "content": row["content"],
            "start": row[grain],
            "when": bucket_text(row[grain], grain),
            "short": short_bucket_text(row[grain], grain),
            "access_count": row["content_access_count"] or 0,
        }
        for row in drawn
        if row["content"] in kept
    ]


def content_titles(publication: Publication) -> dict[str, str]:
    """A readable name by content id, told apart; an id that two capsules share keeps one title."""
    if not has_tables(publication, "dim_content"):
        return {}
    rows = rows_of(
        publication,
        Statement(
            "select content_id, min(content_title) from marts.dim_content "
            "where content_title is not null group by content_id",
            {},
        ),
    )
    return told_apart(dict(rows))
