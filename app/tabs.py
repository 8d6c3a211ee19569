"""Which figures each tab is about: read by its page, by the report and by the exports.

Why it exists: a report that names its own figures would drift from the screen.
Not here: what a figure means (`metrics.py`), how it is drawn (`key_figures.py`, `report.py`).
"""

from collections.abc import Mapping
from typing import Final

FIGURES: Final[Mapping[str, tuple[str, ...]]] = {
    "Overview": (
        "view_count", "visitor_count", "session_count", "engagement_rate",
        "conversation_count", "turns_per_conversation_avg", "engaged_seconds_avg", "conversion_rate",
    ),
    "Traffic": (
        "view_count", "unique_viewer_count", "new_visitor_count", "returning_visitor_count",
    ),
    "Engagement": (
        "session_seconds_avg", "session_seconds_median", "engaged_seconds_avg", "bounce_rate",
        "engagement_rate", "turns_per_session_avg", "turns_per_conversation_avg", "return_visit_rate",
    ),
    "Content": ("content_access_count", "content_item_count", "search_count", "zero_result_rate"),
    "Conversions": (
        "conversion_count", "converting_visitor_count", "conversion_rate", "lead_count",
        "lead_capture_rate", "cta_click_count", "cta_click_through_rate",
        "seconds_to_conversion_median", "revenue",
    ),
}  # fmt: skip
TRENDS: Final = (
    "view_count", "visitor_count", "session_count", "conversation_count", "conversion_count",
    "engagement_rate",
)  # fmt: skip
# What the cards of a chart or two of a tab say beside its key figures.
RETURNING: Final = (
    "new_visitor_count", "returning_visitor_count", "unknown_visitor_count", "return_visit_rate",
)  # fmt: skip
TIMES: Final = (
    "seconds_to_conversion_median", "seconds_to_conversion_p90", "seconds_from_first_touch_median",
    "seconds_from_first_touch_p90",
)  # fmt: skip
