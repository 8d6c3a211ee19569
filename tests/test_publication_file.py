"""A publication that is taken over from the one before is what one written anew would be."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.model_builds import forget_build, record_build
from orchestration.publication import PublicationManifest, publish
from orchestration.publication_file import MARTS_FILE
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FRIDAY, SATURDAY, SUNDAY = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Two capsules on two days in a mart by day, a mart without days, and a seed."""
    with writer_lock(settings), open_warehouse(settings) as connection:
        for statement in (
            "create schema marts",
            "create schema reference",
            """create table marts.session_activity_hourly as
            select * from (values ('a', date '2026-11-20', 1), ('a', date '2026-11-21', 2),
                ('b', date '2026-11-20', 3), ('b', date '2026-11-21', 4)
            ) as rows (capsule_id, activity_date, view_count)""",
            "create table marts.insights as select 'first' as sentence",
            "create table reference.countries as select 'FR' as country",
        ):
            connection.execute(statement)
        yield connection


def publish_again(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings, minute: int, *, anew: bool = False
) -> PublicationManifest:
    return publish(warehouse, settings, NOW + timedelta(minutes=minute), anew=anew)


def renew(warehouse: duckdb.DuckDBPyConnection, *days: tuple[str | None, date | None]) -> None:
    """What dbt's strategy writes down when it renews days of `session_activity_hourly`."""
    for capsule_id, day in [*days, (None, None)]:
        warehouse.execute(
            "insert into raw.renewed_days values ('session_activity_hourly', 'activity_date', ?, ?)",
            [capsule_id, day],
        )


def published(settings: Settings, manifest: PublicationManifest, query: str) -> list[tuple[Any, ...]]:
    """As any DuckDB client reads it: the file alone."""
    file = settings.published / manifest.id / MARTS_FILE
    with duckdb.connect(str(file), read_only=True) as reader:
        return reader.execute(query).fetchall()


def views(settings: Settings, manifest: PublicationManifest) -> list[tuple[Any, ...]]:
    return published(settings, manifest, "select * from marts.session_activity_hourly order by all")


