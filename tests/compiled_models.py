"""The models as dbt compiled them once, run without dbt: what makes hundreds of builds affordable.

dbt builds an empty warehouse twice, in full and as a batch; its own artefacts then hold, for every model, the
query in both modes and the statements its materialisation runs. A build of a test executes them in the order
of the DAG. `tests/test_incremental.py` shows once that this and `dbt build` give the same rows.
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

from orchestration.dbt_runner import build
from orchestration.model_builds import TOUCHED_TAG, last_good_build, record_build
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """`renewal`: what follows on the temporary table `batch_table` of a batch; null for a whole table."""

    name: str
    relation: str
    is_view: bool
    full_query: str
    batch_query: str
    batch_table: str | None
    renewal: str | None

    def build_in_full(self, connection: duckdb.DuckDBPyConnection) -> None:
        kind = "view" if self.is_view else "table"
        connection.execute(f"create or replace {kind} {self.relation} as ({self.full_query})")

    def build_batch(self, connection: duckdb.DuckDBPyConnection) -> None:
        if self.is_view:
            return
        if self.renewal is None:
            connection.execute(f"create or replace table {self.relation} as ({self.batch_query})")
            return
        connection.execute("begin transaction")
        connection.execute(f"create temporary table {self.batch_table} as ({self.batch_query})")
        for statement in self.renewal.split(";\n"):
            connection.execute(statement)
        connection.execute(f"drop table {self.batch_table}")
        connection.execute("commit")


@dataclass(frozen=True, slots=True)
class CompiledModels:
    """The models in the order of the DAG, and a warehouse that holds them over nothing."""

    models: list[CompiledModel]
    touched_tables: list[str]
    empty_warehouse: Path
    fingerprint: str
    settings: Settings

    def build(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        full_refresh: bool = False,
        is_reached: Callable[[int], bool] = lambda number: True,
    ) -> bool:
        """Builds the models; `is_reached` says of a model's place whether a crash comes before it.

        Returns whether the build was good, which is recorded as `dbt_runner.build` records it.
        """
        for number, model in enumerate(self.models):
            if not is_reached(number):
                return False
            if full_refresh:
                model.build_in_full(connection)
            else:
                model.build_batch(connection)
        record_build(connection, self.fingerprint, self.touched_tables, datetime.now(UTC))
        return True


def compile_models(settings: Settings) -> CompiledModels:
    """Lets dbt build the settings' warehouse, which must not exist yet, in both modes."""
    with writer_lock(settings):
        full = _built(settings, "full")
        batch = _built(settings, "batch")
        with open_warehouse(settings) as connection:
            last = last_good_build(connection)
    assert last is not None
    manifest = json.loads((settings.home / "dbt" / "manifest.json").read_text(encoding="utf-8"))
    nodes = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    order = TopologicalSorter({name: set(node["depends_on"]["nodes"]) for name, node in nodes.items()})
    models = []
    for name in order.static_order():
        if name in nodes:
            models.append(_compiled(nodes[name], full, batch))
    touched = sorted(
        f"{node['schema']}.{node['name']}" for node in nodes.values() if TOUCHED_TAG in node["config"]["tags"]
    )
    empty = settings.warehouse_file.with_name("empty.duckdb")
    shutil.copyfile(settings.warehouse_file, empty)
    return CompiledModels(models, touched, empty, last.fingerprint, settings)


def _built(settings: Settings, mode: str) -> Path:
    outcome = build(settings)
    assert outcome.is_good, outcome.failures
    assert outcome.is_full_refresh == (mode == "full")
    kept = settings.home / mode
    for part in ("compiled", "run"):
        shutil.copytree(settings.home / "dbt" / part / "engagement_metrics", kept / part)
        shutil.rmtree(settings.home / "dbt" / part)
    return kept


def _compiled(node: dict, full: Path, batch: Path) -> CompiledModel:  # type: ignore[type-arg]
    path = node["original_file_path"]
    is_view = node["config"]["materialized"] == "view"
    renewal, batch_table = None, None
    if node["config"]["materialized"] == "incremental":
        renewal = (batch / "run" / path).read_text(encoding="utf-8")
        (batch_table,) = set(re.findall(rf'"{node["name"]}__dbt_tmp\d+"', renewal))
    return CompiledModel(
        name=node["name"],
        relation=node["relation_name"],
        is_view=is_view,
        full_query=(full / "compiled" / path).read_text(encoding="utf-8"),
        batch_query="" if is_view else (batch / "compiled" / path).read_text(encoding="utf-8"),
        batch_table=batch_table,
        renewal=renewal,
    )
