"""What a report is made of: figures, charts, rankings, tables and sentences as plain blocks. Pure.

Why it exists: every section is put together from the same few blocks, which the page knows how to set.
Not here: which blocks a section has (`report.py`), paper (`report_pdf.py`, `report.typ`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from app import charts
from app.chart_parts import Chart
from app.figure_rows import figure_texts
from app.format import name_text, told_apart
from app.metrics import METRICS_BY_ID
from app.publications import Publication
from app.queries import Comparison, metric_rows
from app.selection import Selection

ROWS_OF_A_TABLE: Final = 15
BARS: Final = 10
# Pixels of a chart, its labels included.
FULL_WIDTH: Final = 620
HALF_WIDTH: Final = 300

Block = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A view whose report is being put together; the charts it places come to stand in `charts`."""

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

    def figures(self, metric_ids: Sequence[str]) -> Block:
        return {"kind": "figures", "rows": [asdict(row) for row in figure_texts(self.found, metric_ids)]}

    def ranking(self, key: str, metric_id: str, title: str, word: Callable[[str], str] = name_text) -> Block:
        rows = metric_rows(self.publication, self.selection, [key], [metric_id])
        counted = sorted((row for row in rows if row[metric_id]), key=lambda row: (-row[metric_id], row[key]))
        name_of = told_apart({row[key]: word(row[key]) for row in counted[:BARS]})
        named = [{**row, "name": name_of[row[key]]} for row in counted[:BARS]]
        label = METRICS_BY_ID[metric_id].label
        if not named:
            return sentence(f"{title}: nothing in this period.")
        drawn = charts.bars(named, "name", metric_id, label, METRICS_BY_ID[metric_id].unit)
        left_out = len(counted) - len(named)
        note = f" (the largest {len(named)} of {len(counted)})" if left_out > 0 else ""
        listed = "; ".join(f"{row['name']} {row[metric_id]:,}" for row in named)
        return self.chart(f"{title}{note}", f"{label}: {listed}", drawn)


def sentence(text: str) -> Block:
    return {"kind": "text", "text": text}


def table(title: str, rows: Sequence[Mapping[str, str]], shown: int = ROWS_OF_A_TABLE) -> list[Block]:
    """A table with the keys of its rows as header; the first column is text, the others numbers."""
    if not rows:
        return [sentence(f"{title}: nothing in this period.")]
    note = f" (the first {shown} of {len(rows):,})" if len(rows) > shown else ""
    return [
        {
            "kind": "table",
            "title": f"{title}{note}",
            "columns": list(rows[0]),
            "rows": [list(row.values()) for row in rows[:shown]],
        }
    ]
