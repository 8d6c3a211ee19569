"""Writes `docs/metrics.md` from the registry and the models: what every number is and where it comes from.

Run by `make docs`; `tests/test_metric_pages.py` fails when the committed page is stale.
Not here: what is said (`metrics.py`, `metric_notes.py`, the models' yml).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from app.measures import MEASURES_ALONG, Measure
from app.metric_notes import GROUP_STARTS, NOTES, Note
from app.metrics import METRICS, Metric, measure_of
from app.relations import RELATIONS
from app.statements import parts_of
from app.table_notes import TABLE_NOTES

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "metrics.md"

_DIRECTIONS: Final = {"up": "more is better", "down": "less is better", "neutral": "neither good nor bad"}
_UNITS: Final = {
    "count": "a count",
    "seconds": "seconds",
    "rate": "a fraction from 0 to 1",
    "number": "a number",
    "money": "money, per currency",
}
# Every measure is asked with the chosen days, capsules and filters; these hide more than that.
_RELATION_NOTES: Final = {
    "first_conversions": "of each visitor's first conversion in the selection",
    "ctas": "per capsule: `offered_count` is its impressions when it sends any, else its sessions with a "
    "view; `reacted_count` its clicks, else its sessions with a click, never more than offered",
    "cta_hours": "per capsule and CTA: `offered_count` is its impressions where the capsule sends any, "
    "else the sessions of the capsule with a view; `reacted_count` its clicks, else its sessions with a "
    "click, never more than offered",
}


@dataclass(frozen=True)
class Mart:
    """A described table: its model file under the root, its grain, and its columns."""

    name: str
    path: Path
    grain: str
    columns: Mapping[str, str]


def read_marts(root: Path = ROOT) -> dict[str, Mart]:
    """Every mart with its column texts, doc blocks put in, by name."""
    blocks = _doc_blocks(root / "models")
    marts = {}
    for path in sorted((root / "models" / "marts").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            columns = {
                column["name"]: _resolved(column.get("description", ""), blocks)
                for column in model.get("columns", [])
            }
            sql = path.with_suffix(".sql").relative_to(root)
            marts[model["name"]] = Mart(model["name"], sql, _resolved(model["description"], blocks), columns)
    return marts


def _doc_blocks(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.md")):
        blocks = re.findall(
            r"{% docs (\w+) %}(.*?){% enddocs %}", path.read_text(encoding="utf-8"), re.DOTALL
        )
        found |= {name: " ".join(text.split()) for name, text in blocks}
    return found


def _resolved(text: str, blocks: Mapping[str, str]) -> str:
    whole = re.sub(r"{{\s*doc\(['\"](\w+)['\"]\)\s*}}", lambda match: blocks[match.group(1)], text)
    return " ".join(whole.split())


def metrics_page(metrics: Sequence[Metric] = METRICS, marts: Mapping[str, Mart] | None = None) -> str:
    """The whole page as Markdown."""
    found = read_marts() if marts is None else marts
    lines = [
        "# Metrics",
        "",
        "What every number means, how it is computed and where well-known tools count otherwise. Generated "
        "by `make docs` from `app/metrics.py`, `app/metric_notes.py`, `app/table_notes.py` and "
        "the models; do not edit.",
        "",
        "Event counts belong to the day of the event, session figures to the day the session started, in the "
        "reporting time zone. Bots are left out unless asked for. A measure without rows is 0 when it counts "
        "or adds, and null otherwise; a ratio over nothing is null.",
        "",
        *_contents(metrics),
    ]
    said_at: dict[str, str] = {}
    for metric in metrics:
        if metric.id in GROUP_STARTS:
            lines += ["", f"## {GROUP_STARTS[metric.id]}"]
        lines += ["", *_metric_lines(metric, found, said_at)]
    if marts is None:
        lines += ["", *_table_note_lines(found)]
    lines += ["", *_mart_lines(found)]
    return "\n".join(lines) + "\n"


def _contents(metrics: Sequence[Metric]) -> Iterator[str]:
    yield "| id | label | unit |"
    yield "|---|---|---|"
    for metric in metrics:
        yield f"| [`{metric.id}`](#{metric.id}) | {metric.label} | {_UNITS[metric.unit]} |"


def _metric_lines(metric: Metric, marts: Mapping[str, Mart], said_at: dict[str, str]) -> Iterator[str]:
    """`said_at`: what was said of other tools → the metric it was said at, so that it is said once."""
    note = NOTES.get(metric.id, Note())
    yield f"### {metric.id}"
    yield ""
    yield f"**{metric.label}**: {metric.definition}"
    yield ""
    yield f"- Unit: {_UNITS[metric.unit]}; {_DIRECTIONS[metric.good]}."
    if note.formula:
        yield f"- Formula: {note.formula}."
    yield from _computed_lines(metric, marts)
    if note.peers in said_at:
        yield f"- Elsewhere: as said at [`{said_at[note.peers]}`](#{said_at[note.peers]})."
    elif note.peers:
        said_at[note.peers] = metric.id
        yield f"- Elsewhere: {note.peers}"


def _computed_lines(metric: Metric, marts: Mapping[str, Mart]) -> Iterator[str]:
    if metric.unit == "money":
        yield _over("sum(amount)", "conversions", marts) + ", per `currency`."
        return
    measure = metric.measure
    if measure is None:
        yield "- Computed: not yet; the value is null."
    elif measure.relation == "combined":
        yield f"- Computed: `{measure.expression}`, where"
        for part in parts_of(measure):
            yield f"  {_part_line(part, marts)}"
    else:
        yield _line_of(measure, marts)
    yield from _along_lines(metric.id, marts)


def _along_lines(metric_id: str, marts: Mapping[str, Mart]) -> Iterator[str]:
    """Along what another mart answers, and how."""
    dimensions: dict[Measure, list[str]] = {}
    for dimension, measures in MEASURES_ALONG.items():
        if metric_id in measures:
            dimensions.setdefault(measures[metric_id], []).append(f"`{dimension}`")
    for measure, named in dimensions.items():
        yield _line_of(measure, marts).replace("- Computed", f"- Along {' and '.join(named)}", 1)


def _part_line(part: str, marts: Mapping[str, Mart]) -> str:
    measure = measure_of(part)
    assert measure is not None
    if measure.relation == "combined":
        return f"- `{part}` is [the metric](#{part})."
    return _line_of(measure, marts).replace("- Computed", f"- `{part}`", 1)


def _line_of(measure: Measure, marts: Mapping[str, Mart]) -> str:
    note = _RELATION_NOTES.get(measure.relation, "")
    is_used = any(word in measure.expression for word in re.findall(r"`(\w+)`", note))
    return _over(measure.expression, measure.relation, marts) + (f"; {note}." if is_used else ".")


def _over(expression: str, relation: Any, marts: Mapping[str, Mart]) -> str:
    source = RELATIONS[relation]
    mart = marts[source.table]
    words = re.findall(r"[a-z_0-9]+", expression)
    named = [f"`{name}`" for name in mart.columns if name in words]
    columns = f", from its {' and '.join(named) if len(named) < 3 else ', '.join(named)}" if named else ""
    return f"- Computed: `{expression}` over [`{mart.name}`](../{mart.path.as_posix()}){columns}"


def _table_note_lines(marts: Mapping[str, Mart]) -> Iterator[str]:
    yield "## Figures that are rows"
    for note in TABLE_NOTES:
        mart = marts[note.table]
        columns = ", ".join(f"`{name}`" for name in note.columns)
        yield ""
        yield f"### {note.title}"
        yield ""
        yield note.definition
        yield ""
        yield f"- Formula: {note.formula}."
        yield f"- Read from [`{mart.name}`](../{mart.path.as_posix()}): {columns}."
        yield f"- Elsewhere: {note.peers}"


def _mart_lines(marts: Mapping[str, Mart]) -> Iterator[str]:
    yield "## Tables"
    yield ""
    yield "Every mart, for `engagement sql` and `engagement export`; `make docs` shows columns and lineage."
    yield ""
    yield "| table | holds |"
    yield "|---|---|"
    for mart in sorted(marts.values(), key=lambda one: one.path.as_posix()):
        yield f"| [`{mart.name}`](../{mart.path.as_posix()}) | {mart.grain.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(metrics_page(), encoding="utf-8")