def test_of_a_renewed_mart_only_the_renewed_days_of_a_capsule_are_replaced(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    first = publish_again(warehouse, settings, 0)
    assert first.anew_because == "nothing was published since the models were last built in full"
    warehouse.execute("update marts.session_activity_hourly set view_count = view_count * 10")
    warehouse.execute("insert into marts.session_activity_hourly values ('b', date '2026-11-22', 50)")
    renew(warehouse, ("a", SATURDAY), ("b", SUNDAY))
    second = publish_again(warehouse, settings, 1)
    assert second.anew_because is None
    assert (second.tables, first.tables) == (
        {"insights": 1, "session_activity_hourly": 5},
        {"insights": 1, "session_activity_hourly": 4},
    )
    # The other three stay as they were: nobody said that they changed.
    assert views(settings, second) == [
        ("a", FRIDAY, 1), ("a", SATURDAY, 20), ("b", FRIDAY, 3), ("b", SATURDAY, 4), ("b", SUNDAY, 50),
    ]  # fmt: skip
    assert len(views(settings, first)) == 4


def test_days_whose_rows_all_went_are_gone(warehouse: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish_again(warehouse, settings, 0)
    warehouse.execute("delete from marts.session_activity_hourly where capsule_id = 'a'")
    renew(warehouse, ("a", FRIDAY), ("a", SATURDAY))
    second = publish_again(warehouse, settings, 1)
    assert second.anew_because is None
    assert views(settings, second) == [("b", FRIDAY, 3), ("b", SATURDAY, 4)]


def test_a_mart_of_which_nothing_is_written_down_is_replaced_as_a_whole(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    publish_again(warehouse, settings, 0)
    warehouse.execute("update marts.insights set sentence = 'second'")
    warehouse.execute("update marts.session_activity_hourly set view_count = 7")
    warehouse.execute("update reference.countries set country = 'DE'")
    renew(warehouse)
    second = publish_again(warehouse, settings, 1)
    assert second.anew_because is None
    assert published(settings, second, "select sentence from marts.insights") == [("second",)]
    assert published(settings, second, "select country from reference.countries") == [("DE",)]
    assert [count for *_, count in views(settings, second)] == [1, 2, 3, 4]


def test_a_mart_that_gained_a_column_is_replaced_as_a_whole_and_one_that_went_goes(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    publish_again(warehouse, settings, 0)
    warehouse.execute("alter table marts.session_activity_hourly add column turn_count integer default 9")
    warehouse.execute("drop table marts.insights")
    renew(warehouse, ("a", FRIDAY))
    second = publish_again(warehouse, settings, 1)
    assert (second.anew_because, second.tables) == (None, {"session_activity_hourly": 4})
    assert {count for *_, count in views(settings, second)} == {9}


def test_a_renewed_day_that_left_the_window_stays_as_it_was_closed(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    closed = settings.archive / "kept" / "2026-11-21"
    closed.mkdir(parents=True)
    warehouse.execute(
        """create table marts.revenue_daily as
        select * from (values ('a', date '2026-11-20', 1), ('a', date '2026-11-21', 2))
            as rows (capsule_id, conversion_date, conversion_count)"""
    )
    warehouse.execute(
        f"""copy (select 'a' as capsule_id, date '2026-11-20' as conversion_date, 70 as conversion_count)
        to '{closed / "revenue_daily.parquet"}' (format parquet)"""
    )
    publish_again(warehouse, settings, 0)
    # A late event of the evening before the window touches both days.
    warehouse.execute("update marts.revenue_daily set conversion_count = conversion_count * 10")
    for day in (FRIDAY, SATURDAY):
        warehouse.execute(
            "insert into raw.renewed_days values ('revenue_daily', 'conversion_date', 'a', ?)", [day]
        )
    second = publish_again(warehouse, settings, 1)
    third = publish_again(warehouse, settings, 2, anew=True)
    assert second.anew_because is None
    for manifest in (second, third):
        assert published(settings, manifest, "select * from marts.revenue_daily order by all") == [
            ("a", FRIDAY, 70), ("a", SATURDAY, 20),
        ]  # fmt: skip


def test_days_count_from_the_last_publication_that_was_finished(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_again(warehouse, settings, 0)
    warehouse.execute("update marts.session_activity_hourly set view_count = 8 where capsule_id = 'a'")
    renew(warehouse, ("a", FRIDAY), ("a", SATURDAY))
    with monkeypatch.context() as broken:
        broken.setattr("orchestration.publication.remember_publication", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publish_again(warehouse, settings, 1)
    warehouse.execute("update marts.session_activity_hourly set view_count = 9 where capsule_id = 'b'")
    renew(warehouse, ("b", FRIDAY), ("b", SATURDAY))
    third = publish_again(warehouse, settings, 2)
    assert third.anew_because is None
    assert [count for *_, count in views(settings, third)] == [8, 8, 9, 9]
    assert warehouse.execute("select count(*) from raw.renewed_days").fetchone() == (0,)


def remove_events(warehouse: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    warehouse.execute("insert into raw.load_batches (batch_id) values (1)")
    warehouse.execute("insert into raw.removed_events (batch_id) values (1)")
    record_build(warehouse, "fingerprint", [], NOW)


def lose_the_folder(warehouse: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    shutil.rmtree(next(path for path in settings.published.iterdir() if path.is_dir()))


def close_a_day(warehouse: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    (settings.archive / "kept" / "2025-11-01").mkdir(parents=True)


def damage_the_file(warehouse: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    next(settings.published.glob(f"*/{MARTS_FILE}")).write_bytes(b"no database")


def pretend_it_was_small(warehouse: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    # By half, and by 16 MB besides: less than nothing must it have been.
    warehouse.execute("update raw.last_publication set whole_bytes = -16 * 1024 * 1024")


def forget_what_was_renewed(warehouse: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    warehouse.execute("delete from raw.renewed_days")


def add_a_row_unnoticed(warehouse: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    warehouse.execute("insert into marts.session_activity_hourly values ('c', date '2026-11-20', 1)")


@pytest.mark.parametrize(
    ("what_happens", "why"),
    [
        (remove_events, "events were removed since, and deleted rows would leave their bytes behind"),
        (
            lambda warehouse, settings: forget_build(warehouse),
            "nothing was published since the models were last built in full",
        ),
        (lose_the_folder, "the publication 20261122T120000000Z-0 is gone"),
        (close_a_day, "days have left the retention window"),
        (damage_the_file, "taking over failed: IOException"),
        (pretend_it_was_small, "the file has grown by half since it was last written whole"),
        (forget_what_was_renewed, "no build wrote down since what it renewed"),
        (add_a_row_unnoticed, "session_activity_hourly would have had 4 rows, not 5"),
    ],
)
def test_in_doubt_everything_is_written_anew(
    what_happens: Callable[[duckdb.DuckDBPyConnection, Settings], None],
    why: str,
    warehouse: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish_again(warehouse, settings, 0)
    renew(warehouse, ("a", FRIDAY))
    what_happens(warehouse, settings)
    # Of a day that nobody wrote down, so that only a file written anew holds it.
    warehouse.execute("update marts.session_activity_hourly set view_count = 30 where view_count = 3")
    second = publish_again(warehouse, settings, 1)
    assert second.anew_because == why
    assert ("b", FRIDAY, 30) in views(settings, second)
    # And the next is taken over from it.
    renew(warehouse, ("a", FRIDAY))
    assert publish_again(warehouse, settings, 2).anew_because is None


def test_written_anew_no_byte_of_a_deleted_row_is_left(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    warehouse.execute("set force_compression = 'uncompressed'")
    warehouse.execute(
        "update marts.session_activity_hourly set capsule_id = 'marked-capsule' where capsule_id = 'a'"
    )
    first = publish_again(warehouse, settings, 0)
    warehouse.execute("delete from marts.session_activity_hourly where capsule_id = 'marked-capsule'")
    days: tuple[tuple[str | None, date | None], ...] = (
        ("marked-capsule", FRIDAY),
        ("marked-capsule", SATURDAY),
    )
    renew(warehouse, *days)
    second = publish_again(warehouse, settings, 1)
    third = publish_again(warehouse, settings, 2, anew=True)

    def holds(manifest: PublicationManifest) -> bool:
        return b"marked-capsule" in (settings.published / manifest.id / MARTS_FILE).read_bytes()

    assert (second.anew_because, third.anew_because) == (None, "deleted rows are to leave no byte behind")
    assert (holds(second), holds(third)) == (True, False)
    assert len(views(settings, second)) == len(views(settings, third)) == 2
    assert first.id != second.id


def test_a_publication_is_never_changed_after_it_was_taken_over(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    first = publish_again(warehouse, settings, 0)
    folder: Path = settings.published / first.id
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    warehouse.execute("update marts.session_activity_hourly set view_count = 5")
    renew(warehouse, ("a", FRIDAY))
    second = publish_again(warehouse, settings, 1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in (settings.published / second.id).iterdir()) == [
        "manifest.json", MARTS_FILE,
    ]  # fmt: skip
