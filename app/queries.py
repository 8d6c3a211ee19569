"""Answers questions from a publication: figures, rows, comparisons, whole tables.

Why it exists: the one data-access module. The dashboard and the command line call these functions
and nothing else, so they show the same numbers by construction. A value that cannot be computed is
None, never NaN or infinite.
Not here: Streamlit, formatting, the text of the statements (`statements.py`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa

from app.comparison import Change, EarlierPeriod, Number, compare_values, earlier_period
from app.metrics import METRIC_IDS, METRICS_BY_ID
from app.publications import Publication, open_cursor
from app.relations import RELATIONS, UNKNOWN, answers, conditions, key_expression
from app.selection import TIME_KEYS, Comparing, Selection, SelectionError, checked_keys, nearest
from app.statements import Statement, metric_statement

# The day a table's rows belong to: the first of these columns that it has.
DAY_COLUMNS: Final = (
    "activity_date", "session_date", "conversion_date", "load_date", "entry_date", "event_date",
)  # fmt: skip
SINGLE_FIGURES: Final = tuple(id for id in METRIC_IDS if METRICS_BY_ID[id].unit != "money")


@dataclass(frozen=True)
class Comparison:
    """Every metric beside its earlier self; `revenue` is per currency."""

    figures: Mapping[str, Change]
    revenue: Mapping[str, Change]
    earlier: EarlierPeriod


@dataclass(frozen=True)
class Freshness:
    """How old the readers' figures are; ages in seconds, None without an event."""

    publication_age_seconds: float
    event_age_seconds: float | None


def finite(value: Any) -> Any:
    """A number fit for JSON: exact decimals become floats, NaN and infinity become None."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@lru_cache(maxsize=64)
def table_columns(publication: Publication) -> Mapping[str, tuple[str, ...]]:
    """The tables of schema `marts` that this publication shows its scope, with their columns, in order."""
    found: dict[str, list[str]] = {}
    for table, column in rows_of(
        publication,
        Statement(
            "select table_name, column_name from information_schema.columns "
            "where table_catalog = current_database() and table_schema = 'marts' "
            "order by table_name, ordinal_position",
            {},
        ),
    ):
        found.setdefault(table, []).append(column)
    return {table: tuple(columns) for table, columns in found.items()}


def rows_of(publication: Publication, statement: Statement) -> list[tuple[Any, ...]]:
    """Runs a statement on a cursor of its own."""
    with open_cursor(publication) as cursor:
        return cursor.execute(statement.sql, statement.parameters).fetchall()


def reference_rows(publication: Publication, seed: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows of a seed; none in a publication without it."""
    known = rows_of(
        publication,
        Statement(
            "select count(*) from information_schema.tables "
            "where table_catalog = current_database() and table_schema = 'reference' "
            "and table_name = $seed",
            {"seed": seed},
        ),
    )
    if known == [(0,)]:
        return []
    return rows_of(publication, Statement(f"select {', '.join(columns)} from reference.{seed}", {}))


def metric_values(
    publication: Publication, selection: Selection, metric_ids: Sequence[str] = SINGLE_FIGURES
) -> dict[str, Number | None]:
    """One value per metric (all but revenue, which is per currency: `revenue_values`)."""
    statement = metric_statement(selection, (), metric_ids, publication.timezone, table_columns(publication))
    row = rows_of(publication, statement)[0]
    return {metric_id: finite(value) for metric_id, value in zip(metric_ids, row, strict=True)}


def has_events(publication: Publication, selection: Selection) -> bool:
    """Whether anything happened in the days and filters asked for."""
    source, parameters = RELATIONS["activity"], dict[str, Any]()
    where = conditions(source, selection, parameters)
    sql = f"select exists (select 1 from marts.{source.table} where {where})"
    return bool(rows_of(publication, Statement(sql, parameters))[0][0])


def revenue_values(publication: Publication, selection: Selection) -> dict[str, float]:
    """Revenue per currency, for the currencies that occur."""
    return _revenue_by(publication, selection, ()).get((), {})


def metric_rows(
    publication: Publication,
    selection: Selection,
    by: Sequence[str],
    metric_ids: Sequence[str] = METRIC_IDS,
) -> list[dict[str, Any]]:
    """One dict per combination of `by`: the keys, then the metrics in order, revenue as a dict.

    A key of time gives a complete spine (counts 0, rates None), in order; other rows come with the
    most sessions (else conversions) first. Days, weeks (their Monday) and months (their first day)
    are dates, hours are aware instants of the reporting zone.
    """
    keys = checked_keys(tuple(by))
    single = [metric_id for metric_id in metric_ids if metric_id != "revenue"]
    weight = [name for name in ("session_count", "conversion_count") if name not in single]
    statement = metric_statement(
        selection, keys, [*single, *weight], publication.timezone, table_columns(publication)
    )
    revenue = _revenue_by(publication, selection, keys) if "revenue" in metric_ids else {}
    rows = []
    for found in rows_of(publication, statement):
        key_values, figures = found[: len(keys)], found[len(keys) :]
        row = dict(zip(keys, key_values, strict=True))
        row |= {name: finite(value) for name, value in zip([*single, *weight], figures, strict=True)}
        row["revenue"] = revenue.get(key_values, {})
        rows.append(row)
    rows.sort(key=lambda row: _rank(row, keys))
    return [_published(row, keys, metric_ids, publication.timezone) for row in rows]


def _rank(row: Mapping[str, Any], keys: Sequence[str]) -> tuple[Any, ...]:
    times = [row[key] for key in keys if key in TIME_KEYS]
    volume = row["session_count"] if row["session_count"] is not None else row["conversion_count"]
    return (*times, -(volume or 0), *(row[key] for key in keys if key not in TIME_KEYS))


