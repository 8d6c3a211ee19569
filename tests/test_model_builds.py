"""Which batches a build takes, and when it takes everything."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from orchestration import micro_batch
from orchestration.model_builds import (
    GoodBuild,
    fingerprint_of,
    forget_build,
    last_good_build,
    record_build,
    touched_tables,
)
from orchestration.raw_schema import create_statements
from orchestration.settings import load_settings
from orchestration.state_folder import create_state_folders
from orchestration.warehouse import open_warehouse, writer_lock

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        for statement in create_statements():
            made.execute(statement)
        made.execute("create schema intermediate")
        made.execute("create table intermediate.int_touched_days as select 1 as day_number")
        for batch_id in (1, 2, 3):
            made.execute("insert into raw.load_batches (batch_id) values (?)", [batch_id])
            made.execute("insert into raw.removed_events (batch_id) values (?)", [batch_id])
        yield made


def test_before_the_first_build_there_is_none(connection: duckdb.DuckDBPyConnection) -> None:
    assert last_good_build(connection) is None


def test_a_good_build_holds_all_batches_and_nothing_is_touched_any_more(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    record_build(connection, "f1", ["intermediate.int_touched_days"], NOW)
    record_build(connection, "f2", ["intermediate.int_touched_days"], NOW)
    assert last_good_build(connection) == GoodBuild(3, "f2")
    assert connection.execute("select count(*) from intermediate.int_touched_days").fetchone() == (0,)
    assert connection.execute("select count(*) from raw.removed_events").fetchone() == (0,)


def test_a_build_that_can_not_be_recorded_leaves_the_last_one(connection: duckdb.DuckDBPyConnection) -> None:
    record_build(connection, "f1", [], NOW)
    connection.execute("insert into raw.load_batches (batch_id) values (4)")
    with pytest.raises(duckdb.CatalogException):
        record_build(connection, "f1", ["intermediate.int_touched_days", "intermediate.missing"], NOW)
    assert last_good_build(connection) == GoodBuild(3, "f1")
    assert connection.execute("select count(*) from intermediate.int_touched_days").fetchone() == (1,)


def test_a_full_refresh_that_breaks_off_is_followed_by_another(connection: duckdb.DuckDBPyConnection) -> None:
    record_build(connection, "f1", [], NOW)
    forget_build(connection)
    assert last_good_build(connection) is None


def manifest(**changes: Any) -> SimpleNamespace:
    """A project of one seed, one model with one column, and one macro."""
    told: dict[str, Any] = {
        "seed": "rows", "query": "select 1", "macro": "{{ 1 }}", "type": "bigint", "text": "A day.",
    } | changes  # fmt: skip

    def config(materialized: str, tags: list[str]) -> SimpleNamespace:
        return SimpleNamespace(materialized=materialized, unique_key=None, tags=tags)

    column = SimpleNamespace(name="day", data_type=told["type"], constraints=[], description=told["text"])
    nodes = {
        "seed": SimpleNamespace(
            unique_id="seed", resource_type="seed", name="rules", schema="reference", columns={},
            checksum=SimpleNamespace(checksum=told["seed"]), config=config("seed", []),
        ),
        "model": SimpleNamespace(
            unique_id="model", resource_type="model", name="int_touched_days", schema="intermediate",
            columns={"day": column}, checksum=SimpleNamespace(checksum=told["query"]),
            config=config("incremental", ["touched"]),
        ),
        "test": SimpleNamespace(
            unique_id="test", resource_type="test", checksum=SimpleNamespace(checksum=told.get("test")),
        ),
    }  # fmt: skip
    macros = {
        name: SimpleNamespace(unique_id=name, macro_sql=text, package_name=package)
        for name, text, package in (("ours", told["macro"], "ours"), ("dbts", told.get("dbt", ""), "dbt"))
    }
    return SimpleNamespace(nodes=nodes, macros=macros, metadata=SimpleNamespace(project_name="ours"))


@pytest.mark.parametrize(
    "change", [{"seed": "other rows"}, {"query": "select 2"}, {"macro": "{{ 2 }}"}, {"type": "integer"}]
)
def test_a_changed_seed_model_macro_or_type_asks_for_everything(change: dict[str, str]) -> None:
    assert fingerprint_of(manifest(**change), "UTC") != fingerprint_of(manifest(), "UTC")


def test_another_reporting_zone_asks_for_everything() -> None:
    assert fingerprint_of(manifest(), "Europe/Paris") != fingerprint_of(manifest(), "UTC")


@pytest.mark.parametrize("change", [{"text": "The day."}, {"test": "select 3"}])
def test_another_description_or_test_asks_for_nothing(change: dict[str, str]) -> None:
    assert fingerprint_of(manifest(**change), "UTC") == fingerprint_of(manifest(), "UTC")


def test_the_tables_that_a_good_build_empties_are_those_with_the_tag() -> None:
    assert touched_tables(manifest()) == ["intermediate.int_touched_days"]


def test_changed_rules_wait_for_a_publication_as_batches_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(home=tmp_path, timezone="UTC")
    create_state_folders(settings)
    changed_at = NOW - timedelta(minutes=1)
    published = SimpleNamespace(batch_id=1, timezone="UTC")
    monkeypatch.setattr(micro_batch, "newest_source", lambda: changed_at.timestamp())
    monkeypatch.setattr(micro_batch, "newest_record_id", lambda archive: 1)
    monkeypatch.setattr(micro_batch, "current_manifest", lambda folder: published)
    with writer_lock(settings), open_warehouse(settings) as connection:
        connection.execute("insert into raw.load_batches (batch_id) values (1)")
        record_build(connection, "f1", [], NOW)
    assert not micro_batch.is_behind(settings)
    changed_at = NOW + timedelta(minutes=1)
    assert micro_batch.is_behind(settings)
    changed_at, published.timezone = NOW, "Europe/Paris"
    assert micro_batch.is_behind(settings)
    published.timezone, published.batch_id = "UTC", 0
    assert micro_batch.is_behind(settings)
    published.batch_id = 1
    assert not micro_batch.is_behind(settings)
    # A full build that broke off over a mistake in a seed: mended, it is built again.
    with writer_lock(settings), open_warehouse(settings) as connection:
        forget_build(connection)
    assert micro_batch.is_behind(settings)
