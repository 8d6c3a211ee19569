"""The registry of places: whatever an installation holds is on it."""

from pathlib import Path

import pytest
import yaml

from orchestration.places import COLUMNS, FILES, TABLES, place_of, state_files
from orchestration.raw_schema import RAW_TABLES
from orchestration.settings import Settings

ROOT = Path(__file__).parent.parent
LISTED = {table.name for table in TABLES}


def described() -> dict[str, set[str]]:
    """`schema.table` → columns, of every raw table, model and seed of the project."""
    found = {f"raw.{table}": set(columns) for table, columns in RAW_TABLES.items()}
    for model in (ROOT / "models").rglob("*.sql"):
        layer = model.relative_to(ROOT / "models").parts[0]
        (properties,) = yaml.safe_load(model.with_suffix(".yml").read_text(encoding="utf-8"))["models"]
        found[f"{layer}.{model.stem}"] = {column["name"] for column in properties["columns"]}
    for seed in (ROOT / "seeds").glob("*.csv"):
        found[f"reference.{seed.stem}"] = set(seed.read_text(encoding="utf-8").split("\n", 1)[0].split(","))
    return found


def test_every_table_and_no_other_is_on_the_list() -> None:
    assert set(described()) == LISTED


def test_every_column_and_no_other_is_on_the_list() -> None:
    found = {name for columns in described().values() for name in columns}
    assert found - set(COLUMNS) == set(), "say in places.py what they may hold of a person"
    assert set(COLUMNS) - found == set(), "no table has them any more"


def test_a_key_of_a_person_is_nowhere_that_erasure_leaves_alone() -> None:
    kept = {table.name for table in TABLES if table.treatment in ("kept", "counts")}
    for table, columns in described().items():
        if table in kept:
            assert {name for name in columns if COLUMNS[name] in ("raw", "key")} == set(), table
    for place in FILES:
        assert place.treatment != "kept" or place.identity == "none", place.pattern


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("landing/loaded/a/b.ndjson", "landing/loaded/*"),
        ("landing/deep/folder/events.ndjson.gz", "landing/*"),
        ("archive/batches/00000001.json", "archive/batches/*"),
        ("warehouse/warehouse.duckdb.wal", "warehouse/*.duckdb*"),
        ("warehouse/damaged-1/warehouse.duckdb", "warehouse/damaged-*"),
        ("published/20261125T070739682Z-3/publication.duckdb", "published/*"),
    ],
)
def test_a_path_has_the_place_that_says_most(path: str, pattern: str) -> None:
    place = place_of(path)
    assert place is not None
    assert place.pattern == pattern


def test_a_folder_that_nobody_listed_has_no_place(settings: Settings) -> None:
    (settings.home / "copies").mkdir()
    (settings.home / "copies" / "events.csv").touch()
    unlisted = [name for name, _ in state_files(settings) if place_of(name) is None]
    assert unlisted == ["copies/events.csv"]
