"""Loading batch after batch gives every mart as one full rebuild of the same events does, row for row.

Random streams go the real way (landing folder, admission, verdicts, transaction); only dbt's start is saved
(`compiled_models.py`). `INCREMENTAL_CASES` sets their number (25).
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration.dbt_runner import ask_every_test, build
from orchestration.micro_batch import load_pending
from orchestration.publication import publish
from orchestration.publication_file import MARTS_FILE
from orchestration.settings import Settings, load_settings
from orchestration.state_folder import create_state_folders
from orchestration.warehouse import open_warehouse, writer_lock
from tests.compiled_models import CompiledModels, compile_models
from tests.growth import Touched, touched_by_a_batch
from tests.recount import accepted_events, exact_figures

CASES: Final = int(os.environ.get("INCREMENTAL_CASES", "25"))
Row = dict[str, Any]
# The evening before clocks in Paris go forward.
START: Final = datetime(2026, 3, 28, 21, 0, tzinfo=UTC)
MINUTES: Final = (0, 1, 10, 29, 30, 31, 59, 60, 61, 90, 120, 150, 151, 200)
DAYS: Final = (0, 0, 0, 1, 2, 8, 29, 30, 31, 40)

# A clip is sent with a play id (one a client session), a reel without one. A film is as long as the catalogue
# says; watched in a group, it is one play of all sessions.
FILM: Final[Row] = {"contentId": "film"}
CLIP: Final[Row] = {"contentId": "clip", "contentType": "video", "playId": "p", "durationSeconds": 600}
REEL: Final[Row] = {"contentId": "reel", "contentType": "video", "durationSeconds": 60}

# What an event can be: its type and metadata.
KINDS: Final[dict[str, tuple[str, Row]]] = {
    "view": ("view", {"referrer": "https://www.google.com/"}),
    "ad": ("view", {"utmSource": "facebook", "utmMedium": "cpc", "utmCampaign": "spring"}),
    "phone": ("view", {"device": "mobile", "country": "FR"}),
    "question": ("interaction", {"action": "message", "role": "user", "messageId": "m1"}),
    "another question": ("interaction", {"action": "message", "role": "user"}),
    "answer": ("interaction", {"action": "message", "role": "assistant", "contentId": "film"}),
    "search": ("interaction", {"action": "search", "query": "price", "resultCount": 0}),
    "heartbeat": ("interaction", {"action": "heartbeat"}),
    "film": ("content_access", {"contentId": "film", "contentTitle": "Film", "contentType": "video"}),
    "film, retyped": ("content_access", {"contentId": "film", "contentType": "movie", "action": "play"}),
    "film, scored": ("content_access", {"contentId": "film", "relevanceScore": 0.7, "action": "progress"}),
    "film, in percent": ("content_access", FILM | {"action": "progress", "percent": 30}),
    "film, in a group": ("content_access", FILM | {"playId": "q", "fromSeconds": 0, "toSeconds": 30}),
    "guide": ("content_access", {"contentId": "guide"}),
    "button": ("interaction", {"action": "cta_impression", "ctaId": "book", "ctaLabel": "Book"}),
    "click": ("interaction", {"action": "cta_click", "ctaId": "book", "ctaType": "demo"}),
    "click, renamed": ("interaction", {"action": "cta_click", "ctaId": "book", "ctaLabel": "Book now"}),
    "order": ("conversion", {"conversionType": "sale", "value": 10, "currency": "EUR", "orderId": "o1"}),
    "other order": ("conversion", {"conversionType": "sale", "value": 5, "currency": "EUR", "orderId": "o2"}),
    "lead": ("conversion", {"conversionType": "lead", "ctaId": "book"}),
    "refund": ("conversion", {"conversionType": "refund", "value": -10, "currency": "EUR", "orderId": "o1"}),
    "return": ("conversion", {"conversionType": "sale", "value": -4.5, "currency": "EUR"}),
    "dollars": ("conversion", {"conversionType": "sale", "value": "7.25", "currency": "usd"}),
    "two amounts": ("conversion", {"conversionType": "sale", "value": "1,234.50", "currency": "EUR"}),
    "clip, begun": ("content_access", CLIP | {"action": "play", "positionSeconds": 0}),
    "clip, on": ("content_access", CLIP | {"action": "progress", "positionSeconds": 100}),
    "clip, far on": ("content_access", CLIP | {"action": "progress", "positionSeconds": 580}),
    "clip, skipped": ("content_access", CLIP | {"action": "seek", "fromSeconds": 20, "toSeconds": 500}),
    "clip, a part": ("content_access", CLIP | {"action": "pause", "fromSeconds": 90, "toSeconds": 540}),
    "clip, in percent": ("content_access", CLIP | {"action": "progress", "percent": 40}),
    "clip, ended": ("content_access", CLIP | {"action": "complete"}),
    "reel": ("content_access", REEL | {"action": "play"}),
    "reel, in percent": ("content_access", REEL | {"action": "progress", "percent": 96}),
    "reel, ended": ("content_access", REEL | {"action": "complete"}),
    "like": ("custom", {"name": "liked", "stars": 4}),
    "rated": ("custom", {"name": "rated", "stars": 2.5, "mood": "calm"}),
    "rated in words": ("custom", {"name": "rated", "stars": "five", "mood": "glad", "again": True}),
    "rated in quotes": ("custom", {"name": "rated", "stars": "3"}),
    "opt-out": ("view", {"optOut": True}),
}


@dataclass(frozen=True, slots=True)
class Sent:
    """An event, the batch it arrives in, and the batches that repeat it."""

    capsule: str
    session: str
    user: str | None
    visitor: str | None
    kind: str
    day: int
    minute: int
    batch: int
    repeats: tuple[int, ...] = ()
    # A second event with the same id, seven seconds later: it loses, in whatever batch it comes.
    rival_batch: int | None = None
    consent: str | None = None
    # The one event as a burst (301 in a minute) or a stream without a pause over more than 24 hours.
    shape: str = "one"

    @property
    def at(self) -> datetime:
        return START - timedelta(days=self.day) + timedelta(minutes=self.minute)


@dataclass(frozen=True, slots=True)
class Stream:
    """Events, catalogue entries by batch, and the builds that break off: batch → place of the model."""

    sent: list[Sent]
    catalogue: dict[int, str] = field(default_factory=dict)
    crashes: dict[int, int] = field(default_factory=dict)
    # After these something is published, if the build was good, which the next may be taken over from.
    published: frozenset[int] = frozenset()

    @property
    def is_free_of_arrival(self) -> bool:
        """Whose a refused event is can be asked only while it is read: a later opt-out misses it."""
        kinds = {one.kind for one in self.sent}
        return "opt-out" not in kinds or all(one.consent != "denied" for one in self.sent)


BATCHES: Final = 4
batches = st.integers(0, BATCHES - 1)
events = st.builds(
    Sent,
    capsule=st.sampled_from(["a", "b"]),
    session=st.sampled_from(["s1", "s2", "s3"]),
    user=st.sampled_from([None, None, "ana", "ben"]),
    visitor=st.sampled_from([None, "v1", "v2"]),
    kind=st.sampled_from(list(KINDS)),
    day=st.sampled_from(DAYS),
    minute=st.sampled_from(MINUTES),
    batch=batches,
    repeats=st.lists(batches, max_size=1).map(tuple),
    rival_batch=st.none() | st.none() | batches,
    consent=st.sampled_from([None] * 6 + ["granted", "denied", "denied"]),
    shape=st.sampled_from(["one"] * 12 + ["burst", "day"]),
)
streams = st.builds(
    Stream,
    sent=st.lists(events, min_size=1, max_size=24, unique_by=lambda one: (one.capsule, one.session, one.at)),
    catalogue=st.dictionaries(batches, st.sampled_from(["document", "video"]), max_size=2),
    crashes=st.dictionaries(batches, st.integers(0, 60), max_size=2),
    published=st.frozensets(batches, max_size=2),
)


def lines_of(stream: Stream) -> Iterator[tuple[int, Row]]:
    """Batch and event of every line that is sent."""
    for number, one in enumerate(stream.sent):
        spread = {"one": [0], "burst": range(0, 301 * 190, 190), "day": range(0, 52 * 1_739_993, 1_739_993)}
        for place, milliseconds in enumerate(spread[one.shape]):
            found = line_of(one, f"{number}-{place}", one.at + timedelta(milliseconds=milliseconds))
            for batch in (one.batch, *one.repeats):
                yield batch, found
            if one.rival_batch is not None and place == 0:
                yield one.rival_batch, line_of(one, f"{number}-0", one.at + timedelta(seconds=7))


def line_of(one: Sent, event_id: str, at: datetime) -> Row:
    event_type, metadata = KINDS[one.kind]
    metadata = metadata | ({"visitorId": one.visitor} if one.visitor else {})
    metadata |= {"consent": one.consent} if one.consent else {}
    metadata |= {"playId": f"p of {one.session}"} if metadata.get("playId") == "p" else {}
    found: Row = {
        "eventId": event_id,
        "eventType": event_type,
        "capsuleId": one.capsule,
        "sessionId": one.session,
        "timestamp": at.isoformat(),
        "metadata": metadata,
    }
    return found | ({"userId": one.user} if one.user else {})


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledModels:
    """Compiled for Paris, so that days of the reporting zone and of UTC differ."""
    home = tmp_path_factory.mktemp("compiled")
    return compile_models(load_settings(home=home, landing=home / "landing", timezone="Europe/Paris"))


def new_home(compiled: CompiledModels, home: Path) -> Settings:
    made = load_settings(
        home=home, landing=home / "landing", timezone="Europe/Paris", quiet_seconds=0, accept_any_age=True
    )
    create_state_folders(made)
    made.warehouse_file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(compiled.empty_warehouse, made.warehouse_file)
    return made


def land(made: Settings, stream: Stream, batch: int) -> None:
    lines = [json.dumps(found) for when, found in lines_of(stream) if when == batch]
    if lines:
        (made.landing / f"{batch}.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if batch in stream.catalogue:
        entries = [
            {"capsuleId": "a", "contentId": item, "type": stream.catalogue[batch], "title": f"{item} {batch}"}
            | {"durationSeconds": 100 * (batch + 1)}
            for item in ("film", "unseen")
        ]
        (made.landing / "catalog").mkdir(exist_ok=True)
        (made.landing / "catalog" / "content.ndjson").write_text(
            "\n".join(map(json.dumps, entries)) + "\n", encoding="utf-8"
        )


def marts(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
    names = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'marts' order by all"
    ).fetchall()
    return {
        name: connection.execute(f"select * from marts.{name} order by all").fetchall() for (name,) in names
    }


def differences(
    found: dict[str, list[tuple[Any, ...]]], expected: dict[str, list[tuple[Any, ...]]]
) -> dict[str, dict[str, list[tuple[Any, ...]]]]:
    """Table → rows that one of both has alone."""
    return {
        name: {
            "only batch by batch": [row for row in found[name] if row not in expected[name]][:3],
            "only rebuilt": [row for row in expected[name] if row not in found[name]][:3],
            "counts": [(len(found[name]), len(expected[name]))],
        }
        for name in expected
        if found[name] != expected[name]
    }


FIGURES: Final = """
select
    coalesce(sum(event_count), 0) as event_count,
    count(*) as session_count,
    coalesce(sum(view_count), 0) as view_count,
    count(distinct (visitor_tier, visitor_key)) as visitor_count,
    count(*) filter (where is_returning) as returning_session_count,
    count(*) filter (where is_bot) as bot_session_count,
    round(coalesce(sum(session_seconds), 0), 3) as session_seconds,
    round(coalesce(sum(engaged_seconds), 0), 3) as engaged_seconds,
    count(*) filter (where is_bounce) as bounce_count,
    coalesce(sum(turn_count), 0) as turn_count,
    count(*) filter (where is_conversation) as conversation_count,
    coalesce(sum(message_count), 0) as message_count,
    coalesce(sum(content_access_count), 0) as content_access_count,
    coalesce(sum(conversion_count), 0) as conversion_count,
    sales.*,
    plays.*,
    properties.*
