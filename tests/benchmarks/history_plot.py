"""What a batch costs after histories of different length, drawn from `bench.json`.

python -m tests.benchmarks.history_plot [--file data/bench/bench.json] [--out docs/pictures/batch-cost.svg]
"""

import argparse
from pathlib import Path
from typing import Any

import altair as alt

from tests.benchmarks.figures import Figure, read_kept, size_label

ROOT = Path(__file__).parent.parent.parent
# Rows of part `batch` by what they say, in the order of the legend.
DRAWN = {
    "processor time of all": "whole batch",
    "processor time of dbt build": "dbt build",
    "processor time of load": "load",
    "processor time of publish": "publish",
}


def rows_of(figures: list[Figure]) -> list[dict[str, Any]]:
    """One row a line and history: `events`, `label` of the size, `step`, `seconds` of the processor."""
    return [
        {
            "events": figure.history,
            "label": size_label(figure.history),
            "step": DRAWN[figure.what],
            "seconds": figure.value,
        }
        for figure in figures
        if figure.part == "batch" and figure.history and figure.what in DRAWN
    ]


def chart_of(rows: list[dict[str, Any]]) -> alt.LayerChart:
    """Processor seconds over events of history, on a scale of tenfold steps; flat is what is wanted."""
    sizes = sorted({row["events"] for row in rows})
    base = alt.Chart(alt.Data(values=rows), width=520, height=260, title="A batch of 2,000 events").encode(
        x=alt.X(
            "events:Q", scale=alt.Scale(type="log"), title="events of history",
            axis=alt.Axis(format=".2~s", values=sizes),
        ),
        y=alt.Y("seconds:Q", scale=alt.Scale(zero=True), title="processor seconds"),
        # Each line is named at its end: nobody has to tell colours apart.
        color=alt.Color("step:N", sort=list(DRAWN.values()), legend=None),
    )  # fmt: skip
    names = base.transform_filter(alt.datum.events == sizes[-1]).mark_text(align="left", dx=8)
    return base.mark_line(point=True) + names.encode(text="step:N")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, default=ROOT / "data" / "bench" / "bench.json")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures" / "batch-cost.svg")
    asked = parser.parse_args()
    rows = rows_of(read_kept(asked.file))
    if len({row["events"] for row in rows}) < 2:
        parser.error(f"{asked.file} has no batches at two sizes: make bench SIZES=0.5M,5M PARTS=batch")
    chart_of(rows).save(asked.out)
    print(f"{asked.out}: {len(rows)} points")


if __name__ == "__main__":
    main()
