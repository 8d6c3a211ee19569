"""The exact figures of a sample stream, counted from the plans of its sessions.

Why it exists: the independent recount that the whole pipeline is held to. It shares no code with
admission, models or metrics; every number follows METRICS.md with arithmetic written out here.

Days are UTC. Event counts belong to the day of the event, session figures to the day the session
started. Percentiles interpolate linearly. Rates and averages have six decimals and are null where
there is nothing to divide by. Bots are excluded, and included in the block `bots_included`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

from orchestration.sample_events.counting import CountedSession, DayCounts, mark_returning

Figures = dict[str, object]


def percentile(values: Sequence[float], fraction: float) -> float | None:
    """Linear interpolation between the two nearest ranks of sorted values; None of nothing."""
    if not values:
        return None
    position = fraction * (len(values) - 1)
    below = int(position)
    above = min(below + 1, len(values) - 1)
    return round(values[below] + (values[above] - values[below]) * (position - below), 6)


def ratio(numerator: float, denominator: float) -> float | None:
    return round(numerator / denominator, 6) if denominator else None


def figures(sessions: Sequence[CountedSession], day: int | None = None) -> Figures:
    """The metrics over these sessions, of all their days or of one UTC day (days since 1970)."""
    active = [(s, c) for s in sessions for d, c in s.days.items() if day is None or d == day]
    started = [s for s in sessions if day is None or s.start_day == day]
    return {
        **_event_figures([counts for _, counts in active]),
        **_visitor_figures(active),
        **_session_figures(started),
    }


def _event_figures(days: list[DayCounts]) -> Figures:
    money: Counter[str] = Counter()
    for counts in days:
        for currency, cents in counts.cents:
            money[currency] += cents
    plays = [is_completed for counts in days for is_completed in counts.plays]
    searches = sum(counts.search_count for counts in days)
    impressions = sum(counts.cta_impression_count for counts in days)
    clicks = sum(counts.cta_click_count for counts in days)
    return {
        "view_count": sum(counts.view_count for counts in days),
        "turn_count": sum(counts.turn_count for counts in days),
        "message_count": sum(counts.message_count for counts in days),
        "content_access_count": sum(counts.content_access_count for counts in days),
        "content_item_count": len({item for counts in days for item in counts.items}),
        "search_count": searches,
        "zero_result_rate": ratio(sum(counts.zero_result_count for counts in days), searches),
        "video_play_count": len(plays),
        "video_completion_rate": ratio(sum(plays), len(plays)),
        "cta_impression_count": impressions,
        "cta_click_count": clicks,
        "cta_click_through_rate": ratio(clicks, impressions),
        "conversion_count": sum(counts.conversion_count for counts in days),
        "lead_count": sum(counts.lead_count for counts in days),
        "revenue": {currency: money[currency] / 100 for currency in sorted(money)},
    }


def _visitor_figures(active: list[tuple[CountedSession, DayCounts]]) -> Figures:
    everyone = {session.visitor for session, _ in active}
    identified = {session.visitor for session, _ in active if session.is_identified}
    returning = {session.visitor for session, _ in active if session.is_returning}
    converting = {session.visitor for session, counts in active if counts.conversion_count}
    leads = {session.visitor for session, counts in active if counts.lead_count}
    talking = {session.visitor for session, counts in active if counts.turn_count}
    return {
        "visitor_count": len(everyone),
        "unique_viewer_count": len({s.visitor for s, counts in active if counts.view_count}),
        "new_visitor_count": len(identified - returning),
        "returning_visitor_count": len(returning),
        "unknown_visitor_count": len(everyone - identified),
        "return_visit_rate": ratio(len(returning), len(identified)),
        "converting_visitor_count": len(converting),
        "conversion_rate": ratio(len(converting), len(everyone)),
        "lead_capture_rate": ratio(len(leads & talking), len(talking)),
    }


def _session_figures(sessions: list[CountedSession]) -> Figures:
    count = len(sessions)
    seconds = sorted(session.milliseconds / 1000 for session in sessions)
    turns = sorted(session.turn_count for session in sessions)
    conversations = [session for session in sessions if session.turn_count]
    depths = sorted(session.turn_count for session in conversations)
    replies = sorted(ms / 1000 for session in sessions for ms in session.reply_milliseconds)
    engaged = sum(session.engaged_milliseconds for session in sessions)
    bounces = sum(session.is_bounce for session in sessions)
    engaged_sessions = sum(session.is_engaged for session in sessions)
    messages = sum(session.message_count for session in conversations)
    return {
        "session_count": count,
        "session_seconds_avg": ratio(sum(s.milliseconds for s in sessions) / 1000, count),
        "session_seconds_median": percentile(seconds, 0.5),
        "session_seconds_p90": percentile(seconds, 0.9),
        "engaged_seconds_total": engaged / 1000,
        "engaged_seconds_avg": ratio(engaged / 1000, count),
        "bounce_count": bounces,
        "bounce_rate": ratio(bounces, sum(session.has_view for session in sessions)),
        "engaged_session_count": engaged_sessions,
        "engagement_rate": ratio(engaged_sessions, count),
        "conversation_count": len(conversations),
        "turns_per_session_avg": ratio(sum(turns), count),
        "turns_per_session_median": percentile(turns, 0.5),
        "turns_per_conversation_avg": ratio(sum(depths), len(conversations)),
        "turns_per_conversation_median": percentile(depths, 0.5),
        "messages_per_conversation_avg": ratio(messages, len(conversations)),
        "reply_seconds_median": percentile(replies, 0.5),
    }


_GROUPINGS: Final[dict[str, Callable[[CountedSession], str]]] = {
    "by_capsule": lambda session: session.capsule_id,
    "by_channel": lambda session: session.channel,
    "by_country": lambda session: session.country,
    "by_device": lambda session: session.device,
}


def all_figures(sessions: Sequence[CountedSession], first_day: date, last_day: date) -> Figures:
    """`metrics` of the whole range and `by_day`, `by_capsule`, `by_channel`, `by_country`, `by_device`."""
    epoch = date(1970, 1, 1).toordinal()
    touching: dict[int, list[CountedSession]] = {}
    for session in sessions:
        for day in session.days:
            touching.setdefault(day, []).append(session)
    block: Figures = {"metrics": figures(sessions)}
    block["by_day"] = {
        date.fromordinal(ordinal).isoformat(): figures(touching.get(ordinal - epoch, []), ordinal - epoch)
        for ordinal in range(first_day.toordinal(), last_day.toordinal() + 1)
    }
    for name, key in _GROUPINGS.items():
        groups: dict[str, list[CountedSession]] = {}
        for session in sessions:
            groups.setdefault(key(session), []).append(session)
        block[name] = {group: figures(groups[group]) for group in sorted(groups)}
    return block


class Tally:
    """Collects sessions and lines while the stream is written."""

    def __init__(self) -> None:
        self.sessions: list[CountedSession] = []
        self.accepted_count = 0
        self.duplicate_count = 0
        self.suppressed_count = 0
        self.rejected: Counter[str] = Counter()
        self.late_count = 0

    def accounting(self) -> dict[str, object]:
        rejected = self.rejected.total()
        return {
            "received_count": self.accepted_count + self.duplicate_count + rejected + self.suppressed_count,
            "accepted_count": self.accepted_count,
            "duplicate_count": self.duplicate_count,
            "rejected_count": rejected,
            "suppressed_count": self.suppressed_count,
            "rejected_by_reason": dict(sorted(self.rejected.items())),
        }

    def document(self, first_day: date, last_day: date) -> Figures:
        """The truth without the stream's own description, ready for JSON."""
        mark_returning(self.sessions)
        people = [session for session in self.sessions if not session.is_bot]
        return {
            "from": first_day.isoformat(),
            "to": last_day.isoformat(),
            "timezone": "UTC",
            "events": self.accepted_count,
            "bots": "exclude",
            "accounting": self.accounting(),
            **all_figures(people, first_day, last_day),
            "bots_included": all_figures(self.sessions, first_day, last_day),
        }
