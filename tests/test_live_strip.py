"""The last half hour: who is counted as here, what a minute holds, and what a quiet time says."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from app.live_figures import LiveFigures, live_figures
from app.live_strip import quiet_text
from app.publications import Publication, close_publications, current_publication
from app.scope import EVERYTHING
from app.selection import Selection
from tests.publication_fixture import MINUTES, ROWS, TABLES, write_publication
from tests.test_dashboard import WEEK, figures, opened, texts

DAY = Selection(date(2026, 3, 9), date(2026, 3, 15))


@pytest.fixture
def publication(tmp_path) -> Iterator[Publication]:
    write_publication(tmp_path)
    yield current_publication(tmp_path, EVERYTHING)
    close_publications()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path))
    monkeypatch.setenv("ENGAGEMENT_LANDING", str(tmp_path / "landing"))
    yield tmp_path
    close_publications()


def counts(publication: Publication, **chosen) -> tuple[int, int, int]:
    found = live_figures(publication, replace(DAY, **chosen))
    assert found is not None
    return found.people_now, found.people, found.view_count


def test_now_are_the_five_minutes_before_the_newest_event(publication) -> None:
    # From 09:26 to 09:30: s1 and s4, both of user-1. Before: s3 (09:25) and s2 (09:01). 1 + 2 + 0 + 3 views.
    assert counts(publication) == (1, 3, 6)


def test_filters_apply_to_now_but_days_do_not(publication) -> None:
    assert counts(publication, capsules=("onboarding",)) == (1, 1, 3)
    assert counts(publication, filters={"channel": ("search",)}) == (1, 2, 2)
    assert counts(publication, bots="only") == (1, 1, 7)
    assert counts(publication, bots="include") == (2, 4, 13)


def test_every_minute_has_its_views_in_the_reporting_zone(tmp_path) -> None:
    write_publication(tmp_path, timezone="Europe/Berlin")
    found = live_figures(current_publication(tmp_path, EVERYTHING), DAY)
    close_publications()
    assert found is not None
    # UTC + 1 on 16 March.
    assert [minute["start"].strftime("%H:%M") for minute in found.minutes[::29]] == ["10:01", "10:30"]
    viewed = {f"{minute['start']:%H:%M}": minute["view_count"] for minute in found.minutes}
    assert len(viewed) == 30
    assert {minute: count for minute, count in viewed.items() if count} == {
        "10:01": 1,
        "10:25": 2,
        "10:30": 3,
    }


def test_a_publication_without_the_mart_has_no_strip(tmp_path) -> None:
    write_publication(tmp_path, tables=[name for name in TABLES if name != "session_activity_minutely"])
    assert live_figures(current_publication(tmp_path, EVERYTHING), DAY) is None
    close_publications()


def test_the_strip_is_on_the_overview_while_events_come(home) -> None:
    newest = datetime.now(UTC) - timedelta(seconds=20)
    rows = minutes_before(newest)
    write_publication(home / "published", as_of=newest.isoformat().replace("+00:00", "Z"), rows=rows)
    found = figures(opened(**WEEK))
    assert found["People now"][0] == "1"
    assert found["In 30 minutes"][0] == "2"


def minutes_before(newest: datetime) -> dict:
    minute = newest.replace(second=0, microsecond=0, tzinfo=None)
    ago = {"s1": 4, "s3": 5}
    moved = [
        {**row, "activity_minute_at": minute - timedelta(minutes=ago[row["session_key"]])}
        for row in MINUTES
        if row["session_key"] in ago
    ]
    return {**ROWS, "session_activity_minutely": moved}


def test_long_after_the_newest_event_the_strip_says_that_it_is_quiet(home) -> None:
    write_publication(home / "published")
    app = opened(**WEEK)
    assert "It is quiet: the newest event came" in texts(app)
    assert "at 09:30. In the 30 minutes before: 3 people, 6 views." in texts(app)
    assert "People now" not in figures(app)


def test_a_quiet_time_without_anybody_says_so() -> None:
    nobody = LiveFigures(0, 0, 0, ())
    assert quiet_text(nobody, "09:30", 3 * 3600) == (
        "It is quiet: the newest event came 3 hours ago, at 09:30. "
        "Nothing of what is chosen here happened in the 30 minutes before."
    )
