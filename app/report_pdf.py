"""A report as a PDF: Typst sets the page, the charts of the dashboard come in as vectors.

Why it exists: the only module that knows Typst and vl-convert. Texts reach the page as JSON values, never as
markup, so nothing a visitor typed can be run. No system library and no network are needed.
Not here: what the report says (`report.py`).
"""

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import typst
import vl_convert

from app.chart_parts import Chart
from app.report import Report

FOLDER: Final = Path(__file__).resolve().parent
FONTS: Final = FOLDER / "fonts"
FONT: Final = "Noto Sans"
# The light palettes of `.streamlit/config.toml`, which a test holds this against.
CATEGORY_COLOURS: Final = (
    "#147d8f", "#d2762b", "#6b5bb5", "#a83f6f", "#4e8a3c", "#8a6d3b", "#64727d", "#3a6ea8", "#b5541f",
    "#2f8f6f",
)  # fmt: skip
SEQUENTIAL_COLOURS: Final = (
    "#eef7f8", "#d6ecef", "#b6dde2", "#90cad2", "#66b3bf", "#3f9aa9", "#238293", "#146b7b", "#0c5462",
    "#073e49",
)  # fmt: skip
TEXT_COLOUR: Final = "#17242e"
GRID_COLOUR: Final = "#d8e0e6"


def chart_svg(chart: Chart) -> str:
    """The chart as SVG in the light colours, with text as text."""
    vl_convert.register_font_directory(str(FONTS))
    spec: dict[str, Any] = chart.to_dict()
    # The width is that of the whole picture, so that all charts have letters of one size.
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    spec["config"] = {
        "font": FONT,
        "background": None,
        "view": {"stroke": None},
        "range": {
            "category": list(CATEGORY_COLOURS), "heatmap": list(SEQUENTIAL_COLOURS),
            "ramp": list(SEQUENTIAL_COLOURS),
        },
        "mark": {"color": CATEGORY_COLOURS[0]},
        "text": {"fontSize": 12},
        "axis": {
            "labelColor": TEXT_COLOUR, "titleColor": TEXT_COLOUR, "gridColor": GRID_COLOUR,
            "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
        },
        "legend": {"labelColor": TEXT_COLOUR, "titleColor": TEXT_COLOUR, "labelFontSize": 12},
    }  # fmt: skip
    # No address is allowed: a chart carries its rows.
    return str(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))


def report_pdf(report: Report, generated_at: datetime) -> bytes:
    """The report as a tagged PDF; the same report and instant give the same bytes."""
    with tempfile.TemporaryDirectory(prefix="engagement-report-") as name:
        folder = Path(name)
        for chart_name, chart in report.charts.items():
            (folder / f"{chart_name}.svg").write_text(chart_svg(chart), encoding="utf-8")
        (folder / "data.json").write_text(json.dumps(report.data, ensure_ascii=False), encoding="utf-8")
        main = folder / "report.typ"
        main.write_text((FOLDER / "report.typ").read_text(encoding="utf-8"), encoding="utf-8")
        try:
            return _compiled(main, generated_at, "ua-1")
        except typst.TypstError:
            # A letter that no font of the machine has is forbidden by PDF/UA: the report is tagged all the
            # same, and shows a box in its place.
            return _compiled(main, generated_at, None)


def _compiled(main: Path, generated_at: datetime, standard: Literal["ua-1"] | None) -> bytes:
    made = typst.compile(
        main,
        root=main.parent,
        font_paths=[FONTS],
        pdf_standards=standard,
        timestamp=int(generated_at.timestamp()),
    )
    assert isinstance(made, bytes)
    return made
