"""Figures that are rows of a table, not one number: what they mean, and where well-known tools differ.

Why it exists: `docs/metrics.md` names every figure of the product, also those the registry can't hold, such
as the drop-off at each turn.
Not here: the columns' own texts (the models' yml), the page (`metric_pages.py`).

What is said of a tool is its documented default.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class TableNote:
    """One figure: the mart that holds it, the columns to read, its formula in words, what peers do."""

    title: str
    table: str
    columns: tuple[str, ...]
    definition: str
    formula: str
    peers: str


TABLE_NOTES: Final[tuple[TableNote, ...]] = (
    TableNote(
        "Channel",
        "capsule_traffic_daily",
        ("channel", "source"),
        "The first row of the seed channel_rules that matches, by priority, for the session's first event"
        " that has one. Every session has a channel, so channels add up to all sessions.",
        "sessions of a channel; their sum is the number of sessions",
        "The default channels of Google Analytics 4 cannot be edited and file what they do not know under "
        "Unassigned. Here the rules are a seed anybody can read, AI assistants are a channel of their own, "
        "and a changed rule classifies all history anew.",
    ),
    TableNote(
        "Bots",
        "fct_sessions",
        ("is_bot",),
        "Sessions whose user agent is on a bot list or whose device says bot, that last over 24 hours, or"
        " that send more than 300 events in a minute. Flagged, never dropped.",
        "sessions with is_bot",
        "Most tools drop what they take for bots before it is counted, and nobody can look again. Here it"
        " is a filter: left out, included or alone.",
    ),
    TableNote(
        "Drop-off at turn k",
        "conversation_depth_daily",
        ("reached_count", "dropped_count", "finished_count"),
        "Conversations that reached turn k, and of those that end there how many converted (finished) and"
        " how many did not (dropped). Reached never rises with k; dropped and finished over all k are the"
        " conversations.",
        "drop-off rate at k = dropped(k) / reached(k)",
        "Chat tools commonly call every conversation that ends dropped. Here one that converted is finished.",
    ),
    TableNote(
        "Funnel",
        "conversion_funnel_daily",
        ("session_count", "visitor_count", "median_seconds_to_step"),
        "View, first turn, CTA click, conversion of another type: in this order, within one session, and "
        "within seven days per visitor. Counted on the day of entry; the steps are a seed.",
        "sessions (visitors) that took all steps up to this one, in order",
        "Many tools count a step whether or not the one before was taken, so that a later step can exceed"
        " an earlier one. Here it never does.",
    ),
    TableNote(
        "Attribution",
        "revenue_attribution",
        ("model", "credit", "credit_share"),
        "What each session start of the visitor on the capsule in the 30 days before contributed to a "
        "conversion. Six models: first, last, last_non_direct (default), linear, position_based "
        "(40/20/40), time_decay (half-life 7 days).",
        "Σ credit of a conversion = its amount, to the cent, in every model",
        "Google Analytics 4 removed first click, linear, time decay and position based and leaves the "
        "data-driven model, which cannot be recomputed, and last click. Here every credit can be followed"
        " to its touch, and what cannot be attributed is a row of its own.",
    ),
    TableNote(
        "Watched share of a video",
        "fct_video_plays",
        ("watched_seconds", "watched_share", "is_completed"),
        "The union of the intervals that were played, over the length; where no positions are sent, the "
        "largest percent, else the whole when a complete was sent. The length is what the play says, else "
        "what the catalogue or other plays of the item say.",
        "length of ∪ [from, to] / duration",
        "Players and tag managers report the furthest position reached, which a jump to the end makes 100%.",
    ),
    TableNote(
        "Unused and cold content",
        "content_status",
        ("is_unused", "is_cold", "last_accessed_at"),
        "Unused: in the catalogue, published at least 14 days ago, never opened by a person. Gone cold: "
        "opened once, but not in the last 30 days.",
        "items of the catalogue without an access",
        "What was never opened sends no event, so a tool without a catalogue cannot know it exists.",
    ),
    TableNote(
        "Insights",
        "insights",
        ("metric", "sentence", "p_value", "evidence"),
        "What changed on a capsule in the last seven whole days against the seven before: only what passes a "
        "test of significance at 1%, corrected for the number of tests, with at least 30 sessions on both "
        "sides. With it: the part of the audience that explains it, and what to do.",
        "z = difference of the means / its standard error; two-sided p × number of tests < 0.01",
        "Tools commonly show every change beyond a fixed percentage; in small audiences most of these are "
        "chance.",
    ),
    TableNote(
        "Accounting",
        "ingestion_daily",
        ("received_count", "accepted_count", "duplicate_count", "rejected_count", "suppressed_count"),
        "What became of every line that landed, by day of loading and capsule.",
        "received = accepted + duplicate + rejected + suppressed",
        "Collectors commonly drop what they cannot read or have seen before without a count.",
    ),
)
