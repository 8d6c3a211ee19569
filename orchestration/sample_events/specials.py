"""The few sessions that exist because a rule of METRICS has an edge there.

Silence of exactly 30 minutes and of one millisecond more, another user in the same session, one
session id on two capsules, a refund, a tab left open for more than a day, a flood of events, and
persons who opt out.
"""

from random import Random
from typing import Final

from orchestration.sample_events.audience import (
    AGENTS,
    COUNTRIES,
    DIRECT_SOURCE,
    INTERNAL_SOURCE,
    Metadata,
    Person,
    Source,
    Tier,
)
from orchestration.sample_events.catalog import Capsule
from orchestration.sample_events.plan import PlannedSession, Step
from orchestration.sample_events.traffic import open_session

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
FLOOD_EVENT_COUNT: Final = 420
_MESSAGE: Final[Metadata] = {"action": "message", "role": "user"}
_LABELS: Final = (("location", "DE"), ("device", "desktop"), ("browser", "Firefox"), ("os", "Linux"))


class SpecialPlanner:
    """Makes special sessions for one capsule pair; every person is used once and never returns."""

    def __init__(self, capsule: Capsule, next_capsule: Capsule) -> None:
        self.capsule = capsule
        self.next_capsule = next_capsule
        self.serial = 0

    def _session(
        self,
        rng: Random,
        tier: Tier,
        steps: list[Step],
        source: Source = DIRECT_SOURCE,
        capsule: Capsule | None = None,
    ) -> PlannedSession:
        self.serial += 1
        identity = f"{tier[0]}-special-{self.serial:04d}"
        ambient = (("visitorId", identity),) if tier == "visitor" else ()
        person = Person(tier, identity, COUNTRIES[1], AGENTS[0][0], True, _LABELS, ambient, "desktop")
        session = open_session(capsule or self.capsule, person, source, rng)
        session.clock_style, session.is_snake_case, session.has_event_ids = 0, False, True
        session.steps = steps
        return session

    def edges(self, noon: int, rng: Random) -> list[PlannedSession]:
        """Sessions around `noon` (UTC) of one day whose boundaries are worth a test."""
        sessions = [self._silence_of_thirty_minutes(noon, rng), self._refund(noon + _HOUR, rng)]
        sessions += self._silence_cut(noon + 7_000, rng)
        sessions += self._shared_screen(noon + 9_000, rng)
        sessions += self._walk_to_next_capsule(noon + 11_000, rng)
        return sessions

    def _silence_of_thirty_minutes(self, noon: int, rng: Random) -> PlannedSession:
        later = noon + 30 * _MINUTE
        return self._session(rng, "visitor", [Step(noon, "view", {}), Step(later, "user_message", _MESSAGE)])

    def _silence_cut(self, noon: int, rng: Random) -> list[PlannedSession]:
        first = self._session(rng, "visitor", [Step(noon, "view", {})])
        later = noon + 30 * _MINUTE + 1
        steps = [Step(later, "view", {}), Step(later + 4_000, "user_message", _MESSAGE)]
        return [first, _continued(first, steps)]

    def _shared_screen(self, noon: int, rng: Random) -> list[PlannedSession]:
        """Two users, one after the other, in the same client session: two sessions."""
        steps = [Step(noon, "view", {}), Step(noon + 20_000, "user_message", _MESSAGE)]
        first = self._session(rng, "user", steps)
        steps = [Step(noon + 60_000, "view", {}), Step(noon + 75_000, "user_message", _MESSAGE)]
        second = _continued(first, steps)
        second.user_id = f"{first.user_id}-second"
        second.visitor = f"user:{second.user_id}"
        return [first, second]

    def _walk_to_next_capsule(self, noon: int, rng: Random) -> list[PlannedSession]:
        """The same client session goes on another capsule: a session of its own there."""
        first = self._session(rng, "visitor", [Step(noon, "view", {})])
        steps = [Step(noon + 30_000, "view", {}), Step(noon + 50_000, "user_message", _MESSAGE)]
        second = self._session(rng, "visitor", steps, INTERNAL_SOURCE, self.next_capsule)
        second.visitor, second.ambient = first.visitor, first.ambient
        if self.next_capsule is not self.capsule:
            second.session_id = first.session_id
        return [first, second]

    def _refund(self, instant: int, rng: Random) -> PlannedSession:
        detail: Metadata = {"conversionType": "refund", "currency": "USD", "value": -49.0}
        steps = [Step(instant, "view", {}), Step(instant + 45_000, "conversion", detail, -4900)]
        session = self._session(rng, "user", steps)
        detail["orderId"] = f"o-{session.session_id}"
        return session

    def flood(self, instant: int, rng: Random) -> PlannedSession:
        """A script that calls itself a desktop: 420 events inside one minute of the clock."""
        detail: Metadata = {"contentId": self.capsule.content[0].content_id, "action": "open"}
        steps = [Step(instant, "view", {})]
        for number in range(1, FLOOD_EVENT_COUNT):
            at = instant + number * 100
            steps.append(Step(at, "access", detail) if number % 7 == 0 else Step(at, "view", {}))
        session = self._session(rng, "session", steps)
        session.is_bot = True
        return session

    def open_tab(self, instant: int, rng: Random) -> PlannedSession:
        """A tab that sends a sign of life every 20 minutes for 25 hours: no person does that."""
        steps = [Step(instant, "view", {})]
        for number in range(1, 76):
            at = instant + number * 20 * _MINUTE
            steps.append(Step(at, "heartbeat", {"action": "heartbeat"}))
        session = self._session(rng, "session", steps)
        session.is_bot = True
        return session

    def opt_out(self, instant: int, tier: Tier, rng: Random) -> list[PlannedSession]:
        """A visit that stays, then the person opts out: that event and later ones are suppressed."""
        visit = self._session(
            rng, tier, [Step(instant, "view", {}), Step(instant + 15_000, "user_message", _MESSAGE)]
        )
        at = instant + 40_000
        goodbye = _continued(
            visit,
            [
                Step(at, "opt_out", {"action": "settings", "optOut": True}),
                Step(at + 5_000, "view", {}),
            ],
        )
        next_day = instant + 25 * _HOUR
        afterwards = _continued(
            visit, [Step(next_day, "view", {}), Step(next_day + 9_000, "user_message", _MESSAGE)]
        )
        if tier != "session":
            afterwards.session_id = f"s-{rng.getrandbits(48):012x}"
        goodbye.is_suppressed = afterwards.is_suppressed = True
        return [visit, goodbye, afterwards]


def _continued(first: PlannedSession, steps: list[Step]) -> PlannedSession:
    """Another session under the same client session id; it says again where it came from."""
    return PlannedSession(
        capsule_id=first.capsule_id,
        session_id=first.session_id,
        visitor=first.visitor,
        channel=first.channel,
        country=first.country,
        device=first.device,
        steps=steps,
        entry=dict(first.entry),
        ambient=dict(first.ambient),
        user_id=first.user_id,
    )
