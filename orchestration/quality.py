"""The Great Expectations suite over raw batches: what senders are expected to send.

Why it exists: every line can be valid and the whole still wrong: a tracker that stopped sending its device, a
role that is misspelt, half of a day missing. Row validity is decided at admission and model truth by dbt;
this watches shares and volumes, never holds up a publication, and names nobody: results are `BOOLEAN_ONLY`
over flags, beside shares counted from the same flags.
Not here: reading batches (`batch_sample.py`), pages (`quality_docs.py`), Dagster (`quality_checks.py`).

Great Expectations takes six seconds and 270 MB to import, so it is imported inside `judge`.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from orchestration.batch_sample import BatchSample, moment, newest_batch, take_sample, unchecked_batches
from orchestration.settings import Settings

Severity = Literal["warn", "error"]

# A share of fewer lines than this is chance: one bad line in ten is not "10% rejected".
FEWEST_LINES: Final = 50
# Runs kept in the summary: two days of hourly ones.
KEPT_RUNS: Final = 48
RESULT_FORMAT: Final = {"result_format": "BOOLEAN_ONLY"}


class QualityFailed(RuntimeError):
    """The suite itself could not be computed; says nothing about the data."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One expectation. `allowed`: words the column may hold, or the range of a ratio.

    `at_least`: the share of lines it applies to that must hold; 1 means every line. `text` has places for it.
    """

    name: str
    column: str
    allowed: tuple[Any, ...]
    at_least: float
    severity: Severity
    text: str

    @property
    def sentence(self) -> str:
        """What is expected, its threshold included, so that the two cannot differ."""
        return self.text.format(
            share=f"{self.at_least * 100:g}%",
            rest=f"{(1 - self.at_least) * 100:.3g}%",
            allowed=self.allowed,
        )

    @property
    def states_rest(self) -> bool:
        """Whether the sentence is about the lines that do not hold: at most so many are rejected."""
        return "{rest}" in self.text


def _complete(column: str, name: str) -> Expected:
    return Expected(
        f"{column}_is_complete", f"has_{column}", (True,), 1.0, "error",
        f"Every accepted event has {name}.",
    )  # fmt: skip


_VOLUME: Final = "day_volume_ratio"

# Every threshold of the suite. `error` means a fault of ours or a sender that sends nonsense; `warn` means
# that figures are right but say less. They are changed here; the README lists them.
EXPECTED: Final[tuple[Expected, ...]] = (
    _complete("event_key", "an identity of its own"),
    _complete("capsule_id", "its capsule"),
    _complete("client_session_key", "its session"),
    _complete("occurred_at", "its moment"),
    _complete("event_date", "its day"),
    Expected(
        "event_type_is_known", "event_type",
        ("view", "interaction", "conversion", "content_access", "custom"), 1.0, "error",
        "Every accepted event is a view, interaction, conversion, content access or custom event.",
    ),
    Expected(
        "few_lines_are_rejected", "outcome", ("accepted", "suppressed"), 0.98, "warn",
        "At most {rest} of the lines are rejected.",
    ),
    Expected(
        "most_lines_are_readable", "outcome", ("accepted", "suppressed"), 0.8, "error",
        "At most {rest} of the lines are rejected.",
    ),
    Expected(
        "roles_are_known", "is_known_role", (True,), 0.95, "warn",
        "At least {share} of the messages say who speaks: user, assistant, system or tool.",
    ),
    Expected(
        "actions_are_known", "is_known_action", (True,), 0.9, "warn",
        "At least {share} of the interactions have an action that counts somewhere.",
    ),
    Expected(
        "sources_are_known", "is_known_source", (True,), 0.5, "warn",
        "At least {share} of the views say where they come from: source, referrer (also an empty one) or "
        "campaign.",
    ),
    Expected(
        "devices_are_known", "is_known_device", (True,), 0.6, "warn",
        "At least {share} of the views have a device of a known kind.",
    ),
    Expected(
        "countries_are_known", "is_known_country", (True,), 0.4, "warn",
        "At least {share} of the views have a country.",
    ),
    Expected(
        "amounts_have_a_currency", "has_currency", (True,), 0.95, "warn",
        "At least {share} of the amounts have a currency.",
    ),
    Expected(
        "day_volume_is_usual", _VOLUME, (0.3, 3.0), 1.0, "warn",
        "The last whole day has {allowed[0]:g} to {allowed[1]:g} times the events of the same weekday in the "
        "four weeks before.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one expectation. `passed` is null when too few lines apply to judge it.

    `found`: the share that holds, or the ratio of volumes; `line_count`: the lines it applies to.
    `stated`: the same in the direction of the sentence, as a share of lines or a ratio.
    """

    name: str
    sentence: str
    severity: Severity
    passed: bool | None
    found: float | None
    stated: float | None
    at_least: float
    line_count: int


@dataclass(frozen=True, slots=True)
class QualityReport:
    """One run of the suite over the batches `first_batch` to `last_batch`."""

    checked_at: str
    first_batch: int
    last_batch: int
    last_loaded_at: str
    file_count: int
    missing_file_count: int
    line_count: int
    checked_line_count: int
    looked_at: str
    checks: tuple[Judged, ...]

    @property
    def failed(self) -> list[Judged]:
        """What was expected and does not hold."""
        return [check for check in self.checks if check.passed is False]


def has_unchecked(settings: Settings) -> bool:
    """Whether batches arrived since the last run."""
    return bool(unchecked_batches(settings.archive, _last_checked(settings)))


