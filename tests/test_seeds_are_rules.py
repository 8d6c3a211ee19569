"""Editing a seed and rebuilding classifies all history anew; nothing else has to be touched."""

import csv
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import dbt_runner
from orchestration.settings import PROJECT_ROOT, Settings, load_settings
from tests.test_dbt_models import NOON, Stream, _write_raw, at


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the dbt project whose seeds may be edited."""
    copy = tmp_path / "project"
    copy.mkdir()
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(PROJECT_ROOT / name, copy)
    for name in ("models", "seeds", "dbt_project"):
        shutil.copytree(PROJECT_ROOT / name, copy / name, ignore=shutil.ignore_patterns("target"))
    monkeypatch.setattr(dbt_runner, "PROJECT_ROOT", copy)
    return copy


def edit_seed(project: Path, name: str, *added: dict[str, str], without: str | None = None) -> None:
    """Adds rows to a seed and drops those whose any value is `without`."""
    path = project / "seeds" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [row for row in rows if without not in row.values()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([*kept, *added])


def figures(settings: Settings) -> list[Any]:
    queries = (
        "select channel from marts.fct_sessions",
        "select channel, sum(session_count) from marts.capsule_traffic_daily group by all",
        "select country, device, browser, os from marts.fct_sessions",
        "select is_lead from marts.fct_conversions",
        "select lead_count from marts.fct_sessions",
        "select step, session_count from marts.conversion_funnel_daily order by step_number",
    )
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as connection:
        return [connection.execute(query).fetchall() for query in queries]


def test_changed_seeds_classify_history_anew_at_the_next_rebuild(project: Path, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", timezone="UTC")
    stream = Stream()
    stream.add("c", "s", NOON, referrer_domain="partner.example", country_label="Ruritania",
               device_label="hologram", browser="Ladybird 2", os="Haiku")  # fmt: skip
    stream.message("c", "s", at(5), "user")
    stream.add("c", "s", at(9), "conversion", conversion_type="gift")
    _write_raw(settings, stream.rows)
    assert dbt_runner.build(settings).failures == {}
    assert figures(settings) == [
        [("referral",)], [("referral", 1)], [("unknown", "other", "other", "other")], [(False,)], [(0,)],
        [("view", 1), ("turn", 1), ("cta_click", 0), ("conversion", 0)],
    ]  # fmt: skip

    edit_seed(project, "channel_rules", {
        "priority": "1", "field": "referrer_domain", "operator": "is_domain",
        "value": "partner.example", "channel": "email",
    })  # fmt: skip
    edit_seed(project, "country_spellings", {"country_label": "ruritania", "country": "DE"})
    edit_seed(project, "device_types", {"device_label": "hologram", "device": "mobile"})
    edit_seed(project, "browser_families", {"browser_label": "ladybird", "browser": "Ladybird"})
    edit_seed(project, "os_families", {"os_label": "haiku", "os": "BeOS"})
    edit_seed(project, "conversion_types", {
        "conversion_type": "gift", "is_lead": "true", "is_sale": "false", "conversion_label": "Gift",
    })  # fmt: skip
    edit_seed(project, "funnel_steps",
              {"step_number": "3", "step": "conversion", "step_label": "Converted"},
              without="conversion")  # fmt: skip
    steps = project / "seeds" / "funnel_steps.csv"
    lines = steps.read_text(encoding="utf-8").splitlines()
    steps.write_text("\n".join(line for line in lines if "cta_click" not in line) + "\n", encoding="utf-8")
    assert dbt_runner.build(settings, full_refresh=True).failures == {}
    assert figures(settings) == [
        [("email",)], [("email", 1)], [("DE", "mobile", "Ladybird", "BeOS")], [(True,)], [(1,)],
        [("view", 1), ("turn", 1), ("conversion", 1)],
    ]  # fmt: skip


# What an analyst may get wrong, and what a build answers.
MISTAKES: dict[str, tuple[str, dict[str, str], str]] = {
    "a channel that there is not": (
        "channel_rules",
        {"priority": "1", "field": "utm_source", "operator": "equals", "value": "x", "channel": "emial"},
        "seeds/channel_rules.csv, line {last}: channel 'emial' is none of direct, social, search, referral,",
    ),
    "a rule that stands there twice": (
        "channel_rules",
        {"priority": "1", "field": "source_label", "operator": "equals", "value": "paid_search",
         "channel": "email"},
        "seeds/channel_rules.csv, line {last}: field 'source_label', operator 'equals', value 'paid_search' "
        "stands in line 2 already",
    ),
    "a country that there is not": (
        "country_spellings",
        {"country_label": "ruritania", "country": "RU-"},
        "seeds/country_spellings.csv, line {last}: country 'RU-' is not in seeds/countries.csv",
    ),
    "a device without a kind": (
        "device_types",
        {"device_label": "hologram", "device": ""},
        "seeds/device_types.csv, line {last}: device '' is empty",
    ),
}  # fmt: skip


def test_a_mistake_in_a_seed_is_named_with_its_line(project: Path, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", timezone="UTC")
    _write_raw(settings, [])
    expected = []
    for seed, row, _ in MISTAKES.values():
        edit_seed(project, seed, row)
    for seed, _, words in MISTAKES.values():
        text = (project / "seeds" / f"{seed}.csv").read_text(encoding="utf-8")
        last = len(text.splitlines()) - (seed == "channel_rules" and "emial" in words)
        expected.append(words.format(last=last))
    said = dbt_runner.build(settings).failures_text
    for words in expected:
        assert words in said


def test_a_seed_that_cannot_be_read_stops_the_build_before_it_forgets_what_the_models_hold(
    project: Path, tmp_path: Path
) -> None:
    settings = load_settings(home=tmp_path / "home", timezone="UTC")
    _write_raw(settings, [])
    rules = project / "seeds" / "funnel_steps.csv"
    rules.write_text(rules.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8")
    with pytest.raises(dbt_runner.DbtFailed, match=r"^seeds/funnel_steps.csv, line 1: .* semicolons"):
        dbt_runner.build(settings)
