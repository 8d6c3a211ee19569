"""The assets: raw events, dbt's models and the publication, from landed files to what readers see.

Why it exists: the thin shell between Dagster and the functions that do the work.
Not here: arithmetic, SQL, files (`micro_batch.py`, `dbt_runner.py`, `publication.py`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import click
import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from orchestration import dbt_runner
from orchestration.line_accounting import line_totals, lines_by_day, newest_files, rejected_by_reason
from orchestration.micro_batch import LoadSummary, load_pending
from orchestration.publication import publish
from orchestration.raw_events import accounting_gaps
from orchestration.raw_schema import RAW_TABLES
from orchestration.settings import Settings, load_settings
from orchestration.state_folder import create_state_folders
from orchestration.warehouse import open_warehouse, row_counts, writer_lock

WRITER_POOL: Final = "warehouse_writer"
# Rows of the tables among the metadata, which are kept with every run.
_FILES_SHOWN: Final = 20
_DAYS_SHOWN: Final = 14

_RAW_DESCRIPTIONS: Final[dict[str, str]] = {
    "events": "One row per accepted event, reduced and typed, from the files of the landing folder. A late "
    "event is stored like any other, a duplicate only counted, a bad line becomes a row of rejected_events, "
    "and a bad file goes to landing/refused/ with its reason.",
    "rejected_events": "One row per line that was not accepted, with its reason and no personal data.",
    "event_files": "One row per landed file: loaded, repeated or refused, with its accounting.",
    "event_file_counts": "One row per file and capsule: what became of its lines.",
    "load_batches": "One row per committed transaction.",
    "privacy_signals": "One row per opt-out or opt-in of a person, by keyed hash.",
    "removed_events": "One row per event that is stored no more and whose session is not rebuilt yet.",
    "erased_keys": "One row per entry of the list of erased people that this warehouse was cleaned of.",
    "expired_events": "One row per file: how many of its accepted events left after the retention window.",
    "model_builds": "One row: the last batch that all models hold, and the fingerprint of the models then.",
    "renewed_days": "One row per mart, capsule and day that builds renewed since the last publication.",
    "last_publication": "One row: the publication that the next one may be taken over from.",
    "capsules": "One row per capsule of the catalogue, the newest.",
    "content": "One row per content item of the catalogue, the newest.",
}


class Warehouse(dg.ConfigurableResource):
    """Holds the writer lock for the whole run, from the first file to the publication.

    `is_talking`: the command line shows progress on stderr; Dagster's own log has it in any case.
    """

    is_talking: bool = False

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Warehouse"]:
        settings = load_settings()
        create_state_folders(settings, but_landing=True)
        with writer_lock(settings, lambda text: self.say(text, context.log)):
            yield self

    def say(self, text: str, log: Any) -> None:
        """Progress, to Dagster's log and, when talking, to the person who waits."""
        if log:
            log.info(text)
        if self.is_talking:
            click.echo(text, err=True)

    @property
    def settings(self) -> Settings:
        """The settings of the environment the run was started in."""
        return load_settings()


@dg.multi_asset(
    specs=[
        dg.AssetSpec(["raw", table], description=_RAW_DESCRIPTIONS[table], group_name="raw", kinds={"duckdb"})
        for table in RAW_TABLES
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "accounting_adds_up",
            asset=["raw", "event_files"],
            blocking=True,
            description="received = accepted + duplicate + rejected + suppressed, for every file.",
        )
    ],
    name="raw_events",
    pool=WRITER_POOL,
)
def raw_events(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[Any]:
    """Every complete file of the landing folder, sealed into the archive and committed to schema `raw`.

    Late events are stored like any other; duplicates are counted; a bad line becomes a rejected event and
    a bad file is moved to `landing/refused/` with its reason.
    """
    settings = warehouse.settings
    summary = load_pending(settings, lambda text: warehouse.say(text, context.log))
    with open_warehouse(settings) as connection:
        gaps = accounting_gaps(connection)
        counts = row_counts(connection)
        files = newest_files(connection, _FILES_SHOWN, "raw")
    metadata: dict[str, dict[str, Any]] = {
        "events": load_metadata(summary),
        "event_files": {"newest_files": accounting_table(files)} if files else {},
    }
    for table in RAW_TABLES:
        row_count = {"dagster/row_count": counts.get(f"raw.{table}", 0)}
        yield dg.MaterializeResult(
            asset_key=["raw", table],
            metadata=metadata.get(table, {}) | row_count,
            check_results=[
                dg.AssetCheckResult(
                    check_name="accounting_adds_up",
                    passed=not gaps,
                    metadata={"files_with_a_gap": gaps[:50]},
                )
            ]
            if table == "event_files"
            else [],
        )


def load_metadata(summary: LoadSummary) -> dict[str, Any]:
    """The metadata of a load's materialisation; `summary` is what the command line prints."""
    newest = [batch.newest_event_at for batch in summary.batches if batch.newest_event_at]
    accounting = asdict(summary.accounting)
    return {
        "summary": dg.MetadataValue.json(summary.as_json()),
        "file_count": summary.file_count,
        **{f"{name}_count": count for name, count in accounting.items()},
        **{f"rejected: {reason}": count for reason, count in summary.rejected_by_reason.items()},
        "newest_event_at": max(newest).isoformat() if newest else "none",
    }


def accounting_table(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue:
    """Files or days, a row each, with what became of their lines; lists of reasons as `reason: count`."""
    records = [
        dg.TableRecord(
            {
                name: ", ".join(f"{reason}: {count}" for reason, count in value.items())
                if isinstance(value, Mapping)
                else value
                for name, value in row.items()
            }
        )
        for row in rows
    ]
    return dg.MetadataValue.table(records)


class _Translator(DagsterDbtTranslator):
    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props["fqn"][1])

    def get_asset_check_spec(self, *args: Any, **kwargs: Any) -> dg.AssetCheckSpec | None:
        # A failed test fails the whole step, so nothing is published after one. Dagster itself would warn of
        # each check that a batch leaves to the night, a hundred lines a load.
        spec = super().get_asset_check_spec(*args, **kwargs)
        return spec._replace(blocking=False) if spec else None


_TRANSLATOR: Final = _Translator(
    settings=DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True)
)


