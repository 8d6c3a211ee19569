"""What a person does on a capsule: one visit, step by step.

Why it exists: conversations with drop-off, reading, watching, searching and converting in believable
order and pace. Not here: when sessions begin (`traffic.py`), how a step is spelled (`spelling.py`).
Every pause is at most 15 minutes, so a visit is one session.
"""

from random import Random
from typing import Final

from orchestration.sample_events.audience import Metadata
from orchestration.sample_events.catalog import PERSONAL_QUERIES, Capsule, ContentItem, Cta
from orchestration.sample_events.plan import MILLISECONDS_OF_DAY, Kind, Step

_RATINGS: Final = ("up", "up", "up", "down")
# Sales are sent in the currency of the visitor's country.
_DOLLAR_COUNTRIES: Final = frozenset({"US", "CA", "AU", "BR"})


class Visit:
    """Grows the steps of one visit from `start`; `quantum` is 1000 when the clock sends no milliseconds."""

    def __init__(
        self,
        rng: Random,
        capsule: Capsule,
        session_id: str,
        start: int,
        quantum: int,
        *,
        country: str,
        may_access_cold: bool,
    ) -> None:
        self.rng = rng
        self.capsule = capsule
        self.session_id = session_id
        self.quantum = quantum
        self.instant = start - start % quantum
        self.currency = "USD" if country in _DOLLAR_COUNTRIES else "EUR"
        self.content = [
            item
            for item in capsule.content
            if item.appeal == "normal" or (item.appeal == "cold" and may_access_cold)
        ]
        self.steps: list[Step] = []
        self.plays: list[bool] = []
        self.message_number = 0

    def pause(self, low: float, high: float) -> None:
        """Let time pass, short pauses more often than long ones; at least one quantum."""
        draw = self.rng.random()
        seconds = low + (high - low) * draw * draw
        self.instant += max(self.quantum, int(seconds * 1000) // self.quantum * self.quantum)

    def add(self, kind: Kind, detail: Metadata, cents: int | None = None) -> None:
        self.steps.append(Step(self.instant, kind, detail, cents))

    # --- the whole visit -------------------------------------------------------------------------

    def arrive(self, *, has_view: bool = True) -> None:
        if has_view:
            self.add("view", {})
        if self.rng.random() < 0.45:
            self.pause(0.2, 2)
            self.see(self.capsule.ctas[0])
        if self.rng.random() < 0.3:
            self.pause(0.3, 2)
            self.say("assistant_message", "assistant", self.capsule.topics[0])

    def leave_at_once(self) -> None:
        """What a bounce may still leave behind: signs of life that are no action of the person."""
        if self.rng.random() < 0.25:
            self.pause(4, 40)
            self.add("heartbeat", {"action": "heartbeat"})

    def explore(self, conversion_lift: float) -> None:
        draw = self.rng.random()
        if draw < 0.10:
            self.pause(3, 60)
            self.add("view", {})
        if draw < 0.72:
            self.converse()
        else:
            self.browse()
        if self.rng.random() < 0.13:
            self.search()
        if self.rng.random() < 0.55:
            self.call_to_action(conversion_lift)
        if self.rng.random() < 0.05:
            self.pause(1, 20)
            self.add("feedback", {"action": "feedback", "rating": self.rng.choice(_RATINGS)})
        if self.rng.random() < 0.04:
            self.pause(1, 30)
            self.add("custom", {"name": "share_link_copied", "format": "short", "length": 24})

    # --- conversations ---------------------------------------------------------------------------

    def say(self, kind: Kind, role: str, topic: str, reply_to: str | None = None) -> str:
        self.message_number += 1
        message_id = f"{self.session_id}-m{self.message_number}"
        detail: Metadata = {
            "action": "message",
            "role": role,
            "messageId": message_id,
            "topic": topic,
        }
        if reply_to is not None:
            detail["replyToId"] = reply_to
        self.add(kind, detail)
        return message_id

    def converse(self) -> None:
        topics = self.capsule.topics
        topic_index = int(self.rng.random() * len(topics))
        if self.rng.random() < 0.15:
            self.pause(0.1, 1)
            self.say("other_message", "system", topics[topic_index])
        turn = 0
        keep_going = self.capsule.continue_rate
        while turn < 40:
            turn += 1
            self.pause(5, 75)
            question = self.say("user_message", "user", topics[topic_index])
            self.resend_message()
            self.answer(question, topics[topic_index])
            if self.rng.random() > keep_going:
                break
            # Whoever stays a while tends to stay on.
            keep_going = min(0.9, keep_going + 0.01)
            if self.rng.random() < 0.25:
                topic_index = (topic_index + 1) % len(topics)
            if self.rng.random() < 0.09:
                self.open_content(self.rng.choice(self.content))
            if self.rng.random() < 0.02:
                self.pause(120, 900)

    def answer(self, question: str, topic: str) -> None:
        """The assistant's reply, now and then after a tool call; one question in forty stays open."""
        if self.rng.random() < 0.025:
            return
        if self.rng.random() < 0.05:
            self.pause(0.3, 2)
            self.say("other_message", "tool", topic)
        self.pause(0.8, 9)
        self.say("assistant_message", "assistant", topic, question)
        if self.rng.random() < 0.12:
            item = self.rng.choice(self.content)
            self.pause(0.05, 0.4)
            relevance = round(0.35 + 0.64 * self.rng.random(), 3)
            detail = {**_item_detail(item), "action": "cite", "relevanceScore": relevance}
            self.add("citation", detail)

    def resend_message(self) -> None:
        """A client that retries: a new event for the same `messageId`, which stays one message."""
        if self.rng.random() < 0.004 and self.is_early_in_day():
            last = self.steps[-1]
            self.pause(0.5, 2)
            self.add("repeated_message", last.detail)

    def is_early_in_day(self) -> bool:
        """A repetition on the other side of midnight would leave open which day counts it."""
        return self.instant % MILLISECONDS_OF_DAY < MILLISECONDS_OF_DAY - 120_000

    # --- content ---------------------------------------------------------------------------------

    def browse(self) -> None:
        for _ in range(1 + int(3 * self.rng.random() ** 2)):
            self.open_content(self.rng.choice(self.content))

    def open_content(self, item: ContentItem) -> None:
        self.pause(2, 40)
        detail = _item_detail(item)
        if item.duration_seconds is not None:
            self.watch(item, item.duration_seconds)
            return
        action = self.rng.random()
        if action < 0.25:
            detail["action"] = "download"
        elif action < 0.75:
            detail["action"] = "open"
        if self.rng.random() < 0.3:
            detail["relevanceScore"] = round(0.5 + 0.5 * self.rng.random(), 3)
        self.add("access", detail)
        if self.rng.random() < 0.5:
            self.pause(10, 120)
            self.add("heartbeat", {"action": "heartbeat"})

    def watch(self, item: ContentItem, duration: int) -> None:
        """Play a video in real time to a point; some skip ahead, which is not watching."""
        play_id = f"{self.session_id}-p{len(self.plays) + 1}"
        detail: Metadata = {**_item_detail(item), "playId": play_id, "durationSeconds": duration}
        self.add("access", {**detail, "action": "play", "positionSeconds": 0})
        reach = min(1.0, 0.15 + 1.1 * self.rng.random())
        position = 0
        watched = 0
        for quarter in (0.25, 0.5, 0.75, 1.0):
            target = int(duration * quarter)
            if quarter > reach:
                break
            if quarter == 0.75 and self.rng.random() < 0.15:
                self.pause(1, 3)
                seek = {"action": "seek", "fromSeconds": position, "toSeconds": target}
                self.add("playback", {**detail, **seek})
                position = target
                continue
            self.instant += (target - position) * 1000
            watched += target - position
            position = target
            action = "complete" if quarter == 1.0 else "progress"
            self.add("playback", {**detail, "action": action, "positionSeconds": position})
        if position < duration and self.rng.random() < 0.5:
            rest = int((duration // 5) * self.rng.random()) + 1
            self.instant += rest * 1000
            watched += rest
            pause = {"action": "pause", "positionSeconds": position + rest}
            self.add("playback", {**detail, **pause})
        self.plays.append(watched >= 0.95 * duration)

    def search(self) -> None:
        self.pause(3, 30)
        if self.rng.random() < 0.02:
            query, count = self.rng.choice(PERSONAL_QUERIES), 0
        else:
            query = self.rng.choice(self.capsule.queries)
            count = 0 if self.rng.random() < 0.16 else 1 + int(12 * self.rng.random())
        kind: Kind = "search" if count else "empty_search"
        self.add(kind, {"action": "search", "query": query, "resultCount": count})
        if count and self.rng.random() < 0.55:
            self.open_content(self.rng.choice(self.content))

    # --- calls to action and conversions ---------------------------------------------------------

    def see(self, cta: Cta) -> None:
        self.add("cta_impression", {"action": "cta_impression", **_cta_detail(cta)})

    def call_to_action(self, conversion_lift: float) -> None:
        cta = self.rng.choice(self.capsule.ctas)
        self.pause(0.5, 6)
        self.see(cta)
        if self.rng.random() > 0.17 * conversion_lift:
            return
        self.pause(2, 25)
        self.add("cta_click", {"action": "cta_click", **_cta_detail(cta)})
        if self.rng.random() < 0.5:
            self.pause(10, 150)
            self.convert(cta)

    def convert(self, cta: Cta) -> None:
        detail: Metadata = {"conversionType": cta.conversion_type, "ctaId": cta.cta_id}
        if cta.cents is None:
            self.add("conversion", detail)
            return
        detail["orderId"] = f"o-{self.session_id}"
        if self.rng.random() < 0.02:
            # An amount nobody can read: a conversion without a value.
            self.add("conversion", {**detail, "value": "n/a", "currency": self.currency})
            return
        seats = 1 + int(3 * self.rng.random() ** 3)
        cents = cta.cents * seats
        detail |= {"value": cents / 100, "currency": self.currency}
        self.add("conversion", detail, cents)
        if self.rng.random() < 0.08 and self.is_early_in_day():
            self.pause(2, 30)
            self.add("repeated_conversion", detail)


def _item_detail(item: ContentItem) -> Metadata:
    return {
        "contentId": item.content_id,
        "contentType": item.content_type,
        "contentTitle": item.title,
    }


def _cta_detail(cta: Cta) -> Metadata:
    return {"ctaId": cta.cta_id, "ctaType": cta.cta_type, "ctaLabel": cta.label}
