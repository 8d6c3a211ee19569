"""What the report of a view says: texts, rows and charts, section by section as on the tabs. Pure.

Why it exists: the report shows the numbers of the screen because it asks the same questions and writes the
answers with the same functions; nothing is computed here.
Not here: paper (`report_pdf.py`, `report.typ`), Streamlit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from app import breakdowns, charts, trend_charts
from app.about import about_view, capsules_text
from app.breakdowns import capsule_names, drawn_buckets, grain_of
from app.chart_parts import Chart
from app.content_figures import idle_content, video_items
from app.conversion_figures import MODEL_NAMES, attributed_revenue, conversion_rates, funnel_steps
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
from app.insights import insights
from app.metrics import METRICS_BY_ID
from app.publications import Publication
from app.queries import Comparison, compare, metric_rows
from app.selection import Comparing, Selection
from app.tabs import FIGURES

ROWS_OF_A_TABLE: Final = 15
BARS: Final = 10
# Pixels of a chart, its labels included.
FULL_WIDTH: Final = 620
HALF_WIDTH: Final = 300

Block = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """Plain values for the page and, by name, the charts that it places."""

    data: dict[str, Any]
    charts: dict[str, Chart]


@dataclass(frozen=True)
class _Asked:
    publication: Publication
    selection: Selection
    found: Comparison
    names: Mapping[str, str]
    charts: dict[str, Chart]

    def chart(self, title: str, alt: str, drawn: Chart) -> Block:
        name = f"chart-{len(self.charts) + 1}"
        self.charts[name] = drawn.properties(width=FULL_WIDTH)
        return {"kind": "chart", "title": title, "alt": alt, "name": name}

    def beside(self, *blocks: Block) -> Block:
        """Two charts in one row, each drawn for half the width of the page."""
        for block in blocks:
            if block["kind"] == "chart":
                self.charts[block["name"]] = self.charts[block["name"]].properties(width=HALF_WIDTH)
        return {"kind": "pair", "parts": list(blocks)}

    def figures(self, tab: str) -> Block:
        return {
            "kind": "figures", "rows": [asdict(row) for row in figure_texts(self.found, FIGURES[tab])]
        }  # fmt: skip

    def ranking(self, key: str, metric_id: str, title: str, word: Callable[[str], str] = name_text) -> Block:
        rows = metric_rows(self.publication, self.selection, [key], [metric_id])
        counted = sorted((row for row in rows if row[metric_id]), key=lambda row: (-row[metric_id], row[key]))
        named = [{**row, "name": word(row[key])} for row in counted[:BARS]]
        label = METRICS_BY_ID[metric_id].label
        if not named:
            return _sentence(f"{title}: nothing in this period.")
        drawn = charts.bars(named, "name", metric_id, label, METRICS_BY_ID[metric_id].unit)
        left_out = len(counted) - len(named)
        note = f" (the largest {len(named)} of {len(counted)})" if left_out > 0 else ""
        listed = "; ".join(f"{row['name']} {row[metric_id]:,}" for row in named)
        return self.chart(f"{title}{note}", f"{label}: {listed}", drawn)


def report(
    publication: Publication, selection: Selection, comparing: Comparing, generated_at: datetime
) -> Report:
    """The whole report of a selection; `generated_at` is an aware instant."""
    names = capsule_names(publication)
    found = compare(publication, selection, comparing)
    asked = _Asked(publication, selection, found, names, {})
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


def _sentence(text: str) -> Block:
    return {"kind": "text", "text": text}


def _table(title: str, rows: Sequence[Mapping[str, str]], shown: int = ROWS_OF_A_TABLE) -> list[Block]:
    """A table with the keys of its rows as header; the first column is text, the others numbers."""
    if not rows:
        return [_sentence(f"{title}: nothing in this period.")]
    note = f" (the first {shown} of {len(rows):,})" if len(rows) > shown else ""
    return [
        {
            "kind": "table",
            "title": f"{title}{note}",
            "columns": list(rows[0]),
            "rows": [list(row.values()) for row in rows[:shown]],
        }
    ]


def _overview(asked: _Asked) -> list[Block]:
    blocks = [asked.figures("Overview"), *_trend(asked, "view_count"), *_trend(asked, "engagement_rate")]
    found = insights(asked.publication, asked.selection)
    if found:
        blocks.append({"kind": "heading", "text": "What changed"})
        blocks += [
            {
                "kind": "insight", "text": row["sentence"], "advice": row["recommendation"] or "",
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


def _trend(asked: _Asked, metric_id: str) -> list[Block]:
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


def _traffic(asked: _Asked) -> list[Block]:
    countries = breakdowns.country_names(asked.publication)
    return [
        asked.figures("Traffic"),
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
    ]


def _engagement(asked: _Asked) -> list[Block]:
    blocks = [asked.figures("Engagement")]
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
    return blocks + _table(
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


def _content(asked: _Asked) -> list[Block]:
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
    blocks = [asked.figures("Content")]
    for title, rows in tables.items():
        blocks += _table(title, rows)
    return blocks


def _conversions(asked: _Asked) -> list[Block]:
    publication, selection = asked.publication, asked.selection
    blocks = [asked.figures("Conversions"), *_trend(asked, "conversion_count")]
    blocks += _table(
        "Funnel within a session",
        [
            {
                "Step": row["label"], "Sessions": count_text(row["count"]), "Of all": rate_text(row["share"]),
                "Lost before the next": rate_text(row["drop_off_rate"]),
                "Median time": duration_text(row["median_seconds_to_step"]),
            }
            for row in funnel_steps(publication, selection)
        ],
    )  # fmt: skip
    blocks += _table(
        "Conversion rate by kind, with its 95% interval",
        [
            {
                "Kind": name_text(row["conversion_type"]),
                "Visitors": count_text(row["converting_visitor_count"]),
                "Rate": rate_text(row["conversion_rate"]),
                "Between": f"{rate_text(row['low'])} and {rate_text(row['high'])}"
                + (", too few" if row["is_too_few"] else ""),
            }
            for row in conversion_rates(publication, selection)
            if row["converting_visitor_count"]
        ],
    )
    return blocks + _table(
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