def _published(
    row: Mapping[str, Any], keys: Sequence[str], metric_ids: Sequence[str], timezone: str
) -> dict[str, Any]:
    published = {name: row[name] for name in (*keys, *metric_ids)}
    if "hour" in keys:
        utc_hour: datetime = row["hour"]
        published["hour"] = utc_hour.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(timezone))
    return published


def _revenue_by(
    publication: Publication, selection: Selection, keys: Sequence[str]
) -> dict[tuple[Any, ...], dict[str, float]]:
    if not answers("conversions", selection, keys, table_columns(publication)):
        return {}
    source = RELATIONS["conversions"]
    parameters: dict[str, Any] = {}
    columns = "".join(f"{key_expression(source, key)} as {key}_key, " for key in keys)
    sql = (
        f"select {columns}coalesce(currency, '{UNKNOWN}') as currency_key, sum(amount) "
        f"from marts.{source.table} "
        f"where {conditions(source, selection, parameters)} and amount is not null "
        "group by all order by currency_key"
    )
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for *key_values, currency, amount in rows_of(publication, Statement(sql, parameters)):
        found.setdefault(tuple(key_values), {})[currency] = finite(amount)
    return found


def first_days(publication: Publication) -> dict[str, date]:
    """The day of the reporting zone of each capsule's first event; capsules without one are left out."""
    if "dim_capsules" not in table_columns(publication):
        return {}
    zone = ZoneInfo(publication.timezone)
    found = rows_of(
        publication,
        Statement(
            "select capsule_id, first_event_at from marts.dim_capsules where first_event_at is not null", {}
        ),
    )
    utc = ZoneInfo("UTC")
    return {name: first.replace(tzinfo=utc).astimezone(zone).date() for name, first in found}


def period_before(publication: Publication, selection: Selection, comparing: Comparing) -> EarlierPeriod:
    """The earlier period; not comparable where it begins before the first event of the chosen capsules."""
    first_day = None
    if selection.capsules:
        days = first_days(publication)
        first_day = min((days[name] for name in selection.capsules if name in days), default=None)
    return earlier_period(publication, selection, comparing, first_day)


def compare(
    publication: Publication,
    selection: Selection,
    comparing: Comparing = "previous",
    metric_ids: Sequence[str] = METRIC_IDS,
) -> Comparison:
    """The metrics of a period beside those of an earlier one, where that is comparable."""
    single = [metric_id for metric_id in metric_ids if METRICS_BY_ID[metric_id].unit != "money"]
    asks_revenue = len(single) < len(metric_ids)
    values = metric_values(publication, selection, single)
    revenue = revenue_values(publication, selection) if asks_revenue else {}
    earlier = period_before(publication, selection, comparing)
    before: Mapping[str, Number | None] = {}
    revenue_before: Mapping[str, float] = {}
    if earlier.selection is not None:
        before = metric_values(publication, earlier.selection, single)
        revenue_before = revenue_values(publication, earlier.selection) if asks_revenue else {}
    figures = {
        metric_id: compare_values(
            value, before.get(metric_id), is_rate=METRICS_BY_ID[metric_id].unit == "rate"
        )
        for metric_id, value in values.items()
    }
    absent = None if earlier.selection is None else 0.0
    money = {
        currency: compare_values(
            revenue.get(currency, 0.0), revenue_before.get(currency, absent), is_rate=False
        )
        for currency in sorted(revenue.keys() | revenue_before.keys())
    }
    return Comparison(figures, money, earlier)


def freshness(publication: Publication, now: datetime) -> Freshness:
    """Age of the publication and of the newest event in it."""
    event_age = None
    if publication.as_of is not None:
        event_age = max((now - publication.as_of).total_seconds(), 0.0)
    return Freshness(max((now - publication.published_at).total_seconds(), 0.0), event_age)


def table_day_column(publication: Publication, table: str) -> str | None:
    """The column that says which day a row of `table` belongs to; None for dimensions."""
    columns = table_columns(publication)[table]
    return next((name for name in DAY_COLUMNS if name in columns), None)


def check_table(publication: Publication, table: str) -> None:
    """SelectionError for a table that the publication does not hold, or its reader may not see."""
    known = table_columns(publication)
    if table not in known:
        raise SelectionError(
            f"There is no table {table!r}{nearest(table, sorted(known))}. Tables are {', '.join(known)}."
        )


@contextmanager
def table_reader(
    publication: Publication,
    table: str,
    date_from: date | None = None,
    date_to: date | None = None,
    capsules: Sequence[str] = (),
) -> Iterator[pa.RecordBatchReader]:
    """Rows of one mart as a stream of Arrow batches, so that an export needs no memory.

    The range is inclusive and ignored by tables without a day, as capsules are by those without one.
    """
    check_table(publication, table)
    known = table_columns(publication)
    day = table_day_column(publication, table)
    found: list[str] = []
    parameters: dict[str, Any] = {}
    if day and date_from:
        found.append(f"{day} >= $date_from")
        parameters["date_from"] = date_from
    if day and date_to:
        found.append(f"{day} <= $date_to")
        parameters["date_to"] = date_to
    if capsules and "capsule_id" in known[table]:
        names = [f"capsule_{index}" for index in range(len(capsules))]
        found.append(f"capsule_id in ({', '.join(f'${name}' for name in names)})")
        parameters |= dict(zip(names, capsules, strict=True))
    where = f" where {' and '.join(found)}" if found else ""
    with open_cursor(publication) as cursor:
        statement = f'select * from marts."{table}"{where}'
        yield cursor.sql(statement, params=parameters).to_arrow_reader(100_000)