_MANIFEST: Final[dict[str, Any]] = json.loads(dbt_runner.parse_when_stale().read_text(encoding="utf-8"))


@dbt_assets(
    manifest=_MANIFEST,
    dagster_dbt_translator=_TRANSLATOR,
    name="models",
    pool=WRITER_POOL,
)
def models(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[Any]:
    """dbt's models, built in this process: what the batches since the last good build touched, or all of it.

    A batch tests keys and sums of what it touched; the job `nightly` asks every test of all rows.
    """
    from google.protobuf.json_format import MessageToDict

    warehouse.say("Building and testing the models …", context.log)
    messages: list[dict[str, Any]] = []
    outcome = dbt_runner.build(
        warehouse.settings,
        lambda event: messages.append(MessageToDict(event, preserving_proto_field_name=True)),
        full_refresh=context.has_tag("engagement/full_refresh"),
    )
    with open_warehouse(warehouse.settings) as connection:
        counts = row_counts(connection)
    for message in messages:
        event = DbtCoreCliEventMessage(raw_event=message, event_history_metadata={})
        for shown in event.to_default_asset_events(
            manifest=_MANIFEST, dagster_dbt_translator=_TRANSLATOR, context=context
        ):
            yield _with_row_count(shown, counts)
    what = "everything anew" if outcome.is_full_refresh else "what the batch touched"
    warehouse.say(f"dbt built {what}: {outcome.node_count} nodes in {outcome.seconds:.1f} s", context.log)
    if outcome.failures:
        raise dg.Failure(
            f"{len(outcome.failures)} of {outcome.node_count} dbt nodes failed: {outcome.failures_text}"
        )


def _with_row_count(shown: Any, counts: Mapping[str, int]) -> Any:
    """A table's materialisation with its number of rows; anything else as it is."""
    if not isinstance(shown, dg.Output):
        return shown
    schema, _, table = shown.output_name.partition("__")
    found = counts.get(f"{schema}.{table}")
    if found is None:
        return shown
    return shown.with_metadata({**shown.metadata, "dagster/row_count": dg.MetadataValue.int(found)})


# Every batch builds these. Dagster skips, without a word, what depends on an output that a run did not yield:
# seeds and views, which only a full build yields, would keep every batch from being published.
_BUILT_BY_EVERY_BATCH: Final = [
    _TRANSLATOR.get_asset_key(node)
    for node in _MANIFEST["nodes"].values()
    if node["resource_type"] == "model" and node["config"]["materialized"] != "view"
]


@dg.asset(
    deps=_BUILT_BY_EVERY_BATCH,
    group_name="publication",
    kinds={"duckdb"},
    pool=WRITER_POOL,
)
def publication(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """The marts as readers see them: a new folder under `published/`, named by `CURRENT`.

    Written only when every model was built and every blocking check passed; else readers stay on the last.
    """
    with open_warehouse(warehouse.settings) as connection:
        manifest = publish(connection, warehouse.settings, datetime.now(UTC))
        lines = line_totals(connection)
        days = lines_by_day(connection)[:_DAYS_SHOWN]
        reasons = rejected_by_reason(connection)
    if manifest.anew_because:
        context.log.info(f"The publication was written anew: {manifest.anew_because}.")
    return dg.MaterializeResult(
        metadata={
            **{f"{name}_lines": count for name, count in lines.items()},
            **{f"rejected: {reason}": count for reason, count in reasons.items()},
            **({"lines_by_day": accounting_table(days)} if days else {}),
            "publication_id": manifest.id,
            "as_of": manifest.as_of or "none",
            "accepted_count": manifest.accepted_count,
            "written_anew": manifest.anew_because or "no",
            "tables": dg.MetadataValue.json(manifest.tables),
        }
    )
