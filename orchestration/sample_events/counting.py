"""One planned session, counted: what METRICS says about a single session.

Why it exists: the first half of the recount (`truth.py` adds the sessions up); it keeps a few numbers a
session, so that a stream of millions of events need not stay in memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from orchestration.sample_events.plan import MILLISECONDS_OF_DAY, Kind, PlannedSession

ENGAGED_GAP_MILLISECONDS: Final = 60_000
ENGAGED_LEAST_MILLISECONDS: Final = 10_000
LEAD_TYPES: Final = frozenset({"lead", "signup", "newsletter_signup", "demo_request", "contact"})
# Actions of the person: any of them makes a session with one view more than a bounce.
PERSON_KINDS: Final[frozenset[Kind]] = frozenset(
    {
        "user_message",
        "repeated_message",
        "access",
        "playback",
        "search",
        "empty_search",
        "cta_click",
        "conversion",
        "repeated_conversion",
        "feedback",
        "custom",
    }
)


@dataclass(slots=True)
class DayCounts:
    """What one session did on one UTC day."""

    view_count: int = 0
    turn_count: int = 0
    message_count: int = 0
    content_access_count: int = 0
    search_count: int = 0
    zero_result_count: int = 0
    cta_impression_count: int = 0
    cta_click_count: int = 0
    conversion_count: int = 0
    lead_count: int = 0
    items: list[str] = field(default_factory=list)
    cents: list[tuple[str, int]] = field(default_factory=list)
    plays: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class CountedSession:
    """One session, reduced to what the figures need."""

    capsule_id: str
    channel: str
    country: str
    device: str
    visitor: str
    is_identified: bool
    is_bot: bool
    start: int
    milliseconds: int
    engaged_milliseconds: int
    turn_count: int
    message_count: int
    has_view: bool
    is_bounce: bool
    is_engaged: bool
    days: dict[int, DayCounts]
    reply_milliseconds: list[int]
    is_returning: bool = False

    @property
    def start_day(self) -> int:
        return self.start // MILLISECONDS_OF_DAY


def count_session(session: PlannedSession) -> CountedSession:
    """Walk the steps of a plan once and count them."""
    days: dict[int, DayCounts] = {}
    replies: list[int] = []
    unanswered: list[int] = []
    engaged = 0
    previous = session.steps[0].instant
    play_count = 0
    has_person_action = False
    for instant, kind, detail, cents in session.steps:
        gap = instant - previous
        engaged += gap if gap < ENGAGED_GAP_MILLISECONDS else ENGAGED_GAP_MILLISECONDS
        previous = instant
        day = instant // MILLISECONDS_OF_DAY
        counts = days.get(day)
        if counts is None:
            counts = days[day] = DayCounts()
        has_person_action = has_person_action or kind in PERSON_KINDS
        if kind == "view":
            counts.view_count += 1
        elif kind == "user_message":
            counts.turn_count += 1
            counts.message_count += 1
            unanswered.append(instant)
        elif kind == "assistant_message":
            counts.message_count += 1
            replies += [instant - asked for asked in unanswered]
            unanswered.clear()
        elif kind == "access":
            counts.content_access_count += 1
            counts.items.append(f"{session.capsule_id}/{detail['contentId']}")
            if "playId" in detail:
                counts.plays.append(session.plays[play_count])
                play_count += 1
        elif kind in ("search", "empty_search"):
            counts.search_count += 1
            counts.zero_result_count += kind == "empty_search"
        elif kind == "cta_impression":
            counts.cta_impression_count += 1
        elif kind == "cta_click":
            counts.cta_click_count += 1
            counts.conversion_count += 1
        elif kind == "conversion":
            counts.conversion_count += 1
            counts.lead_count += detail["conversionType"] in LEAD_TYPES
            if cents is not None:
                counts.cents.append((str(detail["currency"]), cents))
    views = sum(counts.view_count for counts in days.values())
    turns = sum(counts.turn_count for counts in days.values())
    has_conversion = any(counts.conversion_count for counts in days.values())
    has_access = any(counts.content_access_count for counts in days.values())
    return CountedSession(
        capsule_id=session.capsule_id,
        channel=session.channel,
        country=session.country,
        device=session.device,
        visitor=session.visitor,
        is_identified=session.is_identified,
        is_bot=session.is_bot,
        start=session.steps[0].instant,
        milliseconds=session.steps[-1].instant - session.steps[0].instant,
        engaged_milliseconds=engaged,
        turn_count=turns,
        message_count=sum(counts.message_count for counts in days.values()),
        has_view=views > 0,
        is_bounce=views == 1 and not has_person_action,
        is_engaged=turns > 0
        or has_access
        or has_conversion
        or views >= 2
        or engaged >= ENGAGED_LEAST_MILLISECONDS,
        days=days,
        reply_milliseconds=replies,
    )


def mark_returning(sessions: Iterable[CountedSession]) -> None:
    """Returning: an identified visitor with an earlier session on the same capsule."""
    seen: set[tuple[str, str]] = set()
    for session in sorted(sessions, key=lambda each: each.start):
        key = (session.visitor, session.capsule_id)
        session.is_returning = session.is_identified and key in seen
        seen.add(key)
