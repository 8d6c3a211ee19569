"""When sessions begin and who they belong to: rhythm, growth, audience, crawlers, the incident.

Why it exists: a stream that looks like life needs weekdays and local hours, visitors who return, a
newsletter day and a campaign, and one thing that went wrong and can be found.
"""

from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Final

from orchestration.sample_events.audience import (
    CRAWLERS,
    HOST,
    Country,
    Metadata,
    Mix,
    Person,
    Source,
    Tier,
    country_mix,
    make_person,
    network_address,
    source_mix,
)
from orchestration.sample_events.catalog import Capsule
from orchestration.sample_events.journeys import Visit
from orchestration.sample_events.plan import MILLISECONDS_OF_DAY, PlannedSession, Step
from orchestration.sample_events.spelling import CLOCK_STYLES, WHOLE_SECOND_STYLES

# Measured over the eight named capsules, crawlers included; turns events wanted into sessions.
EVENTS_PER_SESSION: Final = 8.5
CRAWLER_SHARE: Final = 0.05
INCIDENT_DAYS: Final = 7
INCIDENT_DEVICE: Final = "mobile"
_INCIDENT_BOUNCE_RATE: Final = 0.80
_NEWSLETTER_WEEKDAY: Final = 1

# Sessions by hour of the visitor's clock, midnight first.
_OFFICE_HOURS: Final = tuple(map(int, "1 1 1 1 1 2 4 8 14 18 19 17 13 16 18 17 14 10 7 6 5 4 3 2".split()))
_HOME_HOURS: Final = tuple(map(int, "2 1 1 1 1 2 4 6 7 8 9 11 12 10 9 10 13 17 20 21 18 14 9 4".split()))
_BOUNCE_BY_CHANNEL: Final = {
    "social": 0.10,
    "paid_social": 0.10,
    "paid_other": 0.16,
    "search": 0.02,
    "email": -0.09,
    "ai_assistant": -0.06,
    "internal": -0.12,
}
_CONVERSION_BY_CHANNEL: Final = {"email": 1.6, "paid_search": 1.5, "ai_assistant": 1.3, "social": 0.6}
_TIERS: Final[dict[Tier, float]] = {"session": 0.36, "visitor": 0.46, "user": 0.18}
_RETURN_RATE: Final = {"visitor": 0.34, "user": 0.62}


@dataclass(slots=True)
class Audience:
    """The persons of one capsule who may return, and its mixes; grows while the stream is planned."""

    capsule: Capsule
    countries: Mix[Country]
    sources: Mix[Source]
    newsletter_sources: Mix[Source]
    campaign_sources: Mix[Source]
    hours: Mix[int]
    known: dict[str, list[Person]] = field(default_factory=lambda: {"visitor": [], "user": []})


def make_audience(capsule: Capsule) -> Audience:
    return Audience(
        capsule,
        country_mix(capsule.region),
        source_mix({}),
        source_mix({"email": 4.0}),
        source_mix({"campaign_link": 5.0, "paid_search": 2.0, "paid_social": 4.0, "paid_other": 4.0}),
        Mix(range(24), _OFFICE_HOURS if capsule.is_office else _HOME_HOURS),
    )