from marts.fct_sessions
cross join (
    select
        coalesce(sum(amount) filter (where currency = 'EUR'), 0) as euros,
        coalesce(sum(amount) filter (where currency = 'USD'), 0) as dollars,
        coalesce(sum(refund_amount), 0) as refunds
    from marts.revenue_daily
) as sales
cross join (
    select
        count(*) as play_count,
        count(*) filter (where is_completed) as completed_play_count,
        round(coalesce(sum(watched_seconds), 0), 3) as watched_seconds
    from marts.fct_video_plays
    where content_id in ('clip', 'reel')
) as plays
cross join (
    select
        count(*) as property_count,
        count(distinct (property_name, text_value)) as property_value_count,
        count(number_value) as number_count,
        coalesce(sum(number_value), 0) as number_sum
    from marts.fct_custom_event_properties
) as properties
group by all
"""


def figures(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The headline figures as the marts have them."""
    found = connection.execute(FIGURES)
    names = [column[0] for column in found.description or []]
    return dict(zip(names, found.fetchone() or (), strict=True))


def load_batch_by_batch(compiled: CompiledModels, made: Settings, stream: Stream) -> None:
    for batch in range(BATCHES):
        land(made, stream, batch)
        with writer_lock(made):
            load_pending(made)
            with open_warehouse(made) as connection:
                end = stream.crashes.get(batch, 1000)
                is_good = compiled.build(connection, is_reached=lambda number, end=end: number < end)
                if is_good and batch in stream.published:
                    take_over(connection, made)
    if BATCHES - 1 in stream.crashes:
        with writer_lock(made), open_warehouse(made) as connection:
            compiled.build(connection)