def check_newest(settings: Settings, now: datetime) -> QualityReport | None:
    """Judges the batches since the last run, else the newest one again; null before the first batch.

    Writes `quality/results.json` and the Data Docs. Raises `QualityFailed`.
    """
    from orchestration.quality_docs import write_docs

    batches = unchecked_batches(settings.archive, _last_checked(settings)) or newest_batch(settings.archive)
    if not batches:
        return None
    sample = take_sample(settings, batches, now)
    # Not in `tmp`: a load that starts meanwhile wipes it. What a killed run left is drawn over.
    site = settings.quality / ".drawn"
    shutil.rmtree(site, ignore_errors=True)
    try:
        report = report_of(sample, judge(sample, site), now)
        write_docs(report, site, settings.quality / "data_docs")
    finally:
        shutil.rmtree(site, ignore_errors=True)
    _remember(settings, report)
    return report


def judgeable(sample: BatchSample) -> list[Expected]:
    """The expectations that enough lines apply to."""
    counts = {one.column: _applying(sample, one.column) for one in EXPECTED}
    return [one for one in EXPECTED if counts[one.column] >= (1 if one.at_least == 1 else FEWEST_LINES)]


def _applying(sample: BatchSample, column: str) -> int:
    return int(sample.frame[column].notna().sum()) if column in sample.frame else 0


def judge(sample: BatchSample, site: Path) -> dict[str, bool]:
    """Runs the suite over the sample and writes Great Expectations' own pages; name → whether it holds."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    judged = judgeable(sample)
    if not judged:
        return {}
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.add_data_docs_site(
        "raw_batches",
        {
            "class_name": "SiteBuilder",
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    batch = (
        context.data_sources.add_pandas("archive")
        .add_dataframe_asset("newest_batches")
        .add_batch_definition_whole_dataframe("newest_batches")
    )
    suite = context.suites.add(gx.ExpectationSuite("raw_batches"))
    for one in judged:
        suite.add_expectation(_expectation(one))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name="raw_batches", data=batch, suite=suite)
    )
    checkpoint = gx.Checkpoint(
        name="raw_batches",
        validation_definitions=[definition],
        actions=[gx.checkpoint.UpdateDataDocsAction(name="data_docs")],
        result_format=RESULT_FORMAT,
    )
    (result,) = (
        context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": sample.frame})
    ).run_results.values()
    return {_name_of(one): _held(one) for one in result.results}


def _expectation(one: Expected) -> Any:
    from great_expectations import expectations as gxe

    severity = {"warn": "warning", "error": "critical"}[one.severity]
    shared: dict[str, Any] = {
        "column": one.column,
        "severity": severity,
        "description": one.sentence,
        "meta": {"name": one.name},
    }
    if one.column == _VOLUME:
        low, high = one.allowed
        return gxe.ExpectColumnValuesToBeBetween(min_value=low, max_value=high, **shared)
    return gxe.ExpectColumnValuesToBeInSet(value_set=list(one.allowed), mostly=one.at_least, **shared)


def _name_of(result: Any) -> str:
    return str(result.expectation_config.meta["name"])


def _held(result: Any) -> bool:
    raised = result.exception_info or {}
    infos = [raised, *(info for info in raised.values() if isinstance(info, dict))]
    if any(info.get("raised_exception") for info in infos):
        # Its text may quote what it stumbled over; the name is enough to find it.
        raise QualityFailed(f"The expectation {_name_of(result)} could not be computed. Please report it.")
    return bool(result.success)


def report_of(sample: BatchSample, verdicts: dict[str, bool], now: datetime) -> QualityReport:
    """Verdicts with the shares they were reached by."""
    first, last = sample.batches[0], sample.batches[-1]
    checks = tuple(
        Judged(
            one.name,
            one.sentence,
            one.severity,
            verdicts.get(one.name),
            found := _found(sample, one),
            round(1 - found, 4) if found is not None and one.states_rest else found,
            one.at_least if one.column != _VOLUME else one.allowed[0],
            _applying(sample, one.column),
        )
        for one in EXPECTED
    )
    return QualityReport(
        moment(now), first.batch_id, last.batch_id, last.loaded_at.isoformat(), sample.file_count,
        sample.missing_file_count, sample.line_count, len(sample.frame), sample.stated, checks,
    )  # fmt: skip


def _found(sample: BatchSample, one: Expected) -> float | None:
    count = _applying(sample, one.column)
    if not count:
        return None
    values = sample.frame[one.column].dropna()
    if one.column == _VOLUME:
        return round(float(values.iloc[0]), 4)
    return round(float(values.isin(list(one.allowed)).sum()) / count, 4)


def last_results(settings: Settings) -> dict[str, Any] | None:
    """The summary of the last run as written to `quality/results.json`; null before the first."""
    try:
        return dict(json.loads((settings.quality / "results.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _last_checked(settings: Settings) -> tuple[int, str] | None:
    results = last_results(settings)
    return (results["last_batch"], results["last_loaded_at"]) if results else None


def _remember(settings: Settings, report: QualityReport) -> None:
    earlier: Sequence[Any] = (last_results(settings) or {}).get("history", [])
    run = {
        "checked_at": report.checked_at,
        "last_batch": report.last_batch,
        "failed": [check.name for check in report.failed],
    }
    content = asdict(report) | {"history": [run, *earlier][:KEPT_RUNS]}
    settings.quality.mkdir(parents=True, exist_ok=True)
    draft = settings.quality / ".results.tmp"
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(settings.quality / "results.json")