class TrafficPlanner:
    """Plans the sessions of one capsule and day after another; days have to come in order."""

    def __init__(
        self,
        capsules: list[Capsule],
        *,
        seed: int,
        first_day: date,
        day_count: int,
        events_per_day: int,
    ) -> None:
        self.seed = seed
        self.first_day = first_day
        self.day_count = day_count
        self.events_per_day = events_per_day
        self.audiences = [make_audience(capsule) for capsule in capsules]
        self.tiers: Mix[Tier] = Mix(list(_TIERS), list(_TIERS.values()))
        self.person_count = 0
        self.incident_capsule = capsules[min(1, len(capsules) - 1)]
        # Two weeks are the least that "before" needs.
        self.incident_begins = day_count - INCIDENT_DAYS if day_count >= 21 else day_count

    def next_number(self) -> int:
        self.person_count += 1
        return self.person_count

    def plan_day(self, capsule_index: int, day_index: int) -> list[PlannedSession]:
        """Every session that starts on that UTC day, crawlers included, in no particular order."""
        audience = self.audiences[capsule_index]
        day = date.fromordinal(self.first_day.toordinal() + day_index)
        rng = Random(f"{self.seed}/{audience.capsule.capsule_id}/{day.isoformat()}")
        wanted = self.events_per_day * self._weight(audience.capsule, day, day_index, rng)
        sessions = []
        for _ in range(int(wanted / EVENTS_PER_SESSION + rng.random())):
            if rng.random() < CRAWLER_SHARE:
                sessions.append(self._crawl(audience, day, rng))
            else:
                sessions.append(self._visit(audience, day, day_index, rng))
        return sessions

    def _weight(self, capsule: Capsule, day: date, day_index: int, rng: Random) -> float:
        """Growth over the stream times weekday times some noise; 1 on average."""
        progress = day_index / max(1, self.day_count - 1)
        growth = (1 + capsule.growth * progress) / (1 + capsule.growth / 2)
        weekday = capsule.week[day.weekday()] * 7 / sum(capsule.week)
        return growth * weekday * (0.9 + 0.2 * rng.random())

    def person(self, audience: Audience, rng: Random) -> tuple[Person, bool]:
        """A person for the next session, and whether they have been on this capsule before."""
        tier = self.tiers.draw(rng)
        known = audience.known.get(tier, [])
        if known and rng.random() < _RETURN_RATE.get(tier, 0.0):
            # Recent visitors are the likelier ones to return.
            return known[max(0, len(known) - 1 - int(120 * rng.random() ** 2))], True
        if tier == "user" and rng.random() < 0.15:
            # A signed-in person of another capsule: one visitor, new on this one.
            other = self.audiences[rng.randrange(len(self.audiences))].known["user"]
            if other:
                return other[rng.randrange(len(other))], False
        person = make_person(rng, tier, audience.countries.draw(rng), self.next_number())
        if tier in audience.known:
            audience.known[tier].append(person)
        return person, False

    def _start(self, audience: Audience, day: date, offset_minutes: int, rng: Random) -> int:
        """An instant of that UTC day at a likely hour on the visitor's clock."""
        local = audience.hours.draw(rng) * 3_600_000 + int(rng.random() * 3_600_000)
        day_number = day.toordinal() - date(1970, 1, 1).toordinal()
        in_day = (local - offset_minutes * 60_000) % MILLISECONDS_OF_DAY
        return day_number * MILLISECONDS_OF_DAY + in_day

    def _source(self, audience: Audience, day: date, day_index: int, rng: Random) -> Source:
        if day.weekday() == _NEWSLETTER_WEEKDAY:
            return audience.newsletter_sources.draw(rng)
        if 0.4 <= day_index / self.day_count < 0.55:
            return audience.campaign_sources.draw(rng)
        return audience.sources.draw(rng)

    def _visit(self, audience: Audience, day: date, day_index: int, rng: Random) -> PlannedSession:
        capsule = audience.capsule
        person, is_known = self.person(audience, rng)
        source = self._source(audience, day, day_index, rng)
        start = self._start(audience, day, person.country.offset_minutes, rng)
        session = open_session(capsule, person, source, rng)
        visit = Visit(
            rng,
            capsule,
            session.session_id,
            start,
            1000 if session.clock_style in WHOLE_SECOND_STYLES else 1,
            country=session.country,
            may_access_cold=day_index < self.day_count - 35,
        )
        bounce_rate = capsule.bounce_rate + _BOUNCE_BY_CHANNEL.get(source.channel, 0.0)
        bounce_rate += (0.04 if person.device == "mobile" else 0.0) - (0.12 if is_known else 0.0)
        if self.is_incident(capsule, day_index) and person.device == INCIDENT_DEVICE:
            bounce_rate = _INCIDENT_BOUNCE_RATE
        if rng.random() < bounce_rate:
            visit.arrive()
            visit.leave_at_once()
        else:
            # Some embeddings do not send views.
            visit.arrive(has_view=rng.random() > 0.02)
            visit.explore(_CONVERSION_BY_CHANNEL.get(source.channel, 1.0))
        session.steps = visit.steps
        session.plays = visit.plays
        if person.tier == "user" and len(visit.steps) > 2 and rng.random() < 0.25:
            # Signs in on the way: the events before belong to the same session and person.
            session.user_from = 1 + rng.randrange(len(visit.steps) - 1)
        return session

    def is_incident(self, capsule: Capsule, day_index: int) -> bool:
        return capsule is self.incident_capsule and day_index >= self.incident_begins

    def _crawl(self, audience: Audience, day: date, rng: Random) -> PlannedSession:
        """A crawler: views only, known by its user agent, or by the label of a gateway before us."""
        instant = self._start(audience, day, 0, rng)
        steps = []
        for _ in range(1 + rng.randrange(4)):
            steps.append(Step(instant, "view", {}))
            instant += 400 + rng.randrange(20_000)
        agent: Metadata = {"device": "bot"}
        if rng.random() < 0.85:
            address = network_address(self.next_number())
            agent = {"userAgent": rng.choice(CRAWLERS), "ip": address, "location": "US"}
        session_id = f"s-{rng.getrandbits(48):012x}"
        return PlannedSession(
            capsule_id=audience.capsule.capsule_id,
            session_id=session_id,
            visitor=f"session:{audience.capsule.capsule_id}/{session_id}",
            channel="unknown",
            country="US" if "location" in agent else "unknown",
            device="bot",
            steps=steps,
            entry={},
            ambient=agent,
            is_bot=True,
        )


def open_session(capsule: Capsule, person: Person, source: Source, rng: Random) -> PlannedSession:
    """A session of `person` without steps yet: who, from where, with what, in which spelling."""
    session_id = f"s-{rng.getrandbits(48):012x}"
    identity = f"{capsule.capsule_id}/{session_id}" if person.tier == "session" else person.identity
    url = f"{HOST}/c/{capsule.capsule_id}"
    if source.url_query:
        url = f"{url}?{source.url_query}"
    return PlannedSession(
        capsule_id=capsule.capsule_id,
        session_id=session_id,
        visitor=f"{person.tier}:{identity}",
        channel=source.channel,
        country=person.country.code if person.is_located else "unknown",
        device=person.device,
        steps=[],
        entry={"url": url, **dict(source.metadata), **dict(person.entry)},
        ambient=dict(person.ambient),
        user_id=person.identity if person.tier == "user" else None,
        clock_style=CLOCK_STYLES[rng.randrange(len(CLOCK_STYLES))],
        offset_minutes=person.country.offset_minutes,
        is_snake_case=rng.random() < 0.03,
        has_event_ids=rng.random() > 0.03,
    )
