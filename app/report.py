"""What the report of a view says: texts, rows and charts, section by section as on the tabs. Pure.

Why it exists: the report shows the numbers of the screen because it asks the same questions and writes the
answers with the same functions; nothing is computed here.
Not here: paper (`report_pdf.py`, `report.typ`), Streamlit.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from app import breakdowns, charts, trend_charts
from app.about import about_view, capsules_text
from app.breakdowns import capsule_names, drawn_buckets, grain_of
from app.chart_parts import Chart
from app.content_figures import idle_content, video_items, video_retention
from app.content_over_time import content_buckets, content_titles
from app.conversation_figures import conversation_endings
from app.conversion_figures import (
    MODEL_NAMES,
    FunnelScope,
    attributed_revenue,
    conversion_rates,
    funnel_steps,
)
from app.figure_rows import figure_texts
from app.format import (
    count_text,
    duration_text,
    money_text,
    name_text,
    range_text,
    rate_text,
    score_text,
    source_text,
)
from app.heatmaps import content_heatmap, weekday_heatmap
from app.insights import insights
from app.metrics import METRICS_BY_ID
from app.publications import Publication
from app.queries import compare, metric_rows
from app.relevance_chart import relevance_against_use, relevance_points
from app.report_blocks import Asked, Block, table
from app.selection import Comparing, Selection
from app.tabs import FIGURES, RETURNING, TIMES

ITEMS_DRAWN: Final = 300
FUNNELS: Final[Mapping[FunnelScope, str]] = {"session": "a session", "visitor": "seven days"}


@dataclass(frozen=True)
class Report:
    """Plain values for the page and, by name, the charts that it places."""

    data: dict[str, Any]
    charts: dict[str, Chart]


def report(
    publication: Publication, selection: Selection, comparing: Comparing, generated_at: datetime
) -> Report:
    """The whole report of a selection; `generated_at` is an aware instant."""
    names = capsule_names(publication)
    found = compare(publication, selection, comparing)
    asked = Asked(publication, selection, found, names, {})
    sections = [
        {"title": "Overview", "blocks": _overview(asked)},
        {"title": "Traffic", "blocks": _traffic(asked)},
        {"title": "Engagement", "blocks": _engagement(asked)},
        {"title": "Content", "blocks": _content(asked)},
        {"title": "Conversions", "blocks": _conversions(asked)},
    ]
    data = {
        "title": "Engagement report",
        "subject": capsules_text(selection, names),
        "period": range_text(selection.date_from, selection.date_to)
        + (", so far" if found.earlier.is_so_far else ""),
        "facts": about_view(publication, selection, found.earlier, generated_at),
        "sections": sections,
        "definitions": [asdict(row) for row in figure_texts(found)],
    }
    return Report(data, asked.charts)


def _overview(asked: Asked) -> list[Block]:
    blocks = [
        asked.figures(FIGURES["Overview"]),
        *_trend(asked, "view_count"),
        *_trend(asked, "engagement_rate"),
    ]
    found = insights(asked.publication, asked.selection)
    if found:
        blocks.append({"kind": "heading", "text": "What changed"})
        blocks += [
            {
                "kind": "insight",
                "text": f"{asked.names.get(row['capsule_id'], row['capsule_id'])}: {row['sentence']}",
                "advice": row["recommendation"] or "",
                "evidence": row["evidence"] or "",
            }
            for row in found
        ]  # fmt: skip
    if len(asked.names) > 1 and len(asked.selection.capsules) != 1:
        blocks.append(
            asked.ranking(
                "capsule", "view_count", "Most viewed capsules", lambda key: asked.names.get(key, key)
            )
        )
    return blocks


def _trend(asked: Asked, metric_id: str) -> list[Block]:
    metric, earlier = METRICS_BY_ID[metric_id], asked.found.earlier
    grain = grain_of(asked.selection)

    def points_of(selection: Selection, is_so_far: bool) -> list[dict[str, Any]]:
        rows = metric_rows(asked.publication, selection, [grain], [metric_id])
        return drawn_buckets(asked.publication, rows, grain, selection, is_so_far)

    rows = points_of(asked.selection, earlier.is_so_far)
    before = points_of(replace(earlier.selection, until=None), False) if earlier.selection else []
    points = trend_charts.trend_points(rows, before, metric, grain, earlier.is_so_far)
    if all(point["value"] is None for point in points):
        return []
    title = f"{metric.label} by {grain}" + (", the earlier period dashed" if before else "")
    return [asked.chart(title, title, trend_charts.trend(points, metric, grain))]


def _traffic(asked: Asked) -> list[Block]:
    countries = breakdowns.country_names(asked.publication)
    parts = breakdowns.parts_over_time(asked.publication, asked.selection, "channel", "view_count")
    over_time = []
    if parts:
        order = [name_text(name) for name in breakdowns.part_order(parts)]
        named = [{**row, "part": name_text(row["part"])} for row in parts]
        drawn = trend_charts.parts_over_time(named, "part", "count", order, grain_of(asked.selection))
        title = "Views over time by channel"
        over_time.append(asked.chart(title, f"{title}: {', '.join(order)}", drawn))
    return [
        asked.figures(FIGURES["Traffic"]),
        *over_time,
        asked.beside(
            asked.ranking("channel", "session_count", "Sessions by channel"),
            asked.ranking("source", "session_count", "Sessions by source", source_text),
        ),
        asked.ranking(
            "country", "session_count", "Sessions by country", lambda key: countries.get(key, name_text(key))
        ),
        asked.beside(
            asked.ranking("device", "session_count", "Sessions by device"),
            asked.ranking("browser", "session_count", "Sessions by browser"),
        ),
        asked.ranking("campaign", "session_count", "Sessions by campaign", source_text),
    ]


def _engagement(asked: Asked) -> list[Block]:
    blocks = [asked.figures(FIGURES["Engagement"])]
    durations = breakdowns.session_durations(asked.publication, asked.selection)
    depths = breakdowns.conversation_depths(asked.publication, asked.selection)
    distributions = []
    for title, rows in (("Sessions by duration", durations), ("Sessions by turns", depths)):
        if any(row["session_count"] for row in rows):
            listed = "; ".join(f"{row['bucket']}: {row['session_count']:,}" for row in rows)
            drawn = charts.bars(rows, "bucket", "session_count", "Sessions", with_share=True)
            distributions.append(asked.chart(title, f"{title}. {listed}", drawn))
    if distributions:
        blocks.append(asked.beside(*distributions))
    reached = breakdowns.turn_drop_offs(asked.publication, asked.selection)
    if reached:
        title = "Conversations that go on or end, by turn"
        blocks.append(asked.chart(title, title, charts.drop_offs(reached)))
    blocks += table(
        "Where conversations end",
        [
            {
                "Turn": str(row["turn_number"]),
                "Reached": count_text(row["reached_count"]),
                "Ended, converted": count_text(row["finished_count"]),
                "Ended, not converted": count_text(row["dropped_count"]),
                "Drop-off rate": rate_text(row["drop_off_rate"]),
            }
            for row in reached
        ],
    )
    blocks += table(
        "Last topic of conversations",
        [
            {
                "Last topic": name_text(row["value"] or "unknown"),
                "Conversations": count_text(row["conversation_count"]),
                "Without a conversion": count_text(row["dropped_count"]),
                "Drop-off rate": rate_text(row["drop_off_rate"]),
            }
            for row in conversation_endings(asked.publication, asked.selection)
        ],
    )
    hours = breakdowns.weekday_hours(asked.publication, asked.selection)
    if any(row["session_count"] for row in hours):
        title = f"When people come: sessions started by weekday and hour, {asked.publication.timezone}"
        blocks.append(asked.chart(title, title, weekday_heatmap(hours, breakdowns.WEEKDAYS)))
    return [*blocks, asked.figures(RETURNING)]


def _content(asked: Asked) -> list[Block]:
    items = breakdowns.content_items(asked.publication, asked.selection)
    videos = video_items(asked.publication, asked.selection)
    searches = breakdowns.search_queries(asked.publication, asked.selection)
    idle = idle_content(asked.publication, asked.selection)
    tables = {
        "Content items": [
            {
                "Content item": row["content_title"], "Accesses": count_text(row["access_count"]),
                "Citations": count_text(row["citation_count"]),
                "Relevance": score_text(row["relevance_score"]),
            }
            for row in items
        ],
        "Videos": [
            {
                "Video": row["content_title"], "Plays": count_text(row["play_count"]),
                "Watched to the end": rate_text(row["completion_rate"]),
                "Watched per play": duration_text(row["watched_seconds_avg"]),
            }
            for row in videos
        ],
        "Searches": [
            {
                "Search": row["query"], "Searches": count_text(row["search_count"]),
                "Found nothing": rate_text(row["zero_result_rate"]),
                "Led to content": rate_text(row["followed_rate"]),
            }
            for row in searches
        ],
        "Content that lies unused": [
            {"Content item": row["content_title"] or row["content_id"],
             "State": "not opened" if row["state"] == "unused" else "gone cold"}
            for row in idle
        ],
    }  # fmt: skip
    blocks = [asked.figures(FIGURES["Content"]), *_content_charts(asked)]
    for title, rows in tables.items():
        blocks += table(title, rows)
    return blocks


def _content_charts(asked: Asked) -> list[Block]:
    blocks = []
    cells = content_buckets(asked.publication, asked.selection)
    if cells:
        titles = content_titles(asked.publication)
        named = [{**row, "item": titles.get(row["content"], row["content"])} for row in cells]
        drawn = content_heatmap(named, list(dict.fromkeys(row["item"] for row in named)))
        title = "When content is opened: the items opened most"
        blocks.append(asked.chart(title, title, drawn))
    points = relevance_points(breakdowns.content_items(asked.publication, asked.selection, ITEMS_DRAWN))
    if points:
        title = "Relevance against use; dashed lines are the middle of all items"
        blocks.append(asked.chart(title, title, relevance_against_use(points)))
    curve = video_retention(asked.publication, asked.selection)
    if curve:
        title = "How far videos are watched, of all plays"
        blocks.append(asked.chart(title, title, charts.curve(curve)))
    return blocks


def _conversions(asked: Asked) -> list[Block]:
    publication, selection = asked.publication, asked.selection
    blocks = [asked.figures(FIGURES["Conversions"]), *_trend(asked, "conversion_count")]
    for scope, within in FUNNELS.items():
        blocks += table(
            f"Funnel within {within}",
            [
                {
                    "Step": row["label"],
                    "Reached": count_text(row["count"]),
                    "Of all": rate_text(row["share"]),
                    "Lost before the next": rate_text(row["drop_off_rate"]),
                    "Median time": duration_text(row["median_seconds_to_step"]),
                }
                for row in funnel_steps(publication, selection, scope)
            ],
        )  # fmt: skip
    for title, by in (("kind", "conversion_type"), ("channel", "channel")):
        blocks += table(
            f"Conversion rate by {title}, with its 95% interval",
            [
                {
                    title.capitalize(): name_text(row[by]),
                    "Converting visitors": count_text(row["converting_visitor_count"]),
                    "Rate": rate_text(row["conversion_rate"]),
                    "Between": f"{rate_text(row['low'])} and {rate_text(row['high'])}"
                    + (", too few" if row["is_too_few"] else ""),
                }
                for row in conversion_rates(publication, selection, by)
                if row["visitor_count"] and (by == "channel" or row["converting_visitor_count"])
            ],
        )
    blocks.append(asked.figures(TIMES))
    blocks += table(
        "Calls to action",
        [
            {
                "Call to action": row["cta_id"] or "without an id",
                "Type": name_text(row["cta_type"] or "unknown"),
                "Impressions": count_text(row["impression_count"]),
                "Clicks": count_text(row["click_count"]),
                "Click-through rate": rate_text(row["click_through_rate"]),
            }
            for row in breakdowns.cta_performance(publication, selection)
        ],
    )
    return blocks + table(
        "Revenue by channel and attribution model", attribution_texts(publication, selection)
    )


def attribution_texts(publication: Publication, selection: Selection) -> list[dict[str, str]]:
    """One row per channel and currency that has any credit, one column per model, as people read money."""
    credits: dict[tuple[str, str], dict[str, float]] = {}
    for model in MODEL_NAMES:
        for row in attributed_revenue(publication, selection, model):
            if row["currency"] is not None:
                key = row["currency"], row["channel"] or "unknown"
                credits.setdefault(key, {})[model] = row["credit"]
    ranked = sorted(credits, key=lambda key: (key[0], -max(credits[key].values()), key[1]))
    return [
        {"Channel": name_text(channel)}
        | {
            name: money_text(credits[currency, channel].get(model, 0.0), currency)
            for model, name in MODEL_NAMES.items()
        }
        for currency, channel in ranked
        if any(credits[currency, channel].values())
    ]
