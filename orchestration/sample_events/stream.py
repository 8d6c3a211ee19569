"""The door of the sample stream: files that look like life, and the exact truth about them.

Why it exists: a first run needs data worth looking at, and the whole pipeline needs a recount it
cannot influence. Not here: anything of the pipeline; this package imports none of it.

Deterministic: equal arguments and the same `now` give equal bytes. Another hour of the same day
changes today's file and the truth only (and yesterday's file, while a session over midnight lasts).

The truth does not depend on when the stream is loaded: anonymous persons who send an IP address
have a network of their own, so the tiers `daily` and `session` count them alike (as *unknown*), and a
user agent never comes without such an address. It assumes the default retention window.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from orchestration.sample_events import dirt
from orchestration.sample_events.arguments import check_clock, check_range
from orchestration.sample_events.audience import Metadata
from orchestration.sample_events.catalog import MAXIMUM_CAPSULE_COUNT, Capsule, sample_capsules
from orchestration.sample_events.counting import count_session
from orchestration.sample_events.plan import MILLISECONDS_OF_DAY, PlannedSession
from orchestration.sample_events.specials import SpecialPlanner
from orchestration.sample_events.spelling import encode_event, spell_day, spell_events
from orchestration.sample_events.traffic import INCIDENT_DEVICE, TrafficPlanner
from orchestration.sample_events.truth import Figures, Tally
from orchestration.sample_events.writer import DayFiles, write_catalog, write_whole

DEFAULT_CAPSULE_COUNT: Final = 4
DEFAULT_DAY_COUNT: Final = 92
DEFAULT_EVENTS_PER_DAY: Final = 400
DEFAULT_SEED: Final = 7

MAXIMUM_DAY_COUNT: Final = 390  # Older events fall out of the default retention of 13 months.
MAXIMUM_EVENTS_PER_DAY: Final = 1_000_000

_RESEND_RATE: Final = 0.006
_LATE_SESSION_RATE: Final = 0.03
_BROKEN_RATE: Final = 0.0015
_CANDIDATES_OF_A_DAY: Final = 60
_HOUR: Final = 3_600_000
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """What was written, for the command line to print."""

    landing: Path
    truth_file: Path
    first_day: date
    last_day: date
    file_count: int
    byte_count: int
    capsule_count: int
    session_count: int
    received_count: int
    accepted_count: int
    duplicate_count: int
    rejected_count: int
    suppressed_count: int


def write_sample(
    landing: Path,
    truth_file: Path,
    *,
    capsule_count: int = DEFAULT_CAPSULE_COUNT,
    day_count: int = DEFAULT_DAY_COUNT,
    events_per_day: int = DEFAULT_EVENTS_PER_DAY,
    seed: int = DEFAULT_SEED,
    now: datetime,
) -> SampleSummary:
    """Write catalogues, one event file a day up to `now`, and the truth beside them.

    `events_per_day` is per capsule, on average over the stream. Raises SampleError for an argument
    out of range, OSError when a folder cannot be written.
    """
    check_range("capsule_count", capsule_count, 1, MAXIMUM_CAPSULE_COUNT)
    check_range("day_count", day_count, 1, MAXIMUM_DAY_COUNT)
    check_range("events_per_day", events_per_day, 1, MAXIMUM_EVENTS_PER_DAY)
    check_range("seed", seed, 0, 2**63 - 1)
    check_clock(now)
    stream = _Stream(landing, sample_capsules(capsule_count), day_count, events_per_day, seed, now)
    write_catalog(landing, stream.capsules, stream.first_day)
    for day_index in range(day_count):
        stream.write_day(day_index)
    document = {
        "arguments": {
            "capsule_count": capsule_count,
            "day_count": day_count,
            "events_per_day": events_per_day,
            "seed": seed,
            "now": now.astimezone(UTC).isoformat(),
        },
        **stream.tally.document(stream.first_day, stream.last_day),
        "late_event_count": stream.tally.late_count,
        "files": stream.files.line_counts,
        "incident": stream.incident(),
    }
    write_whole(truth_file, json.dumps(document, indent=1).encode("utf-8") + b"\n")
    return stream.summary(truth_file)


class _Stream:
    """One run over the days in order: plan, spell, soil, count, write."""

    def __init__(
        self,
        landing: Path,
        capsules: list[Capsule],
        day_count: int,
        events_per_day: int,
        seed: int,
        now: datetime,
    ) -> None:
        self.capsules = capsules
        self.day_count = day_count
        self.seed = seed
        self.now = int(now.timestamp() * 1000)
        self.last_day = now.astimezone(UTC).date()
        self.midnight = (self.last_day.toordinal() - _EPOCH_ORDINAL) * MILLISECONDS_OF_DAY
        self.first_day = self.last_day - timedelta(days=day_count - 1)
        self.files = DayFiles(landing)
        self.tally = Tally()
        self.traffic = TrafficPlanner(
            capsules,
            seed=seed,
            first_day=self.first_day,
            day_count=day_count,
            events_per_day=events_per_day,
        )
        self.specials = SpecialPlanner(capsules[0], capsules[min(1, len(capsules) - 1)])
        self.broken_count = 0
        self.has_latest_arrival = False
        # Events of the day that may be broken or contradicted: on time, and late ones.
        self.prompt: list[tuple[int, Metadata]] = []
        self.late: list[tuple[int, Metadata]] = []

    def write_day(self, day_index: int) -> None:
        day = self.first_day + timedelta(days=day_index)
        rng = Random(f"{self.seed}/dirt/{day.isoformat()}")
        self.prompt, self.late = [], []
        accepted_before = self.tally.accepted_count
        for capsule_index in range(len(self.capsules)):
            for session in self.traffic.plan_day(capsule_index, day_index):
                self._emit(session, day_index)
        for session in self._special_sessions(day_index):
            self._emit(session, day_index)
        self._soil(day_index, self.tally.accepted_count - accepted_before, rng)
        self.files.write(day.isoformat(), is_open=day == self.last_day)

    def _special_sessions(self, day_index: int) -> Iterator[PlannedSession]:
        """Edges once a week; a flood, an open tab and three opt-outs once in the stream."""
        midnight = (self.first_day.toordinal() + day_index - _EPOCH_ORDINAL) * MILLISECONDS_OF_DAY
        rng = Random(f"{self.seed}/specials/{day_index}")
        if day_index % 7 == min(3, self.day_count - 1):
            yield from self.specials.edges(midnight + 12 * _HOUR, rng)
        if day_index == self.day_count // 3:
            yield self.specials.flood(midnight + 3 * _HOUR + 15 * 60_000 + 5_000, rng)
        if day_index == self.day_count // 5:
            yield self.specials.open_tab(midnight + 5 * _HOUR, rng)
        for quarter, tier in ((1, "user"), (2, "visitor"), (3, "session")):
            if day_index == quarter * self.day_count // 4:
                yield from self.specials.opt_out(
                    midnight + (6 + quarter) * _HOUR,
                    tier,  # type: ignore[arg-type]
                    rng,
                )

    def _emit(self, session: PlannedSession, day_index: int) -> None:
        """Write the events of a session and count it; sessions not over by now are left out."""
        if session.steps[-1].instant > self.now:
            return
        # Its own random numbers, so that a session left out changes no other.
        rng = Random(f"{self.seed}/{session.session_id}/{session.steps[0].instant}")
        events = spell_events(session, rng)
        if session.is_suppressed:
            self.tally.suppressed_count += len(events)
        else:
            self.tally.accepted_count += len(events)
            self.tally.sessions.append(count_session(session))
        delay, late_from = self._lateness(session, rng, day_index)
        for index, (step, event) in enumerate(zip(session.steps, events, strict=True)):
            arrival = step.instant
            if index >= late_from and self._may_arrive(arrival, arrival + delay):
                arrival += delay
                self.tally.late_count += 1
            line = encode_event(event)
            self._add(arrival, line)
            if session.is_suppressed or session.is_bot:
                continue
            if rng.random() < _RESEND_RATE:
                self._resend(step.instant, arrival, event, line, rng)
            elif session.has_event_ids:
                candidates = self.late if arrival > step.instant + 12 * _HOUR else self.prompt
                if len(candidates) < _CANDIDATES_OF_A_DAY:
                    candidates.append((step.instant, event))

    def _may_arrive(self, instant: int, arrival: int) -> bool:
        """Nothing of an earlier day arrives today: its own day's file would depend on the hour."""
        return arrival < self.midnight or self.midnight <= instant <= arrival <= self.now

    def _lateness(self, session: PlannedSession, rng: Random, day_index: int) -> tuple[int, int]:
        """Delay in milliseconds and the first step it applies to."""
        never = len(session.steps)
        if session.is_suppressed or session.is_bot:
            return 0, never
        if not self.has_latest_arrival and day_index >= self.day_count - 25:
            self.has_latest_arrival = True
            return dirt.LATEST_ARRIVAL, never - 1
        if rng.random() < _LATE_SESSION_RATE:
            return dirt.late_delay(rng), rng.randrange(never)
        return 0, never

    def _resend(self, instant: int, arrival: int, event: Metadata, line: bytes, rng: Random) -> None:
        again = arrival + dirt.resend_delay(rng)
        if again > self.now:
            return
        if rng.random() < 0.2:
            line = encode_event(dirt.respelled(event, instant))
        self._add(again, line)
        self.tally.duplicate_count += 1

    def _soil(self, day_index: int, accepted_count: int, rng: Random) -> None:
        """Broken lines every day, so that every kind occurs in any stream; conflicts once a month."""
        if not self.prompt:
            return
        fewest = -(-len(dirt.BREAKAGES) // self.day_count)
        for _ in range(max(fewest, int(accepted_count * _BROKEN_RATE))):
            instant, event = rng.choice(self.prompt)
            reason, line = dirt.break_event(event, self.broken_count, rng)
            self.broken_count += 1
            self._add(instant, line)
            self.tally.rejected[reason] += 1
        if day_index % 30 == min(1, self.day_count - 1):
            for candidates in (self.prompt, self.late):
                if candidates:
                    self._contradict(*candidates[len(candidates) // 2])

    def _contradict(self, instant: int, event: Metadata) -> None:
        arrival = instant + 9_000
        if arrival > self.now:
            return
        self._add(arrival, encode_event(dirt.conflicting_event(event, instant)))
        self.tally.rejected["id_conflict"] += 1

    def _add(self, arrival: int, line: bytes) -> None:
        self.files.add(spell_day(arrival // MILLISECONDS_OF_DAY), arrival, line)

    def incident(self) -> Figures | None:
        """What an insight should find: bounces on mobile before the incident and during it."""
        begins = self.traffic.incident_begins
        if begins >= self.day_count:
            return None
        capsule_id = self.traffic.incident_capsule.capsule_id
        first = self.first_day + timedelta(days=begins)
        boundary = first.toordinal() - _EPOCH_ORDINAL
        counts = {"before": [0, 0], "during": [0, 0]}
        for session in self.tally.sessions:
            if session.is_bot or not session.has_view:
                continue
            if session.capsule_id == capsule_id and session.device == INCIDENT_DEVICE:
                period = counts["during" if session.start_day >= boundary else "before"]
                period[0] += 1
                period[1] += session.is_bounce
        return {
            "capsule_id": capsule_id,
            "from": first.isoformat(),
            "to": self.last_day.isoformat(),
            "dimension": "device",
            "value": INCIDENT_DEVICE,
            "metric": "bounce_rate",
            **{
                name: {"session_count": sessions, "bounce_count": bounces}
                for name, (sessions, bounces) in counts.items()
            },
        }

    def summary(self, truth_file: Path) -> SampleSummary:
        tally = self.tally
        rejected = tally.rejected.total()
        return SampleSummary(
            landing=self.files.landing,
            truth_file=truth_file,
            first_day=self.first_day,
            last_day=self.last_day,
            file_count=len(self.files.line_counts),
            byte_count=self.files.byte_count,
            capsule_count=len(self.capsules),
            session_count=len(tally.sessions),
            received_count=sum(self.files.line_counts.values()),
            accepted_count=tally.accepted_count,
            duplicate_count=tally.duplicate_count,
            rejected_count=rejected,
            suppressed_count=tally.suppressed_count,
        )
