"""Docs, settings, models and code agree; what one of them names, the others have."""

import csv
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from app.metrics import METRIC_IDS
from app.relations import RELATIONS
from orchestration.admission import REJECTION_REASONS
from orchestration.cli import main
from orchestration.event_files import REFUSAL_REASONS
from orchestration.kept_figures import SMALLEST_GROUP
from orchestration.privacy import SALT_LIFETIME
from orchestration.raw_schema import RAW_TABLES
from orchestration.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODELS = sorted((ROOT / "models").rglob("*.sql"))


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: tracked files are unknown")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def properties(path: Path) -> dict[str, Any]:
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    return dict(model)


def test_privacy_is_told_in_plain_words_and_by_the_rules_of_the_code() -> None:
    told = (ROOT / "PRIVACY.md").read_text(encoding="utf-8")
    assert "(PRIVACY.md)" in README
    assert SMALLEST_GROUP == 5
    assert "fewer than **five visitors**" in told
    assert SALT_LIFETIME.total_seconds() == 48 * 3600
    assert "48 hours" in told
    for name in ("retention_months", "keep_loaded_days"):
        default = Settings.model_fields[name].default
        assert re.search(rf"`ENGAGEMENT_{name.upper()}` \({default}\b", told), name
    for kept in ("identity.key", "salts", "landing/loaded", "landing/refused", "archive/kept", "receipts"):
        assert kept in told, kept


def test_every_setting_is_in_the_example_and_in_the_readme() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        variable = f"ENGAGEMENT_{name.upper()}"
        assert variable in example, variable
        assert f"`{variable}`" in README, variable


def test_the_example_names_no_setting_that_does_not_exist() -> None:
    named = set(re.findall(r"ENGAGEMENT_[A-Z_]+(?==)", (ROOT / ".env.example").read_text(encoding="utf-8")))
    assert named == {f"ENGAGEMENT_{name.upper()}" for name in Settings.model_fields}


def test_every_command_is_in_the_readme_and_has_help_with_an_example() -> None:
    for name, command in main.commands.items():
        assert f"`engagement {name}" in README, name
        shown = command.get_help(click.Context(command, info_name=name))
        assert f"engagement {name}" in shown, f"{name} --help has no example"


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    named = set(re.findall(r"`engagement ([a-z-]+)", README))
    assert named <= set(main.commands)


def test_every_make_target_the_docs_name_exists_and_there_are_at_most_17() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert len(targets) <= 17
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`make ([a-z-]+)`", README + contributing)) <= targets


def test_every_reason_is_in_the_readme() -> None:
    for reason in (*REJECTION_REASONS, *REFUSAL_REASONS):
        assert f"`{reason}`" in README, reason


def test_every_link_and_path_of_the_docs_exists() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert (ROOT / target).exists(), f"{name} links to {target}"


def test_the_tree_in_the_readme_exists() -> None:
    tree = README.split("## The house", 1)[1].split("```", 2)[1]
    for line in tree.strip().splitlines():
        for name in line.split("  ")[0].split():
            # `data/` is made by the first command.
            assert name == "data/" or (ROOT / name).exists(), name


def test_every_model_has_its_own_yml_that_begins_with_the_grain() -> None:
    for model in MODELS:
        described = model.with_suffix(".yml")
        assert described.exists(), f"{model.stem} has no yml beside it"
        description = properties(described)["description"]
        assert description.startswith("One row per "), model.stem


def test_every_mart_has_a_contract_and_describes_every_column() -> None:
    for model in MODELS:
        if "marts" in model.parts:
            described = properties(model.with_suffix(".yml"))
            assert described["columns"], model.stem
            for column in described["columns"]:
                assert column.get("description"), f"{model.stem}.{column['name']}"
                assert column.get("data_type"), f"{model.stem}.{column['name']}"


def test_every_page_of_the_dashboard_is_an_exposure() -> None:
    described = yaml.safe_load((ROOT / "models/exposures.yml").read_text(encoding="utf-8"))["exposures"]
    pages = {exposure["name"] for exposure in described if exposure["type"] == "dashboard"}
    assert pages == {f"{path.stem}_page" for path in (ROOT / "app/app_pages").glob("[!_]*.py")}


