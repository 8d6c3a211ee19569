"""The rows that a click-through rate is made of: how often calls to action were offered and taken.

Why it exists: a capsule that sends impressions is measured by them, any other by its sessions, and each must
be judged as a whole, whatever part of it is asked for.
Not here: the rate and its basis (`metrics.py`, `measures.py`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from app.relations import RELATIONS, Source, conditions, key_expression
from app.selection import TIME_KEYS, Selection

CTA_DIMENSIONS: Final = ("cta_type", "cta_id")


def cta_rows(source: Source, keys: Sequence[str], selection: Selection, parameters: dict[str, Any]) -> str:
    """Per key and capsule: how often a CTA was offered and taken.

    A capsule that sends impressions in the range is measured by them, any other by its sessions.
    """
    where = conditions(source, selection, parameters)
    named = "".join(f"taken.{key}_key, " for key in keys)
    keyed = "".join(f"{key_expression(source, key)} as {key}_key, " for key in keys)
    sending = _join_sending(keys, selection, parameters)
    rows = f"""(
        select {keyed}capsule_id as cta_capsule_id, session_key, view_count, cta_impression_count,
            cta_click_count
        from marts.{source.table} where {where}
    ) as taken {sending}"""
    # Sessions are put together only where they are asked about: grouping all costs ten times the sums.
    return f"""(
        select {named}cta_capsule_id, true as sends_impressions,
            sum(cta_impression_count) as offered_count,
            least(sum(cta_click_count), sum(cta_impression_count)) as reacted_count
        from {rows} where sends_impressions
        group by all
        union all by name
        select {named}cta_capsule_id, false as sends_impressions,
            count(*) filter (where is_viewing) as offered_count,
            least(count(*) filter (where is_clicking), count(*) filter (where is_viewing)) as reacted_count
        from (
            select {named}cta_capsule_id, session_key,
                max(view_count) > 0 as is_viewing, max(cta_click_count) > 0 as is_clicking
            from {rows} where not sends_impressions
            group by all
        ) as taken
        group by all
    )"""


def _join_sending(keys: Sequence[str], selection: Selection, parameters: dict[str, Any]) -> str:
    """Joins to `taken` whether its capsule sends impressions: in the days asked for, or in its time bucket.

    Asked of all events of the capsule, whatever the filters and whoever the bots: the clicks of one
    capsule and time are always divided by the same thing.
    """
    sessions = RELATIONS["activity"]
    everybody = replace(selection, filters={}, bots="include")
    where = conditions(sessions, everybody, parameters)
    times = [key for key in keys if key in TIME_KEYS]
    named = "".join(f"{key_expression(sessions, key)} as {key}_key, " for key in times)
    matched = "".join(f" and taken.{key}_key = sending.{key}_key" for key in times)
    return f"""left join (
            select {named}capsule_id as sending_capsule_id,
                sum(cta_impression_count) > 0 as sends_impressions
            from marts.{sessions.table} where {where} group by all
        ) as sending on taken.cta_capsule_id = sending.sending_capsule_id{matched}"""


def cta_hour_rows(
    source: Source, keys: Sequence[str], selection: Selection, parameters: dict[str, Any]
) -> str:
    """Per key and capsule: how often CTAs were shown and clicked, and how often offered and taken.

    The capsule is judged as a whole, not by the CTAs that are asked for: where it sends impressions, one
    that is never sent as shown was offered to nobody; elsewhere every session with a view was offered it.
    """
    sessions = RELATIONS["activity"]
    where, viewed = conditions(source, selection, parameters), conditions(sessions, selection, parameters)
    shared = [key for key in keys if key not in CTA_DIMENSIONS]
    named = "".join(f"{key_expression(source, key)} as {key}_key, " for key in keys)
    viewed_keys = "".join(f"{key_expression(sessions, key)} as {key}_key, " for key in shared)
    matched = "".join(f" and taken.{key}_key = viewed.{key}_key" for key in shared)
    return f"""(
        select taken.*, sending.sends_impressions,
            case when sending.sends_impressions then impression_count
                else coalesce(viewing_count, 0) end as offered_count,
            case when sending.sends_impressions then least(click_count, impression_count)
                else least(clicking_count, coalesce(viewing_count, 0)) end as reacted_count
        from (
            select {named}capsule_id as cta_capsule_id,
                sum(impression_count) as impression_count, sum(click_count) as click_count,
                count(distinct session_key) filter (where click_count > 0) as clicking_count
            from marts.{source.table} where {where} group by all
        ) as taken
        left join (
            select {viewed_keys}capsule_id as viewed_capsule_id,
                count(distinct session_key) filter (where view_count > 0) as viewing_count
            from marts.{sessions.table} where {viewed} group by all
        ) as viewed on taken.cta_capsule_id = viewed.viewed_capsule_id{matched}
        {_join_sending(keys, selection, parameters)}
    )"""
