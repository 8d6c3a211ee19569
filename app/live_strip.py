"""The strip at the top of the Overview: who is here now, views of the last half hour by minute.

Not here: counting (`live_figures.py`).
"""

from datetime import UTC, datetime
from typing import Final

import streamlit as st

from app.answers import ask
from app.format import age_text, count_text, counted
from app.key_figures import draw_chart
from app.live_figures import LiveFigures, live_figures
from app.trend_charts import views_by_minute
from app.view import View

# A page that stays open must not say "now" of what is long over.
LOOK_EVERY_SECONDS: Final = 30
# A batch takes up to a minute; who hears nothing for so long is not seeing the present.
QUIET_AFTER_SECONDS: Final = 600


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def live_strip(view: View) -> None:
    """Draws the last half hour, or says in words that nothing happens; nothing without its mart."""
    found = ask(live_figures, view.publication, view.selection)
    if found is None or view.publication.as_of is None:
        return
    age = (datetime.now(UTC) - view.publication.as_of).total_seconds()
    until = f"{found.minutes[-1]['start']:%H:%M}"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="live"):
        if age > QUIET_AFTER_SECONDS:
            st.markdown(quiet_text(found, until, age))
        elif not found.people:
            st.markdown(f"Nobody was here in the 30 minutes up to {until}.")
        else:
            st.metric("People now", count_text(found.people_now), width=130, help=NOW_HELP)
            st.metric("In 30 minutes", count_text(found.people), width=130, help=HALF_HOUR_HELP)
            with st.container(width="stretch"):
                st.caption(f"Views per minute, the 30 minutes up to {until}")
                draw_chart(
                    views_by_minute(found.minutes),
                    alt=f"Views per minute in the 30 minutes up to {until}: "
                    f"{counted(found.view_count, 'view', 'views')} in all",
                )


NOW_HELP: Final = "Different visitors who did something in the five minutes before the newest event."
HALF_HOUR_HELP: Final = "Different visitors who did something in the 30 minutes before the newest event."


def quiet_text(found: LiveFigures, until: str, age_seconds: float) -> str:
    """Nothing has come for a while: since when, and what the last half hour before was like."""
    before = (
        f"In the 30 minutes before: {counted(found.people, 'person', 'people')}, "
        f"{counted(found.view_count, 'view', 'views')}."
        if found.people
        else "Nothing of what is chosen here happened in the 30 minutes before."
    )
    return f"It is quiet: the newest event came {age_text(age_seconds)}, at {until}. {before}"
