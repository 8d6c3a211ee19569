"""What the tabs show beside the registry's metrics: distributions and rankings.

Each function answers with plain rows (dicts) for one chart or table, from one mart, and an empty
list when the publication lacks it. Values are bound, identifiers are constants.
Not here: Streamlit, formatting, the registry's metrics (`queries.py`), loading (`accounting.py`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from app.comparison import is_unfinished
from app.format import told_apart
from app.publications import Publication
from app.queries import finite, metric_rows, metric_values, reference_rows, rows_of, table_columns
from app.relations import RELATIONS, conditions
from app.selection import Selection
from app.statements import Statement

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# METRICS.md, "Session duration": upper bounds in seconds, inclusive; the last has none.
DURATION_BUCKETS: Final = (
    ("0 s", 0), ("1–10 s", 10), ("11–30 s", 30), ("31–60 s", 60), ("1–3 min", 180),
    ("3–10 min", 600), ("10–30 min", 1800), ("over 30 min", None),
)  # fmt: skip
# METRICS.md, "Depth".
TURN_BUCKETS: Final = (
    ("0", 0), ("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5), ("6–10", 10), ("11–20", 20),
    ("21+", None),
)  # fmt: skip
OTHER: Final = "other"


def has_tables(publication: Publication, *tables: str) -> bool:
    return all(table in table_columns(publication) for table in tables)


def dict_rows(
    publication: Publication, columns: Sequence[str], sql: str, parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    """The rows of a statement with these names for its columns, fit for JSON."""
    return [
        {name: finite(value) for name, value in zip(columns, row, strict=True)}
        for row in rows_of(publication, Statement(sql, parameters))
    ]


def _bucketed(
    publication: Publication,
    selection: Selection,
    measure: str,
    buckets: Sequence[tuple[str, int | None]],
) -> list[dict[str, Any]]:
    """Sessions per bucket of `measure`, every bucket present, with the share of all sessions."""
    if not has_tables(publication, "fct_sessions"):
        return []
    branches = " ".join(
        f"when {measure} <= {bound} then {index}"
        for index, (_, bound) in enumerate(buckets)
        if bound is not None
    )
    parameters: dict[str, Any] = {}
    where = conditions(RELATIONS["sessions"], selection, parameters)
    found = dict(
        rows_of(
            publication,
            Statement(
                f"select case {branches} else {len(buckets) - 1} end as bucket, count(*) "
                f"from marts.fct_sessions where {where} group by all",
                parameters,
            ),
        )
    )
    total = sum(found.values())
    return [
        {
            "bucket": name,
            "session_count": found.get(index, 0),
            "share": found.get(index, 0) / total if total else None,
        }
        for index, (name, _) in enumerate(buckets)
    ]


def session_durations(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    return _bucketed(publication, selection, "session_seconds", DURATION_BUCKETS)


def conversation_depths(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    return _bucketed(publication, selection, "turn_count", TURN_BUCKETS)


def weekday_hours(publication: Publication, selection: Selection) -> list[dict[str, Any]]:
    """Sessions started per weekday and hour of the reporting zone, on an average such hour."""
    if not has_tables(publication, "fct_sessions"):
        return []
    totals: dict[tuple[int, int], int] = defaultdict(int)
    occurrences: dict[tuple[int, int], int] = defaultdict(int)
    for row in metric_rows(publication, selection, ["hour"], ["session_count"]):
        cell = (row["hour"].weekday(), row["hour"].hour)
        totals[cell] += row["session_count"]
        occurrences[cell] += 1
    return [
        {
            "weekday": WEEKDAYS[weekday],
            "hour": hour,
            "session_count": totals[weekday, hour],
            "sessions_per_hour": totals[weekday, hour] / occurrences[weekday, hour],
        }
        for weekday, hour in sorted(occurrences)
    ]


def turn_drop_offs(publication: Publication, selection: Selection, turns: int = 15) -> list[dict[str, Any]]:
    """Per turn number: sessions that reached it, and those of them that ended there unconverted."""
    if not has_tables(publication, "conversation_depth_daily"):
        return []
    parameters: dict[str, Any] = {"turns": turns}
    where = range_conditions("session_date", selection, parameters)
    where += " and turn_number between 1 and $turns"
    return dict_rows(
        publication,
        (
            "turn_number",
            "reached_count",
            "dropped_count",
            "finished_count",
            "continued_count",
            "drop_off_rate",
        ),
        "select turn_number, sum(reached_count), sum(dropped_count), sum(finished_count), "
        "sum(reached_count) - sum(dropped_count) - sum(finished_count), "
        "cast(sum(dropped_count) as double) / nullif(sum(reached_count), 0) "
        f"from marts.conversation_depth_daily where {where} group by all order by turn_number",
        parameters,
    )


def range_conditions(day: str, selection: Selection, parameters: dict[str, Any]) -> str:
    """The condition of a daily rollup, which knows days, capsules and bots but no sources."""
    parameters |= {"date_from": selection.date_from, "date_to": selection.date_to}
    found = [f"{day} between $date_from and $date_to"]
    if selection.capsules:
        parameters["capsules"] = list(selection.capsules)
        found.append("capsule_id = any($capsules)")
    if selection.bots != "include":
        found.append("is_bot" if selection.bots == "only" else "not is_bot")
    return " and ".join(found)


def content_items(publication: Publication, selection: Selection, limit: int = 100) -> list[dict[str, Any]]:
    """The content items most opened in the range, by how many distinct sessions and visitors.

    Those two are counted over the whole range, never added up from days; None without the mart of accesses.
    """
    if not has_tables(publication, "content_engagement_daily", "dim_content"):
        return []
    parameters: dict[str, Any] = {"limit": limit}
    where = range_conditions("activity_date", selection, parameters)
    people = "select null as capsule_id, null as content_id, null as session_count, null as visitor_count"
    if has_tables(publication, "fct_content_accesses"):
        people = (
            "select capsule_id, content_id, count(distinct session_key) as session_count, "
            "count(distinct visitor_key) as visitor_count from marts.fct_content_accesses "
            f"where not is_citation and {where} group by all"
        )
    return dict_rows(
        publication,
        ("capsule_id", "content_id", "content_title", "content_type", "access_count",
         "session_count", "visitor_count", "citation_count", "relevance_score", "relevance_score_count"),
        f"with people as ({people}), "
        "used as (select capsule_id, content_id, sum(access_count) as access_count, "
        "sum(citation_count) as citation_count, "
        "cast(sum(relevance_score_sum) as double) / nullif(sum(relevance_score_count), 0) "
        "as relevance_score, sum(relevance_score_count) as relevance_score_count "
        f"from marts.content_engagement_daily where {where} group by all) "
        "select used.capsule_id, used.content_id, "
        "coalesce(dim_content.content_title, used.content_id), dim_content.content_type, "
        "used.access_count, coalesce(people.session_count, 0), coalesce(people.visitor_count, 0), "
        "used.citation_count, used.relevance_score, used.relevance_score_count from used "
        "left join people "
        "on people.capsule_id = used.capsule_id and people.content_id = used.content_id "
        "left join marts.dim_content "
        "on dim_content.capsule_id = used.capsule_id and dim_content.content_id = used.content_id "
        "order by used.access_count desc, used.citation_count desc, used.content_id limit $limit",
        parameters,
    )  # fmt: skip


def search_queries(publication: Publication, selection: Selection, limit: int = 100) -> list[dict[str, Any]]:
    """What people looked for most, with the shares that found nothing and that led to content."""
    if not has_tables(publication, "fct_searches"):
        return []
    parameters: dict[str, Any] = {"limit": limit}
    where = conditions(RELATIONS["searches"], selection, parameters)
    return dict_rows(
        publication,
        ("query", "search_count", "session_count", "zero_result_count", "zero_result_rate",
         "followed_rate"),
        "select search_query, count(*) as search_count, count(distinct session_key), "
        "count(*) filter (where is_zero_result), "
        "cast(count(*) filter (where is_zero_result) as double) / nullif(count(*), 0), "
        "cast(count(*) filter (where is_followed_by_access) as double) / nullif(count(*), 0) "
        f"from marts.fct_searches where {where} "
        "group by search_query order by search_count desc, search_query limit $limit",
        parameters,
    )  # fmt: skip


def cta_performance(publication: Publication, selection: Selection, limit: int = 50) -> list[dict[str, Any]]:
    """Every call to action with impressions, clicks and the rate between them, never above 1.

    `ctr_basis`: `impressions` where its capsule sends any in the range, whoever saw them, else `sessions`
    (with a click of those with a view).
    """
    if not has_tables(publication, "cta_activity_hourly", "session_activity_hourly"):
        return []
    parameters: dict[str, Any] = {"limit": limit}
    source = RELATIONS["cta_hours"]
    where = conditions(source, selection, parameters)
    viewed = conditions(RELATIONS["activity"], selection, parameters)
    everybody = conditions(RELATIONS["activity"], replace(selection, filters={}, bots="include"), parameters)
    return dict_rows(
        publication,
        ("capsule_id", "cta_id", "cta_type", "impression_count", "click_count", "ctr_basis",
         "click_through_rate", "conversion_count"),
        "with taken as (select capsule_id, cta_id, cta_type, "
        "sum(impression_count) as impression_count, sum(click_count) as click_count, "
        "sum(conversion_count) as conversion_count, "
        "count(distinct session_key) filter (where click_count > 0) as clicking_count "
        f"from marts.{source.table} where {where} group by all), "
        "sending as (select capsule_id, sum(cta_impression_count) > 0 as sends_impressions "
        f"from marts.session_activity_hourly where {everybody} group by all), "
        "viewed as (select capsule_id, "
        "count(distinct session_key) filter (where view_count > 0) as viewing_count "
        f"from marts.session_activity_hourly where {viewed} group by all) "
        "select taken.capsule_id, cta_id, cta_type, impression_count, click_count, "
        "case when sends_impressions then 'impressions' else 'sessions' end, "
        "case when sends_impressions "
        "then cast(least(click_count, impression_count) as double) / nullif(impression_count, 0) "
        "else cast(least(clicking_count, viewing_count) as double) / nullif(viewing_count, 0) end, "
        "conversion_count from taken left join sending on sending.capsule_id = taken.capsule_id "
        "left join viewed on viewed.capsule_id = taken.capsule_id "
        "order by click_count desc, taken.capsule_id, cta_id limit $limit",
        parameters,
    )  # fmt: skip


def bots_left_out(publication: Publication, selection: Selection) -> dict[str, Any]:
    """Sessions, visitors and views of bots in the range, whatever the reader chose about bots."""
    return metric_values(
        publication,
        replace(selection, bots="only"),
        ("session_count", "visitor_count", "view_count"),
    )


def capsule_names(publication: Publication) -> dict[str, str]:
    """Every capsule id with its name, told apart from others; its id where the catalogue has none."""
    if not has_tables(publication, "dim_capsules"):
        return {}
    rows = rows_of(
        publication,
        Statement(
            "select capsule_id, coalesce(nullif(capsule_name, ''), capsule_id) as name "
            "from marts.dim_capsules order by lower(name), capsule_id",
            {},
        ),
    )
    return told_apart(dict(rows))


def country_names(publication: Publication) -> dict[str, str]:
    """English names by ISO code from the seed `countries`; codes stay codes in a publication without it."""
    return dict(reference_rows(publication, "countries", ("country", "country_name")))


def whole_buckets(
    rows: Sequence[dict[str, Any]], grain: str, selection: Selection, is_so_far: bool
) -> list[dict[str, Any]]:
    """Without weeks and months of which the range holds only a part: they would look like a fall.

    The last one stays while the period is not over; charts draw it as unfinished.
    """
    if grain not in ("week", "month"):
        return list(rows)
    after = selection.date_to + timedelta(days=1)
    ends_whole = after.weekday() == 0 if grain == "week" else after.day == 1
    kept = [row for row in rows if row[grain] >= selection.date_from]
    return kept if ends_whole or is_so_far else kept[:-1]


def drawn_buckets(
    publication: Publication,
    rows: Sequence[dict[str, Any]],
    grain: str,
    selection: Selection,
    is_so_far: bool,
) -> list[dict[str, Any]]:
    """Whole buckets from the one of the first event on: before it nothing was measured, not zero."""
    first = publication.first_event_date
    if first is None:
        return []
    begin = {
        "week": first - timedelta(days=first.weekday()),
        "month": first.replace(day=1),
    }.get(grain, first)
    return [
        row
        for row in whole_buckets(rows, grain, selection, is_so_far)
        if (row[grain].date() if grain == "hour" else row[grain]) >= begin
    ]


def parts_over_time(
    publication: Publication, selection: Selection, key: str, metric_id: str, largest: int = 7
) -> list[dict[str, Any]]:
    """An additive metric per bucket of time and value of `key`; small values are one part, other.

    A bucket that is not over is left out, unless it is the only one.
    """
    grain = grain_of(selection)
    totals = {
        row[key]: row[metric_id] or 0 for row in metric_rows(publication, selection, [key], [metric_id])
    }
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    kept = ranked if len(ranked) <= largest + 1 else ranked[:largest]
    names = kept if len(kept) == len(ranked) else [*kept, OTHER]
    sums: dict[tuple[Any, str], int] = defaultdict(int)
    rows = metric_rows(publication, selection, [grain, key], [metric_id])
    is_so_far = is_unfinished(selection, publication)
    drawn = drawn_buckets(publication, rows, grain, selection, is_so_far)
    # Stacked areas can't show that a bucket is not over; its end would look like a fall to nothing.
    newest = max((row[grain] for row in drawn), default=None) if is_so_far else None
    has_others = len({row[grain] for row in drawn}) > 1
    for row in drawn:
        if has_others and row[grain] == newest:
            continue
        sums[row[grain], row[key] if row[key] in kept else OTHER] += row[metric_id] or 0
    return [
        {"start": start, "part": part, "count": count, "rank": names.index(part)}
        for (start, part), count in sums.items()
    ]


def part_order(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The parts of `parts_over_time` from the largest to other."""
    return list(dict.fromkeys(row["part"] for row in sorted(rows, key=lambda row: row["rank"])))


def grain_of(selection: Selection) -> str:
    """How finely a trend is drawn: hours of one day, days of a quarter, weeks of a year, months."""
    if selection.day_count == 1:
        return "hour"
    if selection.day_count <= 100:
        return "day"
    return "week" if selection.day_count <= 400 else "month"
