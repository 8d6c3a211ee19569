"""Keeps landing small files of current events, so that a dashboard can be watched while it moves.

A visit lasts up to twelve batches in one of ten slots; which visit a slot is in follows from the batch
index alone. `write_live` takes the index from the clock, so a later run never repeats an earlier one.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from orchestration.sample_events.arguments import check_clock, check_range, check_seconds
from orchestration.sample_events.audience import Metadata, Mix, Tier, country_mix, make_person, source_mix
from orchestration.sample_events.catalog import MAXIMUM_CAPSULE_COUNT, Capsule, sample_capsules
from orchestration.sample_events.journeys import Visit
from orchestration.sample_events.plan import PlannedSession
from orchestration.sample_events.spelling import encode_event, spell_events
from orchestration.sample_events.traffic import open_session
from orchestration.sample_events.writer import join_lines, write_whole

DEFAULT_INTERVAL_SECONDS: Final = 5.0
LEAST_BATCH_SIZE: Final = 5
LARGEST_BATCH_SIZE: Final = 40

_SLOT_COUNT: Final = 10
_BATCHES_OF_A_VISIT: Final = 12
# Ten slots of at most four events stay within the largest batch.
_LARGEST_STEP_COUNT: Final = LARGEST_BATCH_SIZE // _SLOT_COUNT
_TIERS: Final[tuple[Tier, ...]] = ("session", "visitor", "visitor", "user")
_SOURCES: Final = source_mix({})
_COUNTRIES: Final = country_mix("europe")
_DEPTHS: Final = Mix(range(1, _BATCHES_OF_A_VISIT + 1), (9, 5, 5, 6, 7, 8, 9, 10, 10, 9, 8, 7))


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """What a live run wrote until it was stopped."""

    file_count: int
    event_count: int


def live_batch(
    seed: int,
    index: int,
    now: datetime,
    *,
    capsule_count: int = 4,
    interval_seconds: float = DEFAULT_INTERVAL_SECONDS,
) -> list[Metadata]:
    """The 5 to 40 events of batch `index`, all within `interval_seconds` before `now`, oldest first."""
    capsules = sample_capsules(capsule_count)
    until = int(now.timestamp() * 1000)
    since = until - int(interval_seconds * 1000)
    ids = Random(f"{seed}/live-ids/{index}/{until}")
    timed: list[tuple[int, int, Metadata]] = []
    for slot in range(_SLOT_COUNT):
        _collect(timed, _slot_session(seed, index, slot, capsules, since, until), ids)
    while len(timed) < LEAST_BATCH_SIZE:
        rng = Random(f"{seed}/live-passer-by/{index}/{len(timed)}")
        number = index * LEAST_BATCH_SIZE + len(timed)
        session, visit = _open(rng, number, capsules, since)
        visit.add("view", {})
        _place(session, visit, since, until)
        _collect(timed, session, ids)
    return [event for _, _, event in sorted(timed)]


def _collect(timed: list[tuple[int, int, Metadata]], session: PlannedSession | None, ids: Random) -> None:
    if session is None:
        return
    for step, event in zip(session.steps, spell_events(session, ids), strict=True):
        timed.append((step.instant, len(timed), event))


def _open(rng: Random, number: int, capsules: list[Capsule], since: int) -> tuple[PlannedSession, Visit]:
    tier = _TIERS[rng.randrange(len(_TIERS))]
    person = make_person(rng, tier, _COUNTRIES.draw(rng), number)
    capsule = capsules[rng.randrange(len(capsules))]
    session = open_session(capsule, person, _SOURCES.draw(rng), rng)
    session.clock_style, session.has_event_ids = 0, True
    visit = Visit(rng, capsule, session.session_id, since, 1, country=session.country, may_access_cold=False)
    # A video would be played for longer than a batch lasts.
    visit.content = [item for item in visit.content if item.duration_seconds is None]
    return session, visit


def _slot_session(
    seed: int, index: int, slot: int, capsules: list[Capsule], since: int, until: int
) -> PlannedSession | None:
    """What the visit in this slot does during this batch; None once it is over."""
    visit_number, phase = divmod(index + slot * 5, _BATCHES_OF_A_VISIT)
    rng = Random(f"{seed}/live/{slot}/{visit_number}")
    depth = _DEPTHS.draw(rng)
    if phase >= depth:
        return None
    session, visit = _open(rng, visit_number * _SLOT_COUNT + slot, capsules, since)
    topic = visit.capsule.topics[0]
    visit.rng = Random(f"{seed}/live/{slot}/{visit_number}/{phase}")
    visit.message_number = phase * _LARGEST_STEP_COUNT
    if phase == 0:
        visit.arrive()
    elif phase == depth - 1 and phase > 2:
        visit.call_to_action(2.0)
    elif visit.rng.random() < 0.2:
        visit.open_content(visit.rng.choice(visit.content))
    else:
        visit.answer(visit.say("user_message", "user", topic), topic)
    if phase > 0:
        session.entry = {}
    _place(session, visit, since, until)
    return session


def _place(session: PlannedSession, visit: Visit, since: int, until: int) -> None:
    """Spread the steps of the visit over the batch, in their order."""
    steps = visit.steps[:_LARGEST_STEP_COUNT]
    width = (until - since) / (len(steps) + 1)
    session.steps = [
        step._replace(instant=since + int(width * (position + visit.rng.random() * 0.9 + 0.05)))
        for position, step in enumerate(steps)
    ]


def write_live(
    landing: Path,
    *,
    seed: int,
    interval_seconds: float = DEFAULT_INTERVAL_SECONDS,
    stop: Callable[[], bool],
    capsule_count: int = 4,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
    on_file: Callable[[Path, int], None] | None = None,
) -> LiveSummary:
    """Land one file every `interval_seconds` until `stop()` is true, which is asked five times a second.

    `on_file(path, event_count)` is called after each file. Raises SampleError for a wrong argument.
    """
    check_range("seed", seed, 0, 2**63 - 1)
    check_range("capsule_count", capsule_count, 1, MAXIMUM_CAPSULE_COUNT)
    check_seconds("interval_seconds", interval_seconds, 0.2, 3600)
    check_clock(clock())
    index = int(clock().timestamp() / interval_seconds)
    file_count = event_count = 0
    while not stop():
        now = clock().astimezone(UTC)
        events = live_batch(seed, index, now, capsule_count=capsule_count, interval_seconds=interval_seconds)
        path = landing / live_file_name(now, index)
        write_whole(path, join_lines(encode_event(event) for event in events))
        file_count += 1
        event_count += len(events)
        index += 1
        if on_file is not None:
            on_file(path, len(events))
        waited = 0.0
        while waited < interval_seconds and not stop():
            step = min(0.2, interval_seconds - waited)
            sleep(step)
            waited += step
    return LiveSummary(file_count, event_count)


def live_file_name(now: datetime, index: int) -> str:
    """Sorts by time; index and process id keep two files, and two runs, of one second apart.

    No run of digits is so long that it would be masked like a phone number.
    """
    return (
        f"live-{now.astimezone(UTC):%Y-%m-%dT%H-%M-%S}-n{index % 100_000:05d}-p{os.getpid() % 100_000}.ndjson"
    )
