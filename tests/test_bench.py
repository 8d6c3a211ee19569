"""The table of `make bench`: verdicts by budget, sizes by name, the same rows in every form."""

import json
from datetime import UTC, datetime

import pytest

from tests.benchmarks.bench import flatness, options_of
from tests.benchmarks.figures import Figure, as_markdown, as_table, keep, parse_size, read_kept, size_label
from tests.benchmarks.history_plot import chart_of, rows_of

SLOW = Figure("batch", "2,000 events published", 9.5, "s", 5_000_000, budget=8.0)
FAST = Figure("rebuild", "events a second", 160_000, "events/s", 500_000, budget=150_000, side="at least")
FREE = Figure("erasure", "the same by processor time", 3.25, "s", 500_000)


def test_a_budget_is_met_on_its_side_and_missed_on_the_other() -> None:
    assert SLOW.is_met is False
    assert Figure("batch", "", 8.0, "s", budget=8.0).is_met is True
    assert FAST.is_met is True
    assert Figure("rebuild", "", 149_999, "events/s", budget=150_000, side="at least").is_met is False
    assert FREE.is_met is None


def test_sizes_are_written_as_they_are_read() -> None:
    assert [parse_size(text) for text in ("20k", "0.5M", "5M", "50M", "160000")] == [
        20_000, 500_000, 5_000_000, 50_000_000, 160_000,
    ]  # fmt: skip
    assert [size_label(size) for size in (20_000, 499_826, 4_998_262, 50_000_000)] == [
        "20k",
        "0.5M",
        "5M",
        "50M",
    ]
    for text in ("", "5G", "much", "100"):
        with pytest.raises(ValueError, match=r"is no size\. Write 20k"):
            parse_size(text)


def test_table_markdown_and_kept_file_say_the_same(tmp_path) -> None:
    rows = [SLOW, FAST, FREE]
    table, markdown = as_table(rows), as_markdown(rows)
    assert "  2,000 events published" in table
    assert "9.50 s   at most 8.00      MISSED" in table
    assert "| batch | 2,000 events published | 5M | 9.50 s | at most 8.00 | MISSED |" in markdown
    assert "| rebuild | events a second | 0.5M | 160,000 events/s | at least 150,000 | met |" in markdown
    assert "| erasure | the same by processor time | 0.5M | 3.25 s |  |  |" in markdown
    machine = {"cores": 2, "memory_gb": 8.0, "kind": "k", "python": "3", "load_before": 0.1, "commit": "c"}
    keep(tmp_path, rows, machine, datetime(2026, 1, 2, tzinfo=UTC))
    assert read_kept(tmp_path / "bench.json") == rows
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert kept["measured_at"] == "2026-01-02T00:00:00+00:00"
    assert [row["is_met"] for row in kept["figures"]] == [False, True, None]
    assert (tmp_path / "bench.md").read_text().startswith("2 cores, 8.0 GB, k")


def test_a_batch_is_compared_between_the_longest_and_the_shortest_history() -> None:
    rows = [Figure("batch", "2,000 events published", seconds, "s", size) for size, seconds in
            ((5_000_000, 6.0), (500_000, 5.0), (50_000_000, 7.5))]  # fmt: skip
    (found,) = flatness(rows)
    assert (found.what, found.value, found.is_met) == ("a batch at 50M against 0.5M", 1.5, False)
    assert flatness(rows[:1]) == []


def test_an_unknown_part_or_size_is_refused_with_what_there_is(capsys) -> None:
    for words, sentence in (
        (["--parts", "batch,speed"], "'speed' is no part. There are: admission, batch"),
        (["--sizes", "5X"], "'5X' is no size. Write 20k"),
    ):
        with pytest.raises(SystemExit) as refused:
            options_of(words)
        assert refused.value.code == 2
        assert sentence in capsys.readouterr().err


def test_the_plot_has_a_point_for_each_step_and_history() -> None:
    rows = [
        Figure("batch", "processor time of all", 6.5, "s", 499_826),
        Figure("batch", "processor time of load", 0.5, "s", 499_826),
        Figure("batch", "processor time of all", 7.0, "s", 4_998_262),
        Figure("batch", "of which load", 0.7, "s", 4_998_262),
        Figure("erasure", "processor time of all", 9.0, "s", 4_998_262),
    ]
    assert [(row["label"], row["step"], row["seconds"]) for row in rows_of(rows)] == [
        ("0.5M", "whole batch", 6.5), ("0.5M", "load", 0.5), ("5M", "whole batch", 7.0),
    ]  # fmt: skip
    drawn, _ = chart_of(rows_of(rows)).to_dict()["layer"]
    assert drawn["encoding"]["y"]["scale"]["zero"] is True
    assert len(chart_of(rows_of(rows)).to_dict()["data"]["values"]) == 3
