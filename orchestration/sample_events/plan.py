"""The plan of one session: what truth counts and what is spelled into events.

Why it exists: `truth.py` counts these plans and never the written lines, so the truth is independent of
every reading of the lines, the pipeline's included.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from orchestration.sample_events.audience import Metadata

Kind = Literal[
    "view",
    "user_message",
    "assistant_message",
    "other_message",
    "repeated_message",
    "access",
    "playback",
    "citation",
    "search",
    "empty_search",
    "cta_impression",
    "cta_click",
    "conversion",
    "repeated_conversion",
    "feedback",
    "heartbeat",
    "custom",
    "opt_out",
]

EVENT_TYPES: Final[dict[Kind, str]] = {
    "view": "view",
    "user_message": "interaction",
    "assistant_message": "interaction",
    "other_message": "interaction",
    "repeated_message": "interaction",
    "access": "content_access",
    "playback": "content_access",
    "citation": "content_access",
    "search": "interaction",
    "empty_search": "interaction",
    "cta_impression": "interaction",
    "cta_click": "interaction",
    "conversion": "conversion",
    "repeated_conversion": "conversion",
    "feedback": "interaction",
    "heartbeat": "interaction",
    "custom": "custom",
    "opt_out": "interaction",
}

MILLISECONDS_OF_DAY: Final = 86_400_000


class Step(NamedTuple):
    """One event of a session; `instant` in milliseconds UTC, `cents` the money of a sale or refund."""

    instant: int
    kind: Kind
    detail: Metadata
    cents: int | None = None


@dataclass(slots=True)
class PlannedSession:
    """One session under METRICS, "Sessions": no two neighbouring steps more than 30 minutes apart.

    `session_id` may be shared by several planned sessions (cut by silence, or by another user).
    `visitor` is the visitor's identity with its tier in front; `user_id` is sent from step
    `user_from` on. A suppressed plan is written and only counted as suppressed lines.
    """

    capsule_id: str
    session_id: str
    visitor: str
    channel: str
    country: str
    device: str
    steps: list[Step]
    entry: Metadata
    ambient: Metadata
    user_id: str | None = None
    user_from: int = 0
    is_bot: bool = False
    is_suppressed: bool = False
    clock_style: int = 0
    offset_minutes: int = 0
    is_snake_case: bool = False
    has_event_ids: bool = True
    # One entry a video play: whether at least 95 % were watched.
    plays: list[bool] = field(default_factory=list)

    @property
    def is_identified(self) -> bool:
        return not self.visitor.startswith("session:")
