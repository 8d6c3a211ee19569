"""What the models hold: up to which batch, and by which rules.

Why it exists: a build takes the batches since the last *good* build, whatever became of those between; and
a changed model, seed, macro or variable makes all history wrong, so the next build is a full refresh by
itself. The story is told in `docs/incremental.md`.
Not here: running dbt (`dbt_runner.py`), what is touched (`models/intermediate/int_touched_*.sql`).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.raw_events import last_batch_id
from orchestration.settings import PROJECT_ROOT

# Models with this tag hold what was touched since the last good build, which empties them.
TOUCHED_TAG = "touched"


@dataclass(frozen=True, slots=True)
class GoodBuild:
    """The last build in which every model was built and every check passed."""

    batch_id: int
    fingerprint: str


def fingerprint_of(manifest: Any, timezone: str) -> str:
    """Hash of everything that decides a row besides the events; descriptions and tests are left out.

    `manifest`: what `dbt parse` returned.
    """
    nodes = [
        (
            node.unique_id,
            node.checksum.checksum,
            str(node.config.materialized),
            str(node.config.unique_key),
            [
                (column.name, column.data_type, [str(one.type) for one in column.constraints])
                for column in node.columns.values()
            ],
        )
        for node in manifest.nodes.values()
        if node.resource_type in ("model", "seed")
    ]
    macros = [
        (macro.unique_id, macro.macro_sql)
        for macro in manifest.macros.values()
        if macro.package_name == manifest.metadata.project_name
    ]
    project = (PROJECT_ROOT / "dbt_project.yml").read_text(encoding="utf-8")
    everything = json.dumps([timezone, project, sorted(nodes), sorted(macros)])
    return hashlib.sha256(everything.encode()).hexdigest()


def touched_tables(manifest: Any) -> list[str]:
    """`schema.table` of every model that holds what was touched."""
    return sorted(
        f"{node.schema}.{node.name}"
        for node in manifest.nodes.values()
        if node.resource_type == "model" and TOUCHED_TAG in node.config.tags
    )


def last_good_build(connection: duckdb.DuckDBPyConnection) -> GoodBuild | None:
    """The last good build of this warehouse; null before the first."""
    row = connection.execute("select batch_id, fingerprint from raw.model_builds").fetchone()
    return GoodBuild(*row) if row else None


def last_built_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """When the last good build ended (UTC); None before the first, and since a full one broke off."""
    row = connection.execute("select built_at from raw.model_builds").fetchone()
    return row[0].replace(tzinfo=UTC) if row else None


def forget_build(connection: duckdb.DuckDBPyConnection) -> None:
    """To be called before a full refresh: if it breaks off, only another one can mend the models.

    What was published before is compared with nothing any more, so the next publication is written anew.
    """
    connection.execute("delete from raw.last_publication")
    connection.execute("delete from raw.renewed_days")
    connection.execute("delete from raw.model_builds")


def record_build(
    connection: duckdb.DuckDBPyConnection, fingerprint: str, tables: Iterable[str], built_at: datetime
) -> None:
    """Every model holds every batch: nothing is touched any more. One transaction.

    `tables`: of `touched_tables`. `built_at`: UTC. The caller held the writer lock all the time.
    """
    batch_id = last_batch_id(connection)
    connection.execute("begin transaction")
    try:
        connection.execute("delete from raw.model_builds")
        connection.execute(
            "insert into raw.model_builds values (?, ?, ?)",
            [batch_id, fingerprint, built_at.replace(tzinfo=None)],
        )
        # They name sessions, those of erased persons too.
        for table in tables:
            connection.execute(f"delete from {table}")
        # Their bytes are to leave the publications too (`publication_file.py`).
        connection.execute(
            """insert into raw.renewed_days
            select distinct null, null, null, null from raw.removed_events where batch_id <= ?""",
            [batch_id],
        )
        connection.execute("delete from raw.removed_events where batch_id <= ?", [batch_id])
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