def take_over(connection: duckdb.DuckDBPyConnection, made: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Publishes; the rows of every published mart.

    Events that were removed call for a new file, for the sake of their bytes; here the rows are asked for.
    """
    connection.execute("delete from raw.renewed_days where table_name is null")
    is_first = connection.execute("select 1 from raw.last_publication").fetchone() is None
    # Without a build since the last one nothing was written down to go on from: then it is written anew.
    is_renewed = connection.execute("select 1 from raw.renewed_days").fetchone() is not None
    manifest = publish(connection, made, datetime.now(UTC))
    assert (manifest.anew_because is None) == (is_renewed and not is_first), manifest.anew_because
    with duckdb.connect(str(made.published / manifest.id / MARTS_FILE), read_only=True) as reader:
        return marts(reader)


@hypothesis_settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    print_blob=True,
    derandomize=CASES == 25,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
@given(stream=streams)
def run_cases(compiled: CompiledModels, counted: list[int], stream: Stream) -> None:
    counted[0] += 1
    with tempfile.TemporaryDirectory() as folder:
        made = new_home(compiled, Path(folder))
        load_batch_by_batch(compiled, made, stream)
        with writer_lock(made), open_warehouse(made) as connection:
            found, counted_there = marts(connection), figures(connection)
            published = take_over(connection, made)
            compiled.build(connection, full_refresh=True)
            expected = marts(connection)
    wrong = differences(found, expected)
    note(json.dumps(wrong, default=str, indent=1))
    assert list(wrong) == []
    assert list(differences(published, found)) == []
    if stream.is_free_of_arrival:
        assert counted_there == exact_figures(accepted_events(line for _, line in lines_of(stream)))


def test_batch_after_batch_gives_what_one_full_rebuild_gives(
    compiled: CompiledModels, record_property: Any
) -> None:
    counted = [0]
    run_cases(compiled, counted)
    record_property("shown", f"{counted[0]} random streams, every mart equal to its full rebuild")


# An order and a visitor in two sessions, a gap that is filled, first sessions that come last, an opt-out of
# what is stored, a renamed button, an id with two contents, a catalogue that says another type.
WORKED: Final = Stream(
    sent=[
        Sent("a", "s1", "ana", "v1", "view", 0, 0, batch=0),
        Sent("a", "s1", "ana", "v1", "order", 0, 61, batch=0, rival_batch=1),
        Sent("a", "s1", None, "v1", "film", 0, 31, batch=1),
        Sent("a", "s2", "ana", None, "order", 29, 0, batch=1),
        Sent("a", "s3", None, "v2", "film, retyped", 0, 10, batch=0, repeats=(1,)),
        Sent("a", "s3", None, "v2", "question", 40, 10, batch=1),
        Sent("b", "s1", "ben", None, "click", 0, 0, batch=0),
        Sent("b", "s1", "ben", None, "click, renamed", 0, 1, batch=1),
        Sent("b", "s2", None, "v3", "like", 1, 0, batch=0),
        Sent("b", "s2", None, "v3", "opt-out", 1, 0, batch=1),
    ],
    catalogue={1: "document"},
)


# What renews a play besides an event of its own: batches, and its rows after each of them (session's device,
# length, watched seconds) worked out by hand. Events of other sessions keep the item and the capsule alive.
PLAYED: Final[dict[str, tuple[Stream, list[list[tuple[str, float | None, float | None]]]]]] = {
    # Ana begins at 22:00 on a phone, Ben goes on at 23:01; what came first decides whose play it is.
    "its first session comes last, then leaves": (
        Stream(
            [
                Sent("a", "s2", "ben", None, "film, in a group", 0, 61, batch=0),
                Sent("a", "s1", None, "v1", "phone", 0, 0, batch=1),
                Sent("a", "s1", None, "v1", "film, in a group", 0, 1, batch=1),
                Sent("a", "s1", None, "v1", "opt-out", 0, 0, batch=2),
                Sent("b", "s3", None, None, "view", 0, 0, batch=3),
            ]
        ),
        [
            [("unknown", None, 30.0)],
            [("mobile", None, 30.0)],
            [("unknown", None, 30.0)],
            [("unknown", None, 30.0)],
        ],
    ),
    # 30 % of 200 s, then of 300 s, then no film; with an end that was sent, 30 s of any length.
    "the catalogue says how long its item is, and that it is none": (
        Stream(
            [
                Sent("a", "s1", None, None, "film, in percent", 0, 0, batch=0),
                Sent("a", "s2", None, None, "film, in a group", 8, 0, batch=0),
            ],
            catalogue={1: "video", 2: "video", 3: "document"},
        ),
        [
            [("unknown", None, None), ("unknown", None, 30.0)],
            [("unknown", 200.0, 60.0), ("unknown", 200.0, 30.0)],
            [("unknown", 300.0, 90.0), ("unknown", 300.0, 30.0)],
            [("unknown", 400.0, 30.0)],
        ],
    ),
    # An event of the film in another session calls it a film, then a movie, which is no video.
    "another session says what its item is": (
        Stream(
            [
                Sent("a", "s1", None, None, "film, in percent", 8, 0, batch=0),
                Sent("a", "s2", None, None, "film", 1, 0, batch=1),
                Sent("a", "s3", None, None, "film, retyped", 0, 0, batch=2),
                Sent("a", "s3", None, None, "film", 0, 1, batch=3),
            ]
        ),
        [
            [("unknown", None, None)],
            [("unknown", None, None)],
            [],
            [("unknown", None, None), ("unknown", None, None)],
        ],
    ),
}


@pytest.mark.parametrize("happening", PLAYED)
def test_a_play_is_renewed_when(compiled: CompiledModels, tmp_path: Path, happening: str) -> None:
    stream, expected = PLAYED[happening]
    made = new_home(compiled, tmp_path)
    for batch, plays in enumerate(expected):
        land(made, stream, batch)
        with writer_lock(made):
            load_pending(made)
            with open_warehouse(made) as connection:
                compiled.build(connection)
                assert played(connection) == plays, batch
                published = take_over(connection, made)
                assert differences(published, marts(connection)) == {}
    with writer_lock(made), open_warehouse(made) as connection:
        compiled.build(connection, full_refresh=True)
        assert played(connection) == expected[-1]


def played(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, float | None, float | None]]:
    return connection.execute(
        "select device, duration_seconds, watched_seconds from marts.fct_video_plays order by played_at desc"
    ).fetchall()


def test_dbt_gives_the_rows_that_the_shortcut_gives(compiled: CompiledModels, tmp_path: Path) -> None:
    made = new_home(compiled, tmp_path)
    by_dbt = compiled.settings
    # Five events; then four more, and the one of v3 leaves.
    for batch, event_count in enumerate((5, 8)):
        land(made, WORKED, batch)
        with writer_lock(made):
            load_pending(made)
            shutil.copyfile(made.warehouse_file, by_dbt.warehouse_file)
            with open_warehouse(made) as connection:
                compiled.build(connection)
                by_shortcut = marts(connection)
        outcome = build(by_dbt)
        assert (outcome.failures, outcome.is_good, outcome.is_full_refresh) == ({}, True, False)
        with writer_lock(by_dbt), open_warehouse(by_dbt) as connection:
            assert differences(marts(connection), by_shortcut) == {}
            assert figures(connection)["event_count"] == event_count
            for table in [*compiled.touched_tables, "raw.removed_events"]:
                assert connection.execute(f"select count(*) from {table}").fetchone() == (0,), table


def test_at_night_every_test_asks_all_rows(compiled: CompiledModels) -> None:
    """In the warehouse of the test before: passing, then failing for a row that no batch touches."""
    made = compiled.settings
    with writer_lock(made):
        assert ask_every_test(made).failures == {}
        with open_warehouse(made) as connection:
            connection.execute("update marts.fct_sessions set engaged_seconds = session_seconds + 1")
        failed = {name.split(".")[2] for name in ask_every_test(made).failures}
        assert "expression_is_true_fct_sessions_engaged_seconds_session_seconds" in failed
        assert build(made).failures == {}


def test_a_batch_asks_about_the_rows_it_touched_until_they_are_right(
    compiled: CompiledModels, tmp_path: Path
) -> None:
    made = new_home(compiled, tmp_path)
    land(made, WORKED, 0)
    with writer_lock(made):
        load_pending(made)
        shutil.copyfile(made.warehouse_file, compiled.settings.warehouse_file)
    by_dbt = compiled.settings
    with writer_lock(by_dbt):
        with open_warehouse(by_dbt) as connection:
            connection.execute("insert into raw.events select * from raw.events")
        for _ in range(2):
            outcome = build(by_dbt)
            assert "unique_combination_int_events_sessionized_event_key__occurred_at" in {
                name.split(".")[2] for name in outcome.failures
            }
            assert not outcome.is_good
        with open_warehouse(by_dbt) as connection:
            connection.execute("create temp table once as select distinct * from raw.events")
            connection.execute("delete from raw.events")
            connection.execute("insert into raw.events select * from once")
        outcome = build(by_dbt)
        assert (outcome.failures, outcome.is_good, outcome.is_full_refresh) == ({}, True, False)


# Built whole: a row a capsule, an item.
WHOLE = {"dim_capsules", "dim_content", "content_status"}


@pytest.fixture(scope="module")
def touched(compiled: CompiledModels, tmp_path_factory: pytest.TempPathFactory) -> tuple[Touched, Touched]:
    """What 2,000 events touch after 45 days of 440 events, and after eight times as many days."""
    folder = tmp_path_factory.mktemp("growth")
    short = touched_by_a_batch(compiled, folder / "warehouse.duckdb", 20_000, 45, 2_000)
    (folder / "warehouse.duckdb").unlink()
    return short, touched_by_a_batch(compiled, folder / "warehouse.duckdb", 160_000, 360, 2_000)


def test_a_batch_writes_as_many_rows_after_a_history_eight_times_as_long(
    touched: tuple[Touched, Touched],
) -> None:
    short, long = touched
    assert sum(short.written.values()) > 10_000
    growing = {
        name: (short.written[name], rows)
        for name, rows in long.written.items()
        if rows > 1.5 * short.written[name] + 50
    }
    assert growing.keys() <= WHOLE, growing


# These look through some columns of a whole table to find what they renew: of `fct_sessions`, which lies by
# capsule for the pages, or of their own; those that read all events are named first. To be fewer.
READS_HISTORY = {
    "content_engagement_daily", "fct_funnel_steps",
    "capsule_activity_hourly", "capsule_traffic_daily", "conversation_depth_daily", "conversion_funnel_daily",
    "dim_ctas", "dim_visitors", "int_touched_histories", "int_touched_sessions", "int_units_compared",
    "int_visitors_first_seen", "revenue_attribution", "revenue_daily", "search_queries_daily",
    "fct_custom_event_properties",
}  # fmt: skip


def test_a_batch_reads_no_more_after_a_history_eight_times_as_long(
    touched: tuple[Touched, Touched],
) -> None:
    short, long = touched
    assert sum(short.read.values()) > 100_000
    growing = {
        name: (short.read[name], rows) for name, rows in long.read.items() if rows > 4.5 * short.read[name]
    }
    assert growing.keys() <= READS_HISTORY | WHOLE, growing