def test_the_metrics_of_the_command_line_are_an_exposure_of_every_relation() -> None:
    described = yaml.safe_load((ROOT / "models/exposures.yml").read_text(encoding="utf-8"))["exposures"]
    (exposure,) = (one for one in described if one["name"] == "command_line_metrics")
    assert set(exposure["depends_on"]) == {f"ref('{source.table}')" for source in RELATIONS.values()}


def test_an_exposure_names_marts_and_seeds_that_exist() -> None:
    known = {path.stem for path in MODELS} | {path.stem for path in (ROOT / "seeds").glob("*.csv")}
    for exposure in yaml.safe_load((ROOT / "models/exposures.yml").read_text(encoding="utf-8"))["exposures"]:
        named = {re.fullmatch(r"ref\('(\w+)'\)", text) for text in exposure["depends_on"]}
        assert {match.group(1) for match in named if match} <= known, exposure["name"]
        assert None not in named, exposure["name"]


def test_a_text_that_two_tables_share_is_a_doc_block() -> None:
    described = (ROOT / "models/staging/_raw__sources.yml").read_text(encoding="utf-8")
    (source,) = yaml.safe_load(described)["sources"]
    tables = {model.stem: properties(model.with_suffix(".yml")) for model in MODELS}
    tables |= {f"raw.{table['name']}": table for table in source["tables"]}
    tables_of: dict[str, set[str]] = {}
    for name, table in tables.items():
        for column in table.get("columns", []):
            text = " ".join(column.get("description", "").split())
            if text and "{{" not in text:
                tables_of.setdefault(text, set()).add(name)
    assert {text: sorted(names) for text, names in tables_of.items() if len(names) > 1} == {}


def test_dbts_sources_are_the_raw_tables() -> None:
    described = (ROOT / "models/staging/_raw__sources.yml").read_text(encoding="utf-8")
    (source,) = yaml.safe_load(described)["sources"]
    for table in source["tables"]:
        assert table["name"] in RAW_TABLES
        named = {column["name"] for column in table.get("columns", [])}
        assert named <= set(RAW_TABLES[table["name"]]), table["name"]


def test_every_seed_is_described() -> None:
    described = {}
    for path in (ROOT / "seeds").glob("*.yml"):
        for seed in yaml.safe_load(path.read_text(encoding="utf-8"))["seeds"]:
            described[seed["name"]] = {column["name"] for column in seed["columns"]}
    for path in (ROOT / "seeds").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            assert set(next(csv.reader(file))) == described[path.stem], path.stem


def test_the_metrics_are_those_of_the_public_interface() -> None:
    section = README.split("## Metrics", 1)[1].split("\n## ", 1)[0]
    documented = re.findall(r"^\| `([a-z0-9_]+)` \|", section, re.MULTILINE)
    assert documented == list(METRIC_IDS)


def test_the_lock_holds_every_dependency_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    locked = {line.split("==")[0].lower() for line in lock.splitlines() if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for wanted in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        name = re.split(r"[\[<>=! ]", wanted)[0].lower()
        assert name in locked, name


def test_nothing_of_size_is_tracked() -> None:
    for path in tracked_files():
        assert path.stat().st_size < 1_500_000, path
    fixtures = sum(path.stat().st_size for path in (ROOT / "tests" / "fixtures").rglob("*") if path.is_file())
    assert fixtures < 2_000_000


def test_the_app_is_apart_from_the_orchestration() -> None:
    allowed = {"orchestration.settings"}
    for path in (ROOT / "app").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        imported = set(re.findall(r"^\s*(?:from|import) (orchestration[.\w]*)", text, re.MULTILINE))
        assert imported <= allowed, path
    for path in (ROOT / "orchestration").rglob("*.py"):
        # The command line reads and shows figures.
        if path.parent.name != "commands" and path.name not in ("printing.py", "reports.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(?:from|import) app\b", text, re.MULTILINE), path


def test_arithmetic_and_shells_are_apart() -> None:
    shells = {
        "assets.py",
        "checks.py",
        "jobs.py",
        "sensors.py",
        "schedules.py",
        "definitions.py",
        "runs.py",
        "run_history.py",
    }
    for path in (ROOT / "orchestration").rglob("*.py"):
        imports_dagster = re.search(r"^\s*import dagster", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert bool(imports_dagster) == (path.name in shells), path
