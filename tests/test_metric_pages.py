"""The page of metrics is generated from the registry and the models, and is not stale."""

from pathlib import Path

import pytest

from app.measures import Measure
from app.metric_notes import GROUP_STARTS, NOTES
from app.metric_pages import PAGE, Mart, metrics_page, read_marts
from app.metrics import METRIC_IDS, Metric
from app.relations import RELATIONS
from app.table_notes import TABLE_NOTES

SESSIONS = Mart(
    "fct_sessions",
    Path("models/marts/core/fct_sessions.sql"),
    "One row per session.",
    {"view_count": "Views."},
)


def page_of(metric: Metric) -> str:
    return metrics_page([metric], {"fct_sessions": SESSIONS})


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == metrics_page(), "docs/metrics.md is stale: run `make docs`"


def test_every_metric_has_a_section_and_every_mart_a_row() -> None:
    text = metrics_page()
    for metric_id in METRIC_IDS:
        assert f"\n### {metric_id}\n" in text
    for mart in read_marts().values():
        assert f"[`{mart.name}`](../{mart.path.as_posix()})" in text


def test_notes_and_groups_are_of_metrics_that_exist() -> None:
    assert set(NOTES) <= set(METRIC_IDS)
    assert set(GROUP_STARTS) <= set(METRIC_IDS)
    assert next(iter(GROUP_STARTS)) == METRIC_IDS[0]


def test_notes_of_tables_name_columns_that_exist() -> None:
    marts = read_marts()
    for note in TABLE_NOTES:
        assert set(note.columns) <= set(marts[note.table].columns), note.title
        assert f"\n### {note.title}\n" in metrics_page()


def test_every_link_of_the_page_leads_somewhere() -> None:
    text = metrics_page()
    for mart in read_marts().values():
        assert (PAGE.parent / ".." / mart.path).exists()
    for target in {part.split(")")[0] for part in text.split("](#")[1:]}:
        assert f"\n### {target}\n" in text


def test_every_relation_of_the_registry_is_a_described_mart() -> None:
    assert {source.table for source in RELATIONS.values()} <= set(read_marts())


def test_a_measure_names_its_model_and_the_columns_it_reads() -> None:
    metric = Metric(
        "seen_rate", "Seen", "rate", "down", "Sessions that saw something.",
        Measure("sessions", "count_if(view_count > 0) / nullif(count(*), 0)", is_additive=False),
    )  # fmt: skip
    text = page_of(metric)
    assert "**Seen**: Sessions that saw something." in text
    assert "- Unit: a fraction from 0 to 1; less is better." in text
    assert (
        "- Computed: `count_if(view_count > 0) / nullif(count(*), 0)` over "
        "[`fct_sessions`](../models/marts/core/fct_sessions.sql), from its `view_count`."
    ) in text


def test_a_metric_without_a_model_says_so() -> None:
    text = page_of(Metric("later_count", "Later", "count", "up", "Not yet.", None))
    assert "- Computed: not yet; the value is null." in text


@pytest.mark.parametrize("mart", read_marts().values(), ids=lambda mart: mart.name)
def test_no_column_text_refers_to_a_block_that_is_missing(mart: Mart) -> None:
    assert all("{{" not in text for text in (mart.grain, *mart.columns.values()))
