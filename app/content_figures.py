"""What lies unused, how far videos are watched, what searches lead to: what the tab Content shows.

Each function answers with plain rows (dicts) for one chart or table, and an empty list when the
publication lacks the mart.
Not here: Streamlit, formatting, the registry's metrics (`queries.py`).
"""

from dataclasses import replace
from typing import Any, Final

from app.breakdowns import dict_rows, has_tables
from app.publications import Publication
from app.relations import RELATIONS, conditions
from app.selection import OPENED_CONTENT, Selection

# METRICS.md, "Unused content".
DAYS_UNTIL_UNUSED: Final = 14
CURVE_STEPS: Final = 20


def idle_content(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    """Catalogued items nobody opened in the range (`unused`), and items nobody opens any more (`cold`).

    Unused are items published at least 14 days before the end of the range (an unknown day counts as
    long ago); cold ones were opened once, but not in the 30 days before the newest event. An item that
    is both is cold. By capsule and title.
    """
    if not has_tables(publication, "content_status", "fct_content_accesses"):
        return []
    parameters: dict[str, Any] = {"days": DAYS_UNTIL_UNUSED, "end": selection.date_to}
    # An item that was chosen by hand would make all the others look unused.
    filters = {name: values for name, values in selection.filters.items() if name != OPENED_CONTENT}
    where = conditions(RELATIONS["content"], replace(selection, filters=filters), parameters)
    capsules = ""
    if selection.capsules:
        parameters["chosen"] = list(selection.capsules)
        capsules = "and status.capsule_id = any($chosen) "
    return dict_rows(
        publication,
        ("capsule_id", "content_id", "content_title", "content_type", "state", "published_at",
         "last_accessed_at"),
        "with used as (select distinct capsule_id, content_id from marts.fct_content_accesses "
        f"where not is_citation and {where}) "
        "select status.capsule_id, status.content_id, status.content_title, status.content_type, "
        "case when status.is_cold then 'cold' else 'unused' end as state, status.published_at, "
        "status.last_accessed_at from marts.content_status as status "
        "anti join used on used.capsule_id = status.capsule_id and used.content_id = status.content_id "
        "where (status.is_cold or (status.is_catalogued "
        "and coalesce(cast(status.published_at as date) <= $end - cast($days as integer), true))) "
        f"{capsules}order by status.capsule_id, status.content_title, status.content_id",
        parameters,
    )  # fmt: skip


def video_items(publication: Publication, selection: Selection, limit: int = 50) -> list[dict[str, Any]]:
    """Videos by plays: how often, how long and how often to the end they were watched."""
    if not has_tables(publication, "fct_video_plays", "dim_content"):
        return []
    parameters: dict[str, Any] = {"limit": limit}
    where = conditions(RELATIONS["videos"], selection, parameters)
    return dict_rows(
        publication,
        ("capsule_id", "content_id", "content_title", "play_count", "completion_rate",
         "watched_seconds_avg", "watched_share_avg"),
        "with plays as (select capsule_id, content_id, count(*) as play_count, "
        "cast(count(*) filter (where is_completed) as double) / nullif(count(*), 0) as completion_rate, "
        "avg(watched_seconds) as watched_seconds_avg, avg(watched_share) as watched_share_avg "
        f"from marts.fct_video_plays where {where} group by all) "
        "select plays.capsule_id, plays.content_id, "
        "coalesce(dim_content.content_title, plays.content_id), plays.play_count, "
        "plays.completion_rate, plays.watched_seconds_avg, plays.watched_share_avg from plays "
        "left join marts.dim_content on dim_content.capsule_id = plays.capsule_id "
        "and dim_content.content_id = plays.content_id "
        "order by plays.play_count desc, plays.capsule_id, plays.content_id limit $limit",
        parameters,
    )  # fmt: skip


def video_retention(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    """The drop-off curve: per twentieth of a video, plays that watched that far. It never rises.

    Plays of which nothing is known are left out; filter by `content` for one video.
    """
    if not has_tables(publication, "fct_video_plays"):
        return []
    parameters: dict[str, Any] = {"steps": CURVE_STEPS}
    where = conditions(RELATIONS["videos"], selection, parameters)
    rows = dict_rows(
        publication,
        ("position_share", "play_count", "known_count"),
        "with plays as (select furthest_share from marts.fct_video_plays "
        f"where furthest_share is not null and {where}) "
        "select cast(step as double) / $steps as position_share, "
        "count(*) filter (where round(furthest_share * $steps, 9) >= step), count(*) "
        "from plays cross join range(0, $steps + 1) as steps (step) group by step order by step",
        parameters,
    )
    return [
        {
            "position_share": row["position_share"],
            "play_count": row["play_count"],
            "share": row["play_count"] / row["known_count"],
        }
        for row in rows
    ]
