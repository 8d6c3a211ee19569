"""METRICS sentence by sentence: landed lines, loaded by the command, against figures worked out on paper.

The home is in Berlin. Each capsule is one sheet of paper: `edge` the 25-hour day and the edges of a session,
`people` who somebody is, `talk` conversations, `film` videos and searches, `shop` money.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.free_query import run_query
from app.metric_reports import metrics_report
from app.publications import Publication, close_publications, current_publication
from app.scope import EVERYTHING
from app.selection import Selection
from tests.commands import engagement
from tests.event_lines import event, lines

pytestmark = pytest.mark.end_to_end

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CRAWLER = "Googlebot/2.1 (+http://www.google.com/bot.html)"
CLIP = {"contentId": "clip", "contentType": "video", "durationSeconds": 100}
BUY = {"ctaId": "buy", "ctaType": "checkout"}


class Paper:
    """Events in the order they are written down; `at` is an instant or seconds after `start`."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.start = datetime(2026, 11, 1, tzinfo=UTC)

    def add(
        self, where: str, at: str | float, event_type: str = "view", user: str | None = None, **said: Any
    ) -> None:
        capsule, session = where.split("/")
        instant = at if isinstance(at, str) else (self.start + timedelta(seconds=at)).isoformat()
        self.events.append(
            event(
                event_type, eventId=f"e{len(self.events)}", capsuleId=capsule, sessionId=session,
                timestamp=instant, userId=user, metadata=said,
            )
        )  # fmt: skip

    def act(self, where: str, at: str | float, action: str, user: str | None = None, **said: Any) -> None:
        self.add(where, at, "interaction", user, action=action, **said)


def add_edge(paper: Paper) -> None:
    # 25 October 2026 lasts from 24 October 22:00 to 25 October 23:00 UTC.
    for where, instant in (
        ("e1", "2026-10-24T22:00:00Z"), ("e1", "2026-10-24T22:30:00Z"),  # exactly 30 minutes
        ("e2", "2026-10-24T23:00:00Z"), ("e2", "2026-10-24T23:30:00.001Z"),  # two sessions
        ("e3", "2026-10-25T22:59:59.999Z"), ("e3", "2026-10-25T23:00:00Z"),  # over midnight
        ("e7", "2026-10-25T00:30:00Z"), ("e8", "2026-10-25T01:30:00Z"),  # both at half past two
        ("e5", "2026-10-25T11:00:00Z"), ("e6", "2026-10-25T12:00:00Z"),
    ):  # fmt: skip
        paper.add(f"edge/{where}", instant)
    paper.act("edge/e4", "2026-10-25T10:00:00Z", "message", role="assistant")  # nothing else
    paper.act("edge/e5", "2026-10-25T11:00:09.999Z", "message", role="assistant")
    paper.act("edge/e6", "2026-10-25T12:00:10Z", "heartbeat")  # ten seconds: a bounce, and engaged


def add_people(paper: Paper) -> None:
    paper.add("people/a1", "2026-11-02T10:00:00Z", user="ana", source="google")
    paper.add("people/v", "2026-11-03T10:00:00Z", visitorId="v1")
    paper.start = datetime(2026, 11, 9, 10, tzinfo=UTC)
    paper.add("people/a2", 0, user="ana", source="direct")
    paper.add("people/b", 0, visitorId="v1")  # the same who signs in below
    paper.act("people/b", 5, "message", "ben", role="user")
    paper.add("people/x", 0, user="carl")
    paper.add("people/x", 60, user="dora")  # another user: another session
    paper.add("people/r", 0, user="ana", visitorId="v1", consent="denied")
    # A daily visitor whose salt is gone by now.
    paper.add("people/d", 0, ip="203.0.113.7", userAgent=FIREFOX)
    paper.add("people/bot", 0, userAgent=CRAWLER)


def add_talk(paper: Paper) -> None:
    paper.start = datetime(2026, 11, 11, 10, tzinfo=UTC)
    for at, role, said in (
        (0, "user", {"messageId": "m1"}), (3, "assistant", {}), (10, "user", {"messageId": "m2"}),
        (20, "user", {"messageId": "m3"}), (25, "assistant", {}), (26, "user", {"messageId": "m3"}),
        (27, "system", {}),
    ):  # fmt: skip
        paper.act("talk/t1", at, "message", "u1", role=role, **said)
    paper.add("talk/t1", 30, "conversion", "u1", conversionType="lead")
    paper.act("talk/t2", 0, "message", "u2", role="user")
    for at, role in ((0, "user"), (2, "assistant"), (60, "user"), (64, "assistant")):
        paper.act("talk/t3", at, "message", "u3", role=role)


def add_film(paper: Paper) -> None:
    paper.start = datetime(2026, 11, 12, 10, tzinfo=UTC)
    for session, play, at, action, said in (
        # 0 to 40 and 90 to 100: half of it, to the end.
        ("f", "p1", 0, "play", {"positionSeconds": 0}),
        ("f", "p1", 40, "progress", {"positionSeconds": 40}),
        ("f", "p1", 41, "seek", {"fromSeconds": 40, "toSeconds": 90}),
        ("f", "p1", 51, "progress", {"positionSeconds": 100}),
        # Exactly 95 %.
        ("f", "p2", 100, "play", {"positionSeconds": 0}),
        ("f", "p2", 195, "progress", {"positionSeconds": 95}),
        # No positions: the largest percent; or nothing but that it ended.
        ("f", "p3", 250, "progress", {"percent": 95}),
        ("f", "p3", 260, "progress", {"percent": 30}),
        ("g", "p4", 0, "complete", {}),
    ):
        paper.add(f"film/{session}", at, "content_access", action=action, playId=play, **CLIP, **said)
    paper.act("film/f", 300, "search", query=" Price LIST ", resultCount=0)
    paper.act("film/f", 310, "search", query="price list", resultCount=3)
    paper.add("film/f", 320, "content_access", contentId="guide", relevanceScore=0.5)
    paper.act("film/f", 330, "search", query="refund", resultCount=2)  # nothing after it
    paper.add("film/f", 340, "content_access", contentId="guide", action="cite")
    paper.act("film/f", 350, "message", role="assistant", contentId="guide")


def add_shop(paper: Paper) -> None:
    paper.add("shop/s1", "2026-11-01T10:00:00Z", user="eva", utmMedium="email", utmSource="news")
    paper.add("shop/s2", "2026-11-08T10:00:00Z", user="eva", source="google")
    paper.start = datetime(2026, 11, 15, 10, tzinfo=UTC)
    paper.add("shop/s3", 0, user="eva", source="direct")
    paper.act("shop/s3", 5, "message", "eva", role="user")
    paper.act("shop/s3", 10, "cta_click", "eva", **BUY)
    for at in (600, 601):  # one order
        paper.add("shop/s3", at, "conversion", "eva", conversionType="sale", value=100, currency="eur",
                  orderId="o1")  # fmt: skip
    paper.add("shop/z", 0, user="zoe", source="google")
    for session, user in (("s3", "eva"), ("z", "zoe")):
        for at in (1, 2):
            paper.act(f"shop/{session}", at, "cta_impression", user, **BUY)
    for at in (10, 20):
        paper.act("shop/z", at, "cta_click", "zoe", ctaId="buy")
    paper.add("shop/z", 30, "conversion", "zoe", conversionType="sale", value="5.5", currency="USD")
    paper.add("shop/z", 40, "conversion", "zoe", conversionType="sale", value="1,234.50", currency="EUR")
    paper.add("shop/w", 0, user="will")
    for session, user, at, stars in (("w", "will", 2, 3), ("w", "will", 3, 4.5), ("z", "zoe", 45, "n/a")):
        paper.add(f"shop/{session}", at, "custom", user, name="rated", stars=stars)
    paper.add("shop/s4", 86_400, "conversion", "eva", conversionType="refund", value=-20, currency="EUR",
              orderId="o1")  # fmt: skip


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publication]:
    home: Path = tmp_path_factory.mktemp("paper") / "home"
    paper = Paper()
    for add in (add_edge, add_people, add_talk, add_film, add_shop):
        add(paper)
    (home / "landing").mkdir(parents=True)
    (home / "landing" / "paper.ndjson").write_bytes(lines(*paper.events))
    berlin = {"ENGAGEMENT_TIMEZONE": "Europe/Berlin", "ENGAGEMENT_ACCEPT_ANY_AGE": "true"}
    loaded = engagement(home, "load", "--json", settings=berlin)
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout)["accepted"] == len(paper.events)
    yield current_publication(home / "published", EVERYTHING)
    close_publications()


PAPER: list[tuple[str, str, str, str, dict[str, float | None]]] = [
    (
        "edge", "2026-10-25", "2026-10-25", "exclude",
        {
            "view_count": 9, "session_count": 9, "visitor_count": 8, "unique_viewer_count": 7,
            "unknown_visitor_count": 8, "new_visitor_count": 0, "return_visit_rate": None,
            # 1800, 10, 9.999, 0.001 and five times 0
            "session_seconds_avg": 1820 / 9, "session_seconds_median": 0, "session_seconds_p90": 368,
            "engaged_seconds_total": 80, "bounce_count": 6, "bounce_rate": 6 / 8,
            "engaged_session_count": 3, "engagement_rate": 3 / 9, "message_count": 2, "turn_count": 0,
            "turns_per_conversation_avg": None, "cta_click_through_rate": 0,
        },
    ),
    ("edge", "2026-10-26", "2026-10-26", "exclude",
     {"view_count": 1, "session_count": 0, "visitor_count": 1, "bounce_rate": None}),
    (
        "people", "2026-11-09", "2026-11-09", "exclude",
        {
            "view_count": 6, "session_count": 6, "visitor_count": 6, "new_visitor_count": 3,
            "returning_visitor_count": 1, "unknown_visitor_count": 2, "return_visit_rate": 1 / 4,
            "bounce_count": 5, "bounce_rate": 5 / 6,
        },
    ),
    ("people", "2026-11-09", "2026-11-09", "include", {"view_count": 7, "session_count": 7}),
    ("people", "2026-11-09", "2026-11-09", "only", {"view_count": 1, "session_count": 1}),
    ("people", "2026-11-02", "2026-11-09", "exclude",
     {"view_count": 8, "visitor_count": 7, "new_visitor_count": 4, "returning_visitor_count": 1,
      "unknown_visitor_count": 2}),
    (
        "talk", "2026-11-11", "2026-11-11", "exclude",
        {
            "turn_count": 6, "message_count": 10, "conversation_count": 3,
            "turns_per_conversation_avg": 2, "turns_per_conversation_median": 2,
            "turns_per_conversation_p90": 2.8, "messages_per_conversation_avg": 10 / 3,
            "reply_seconds_median": 4, "reply_seconds_p95": 13,  # of 2, 3, 4, 5 and 15
            "lead_count": 1, "lead_capture_rate": 1 / 3, "conversion_rate": 1 / 3,
            "seconds_to_conversion_median": 30, "engagement_rate": 1, "bounce_rate": None,
        },
    ),
    (
        "film", "2026-11-12", "2026-11-12", "exclude",
        {
            "video_play_count": 4, "video_completion_rate": 3 / 4,
            "video_watched_seconds_avg": (50 + 95 + 95 + 100) / 4,
            "search_count": 3, "zero_result_rate": 1 / 3, "followed_search_rate": 2 / 3,
            "citation_count": 2, "content_item_count": 2,
        },
    ),
    (
        "shop", "2026-11-15", "2026-11-15", "exclude",
        {
            "cta_impression_count": 4, "cta_click_count": 3, "cta_click_through_rate": 3 / 4,
            "conversion_count": 6, "converting_visitor_count": 2, "conversion_rate": 2 / 3,
            "custom_event_count": 3, "seconds_to_conversion_median": 10,
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("capsule", "first", "last", "bots", "figures"), PAPER)
def test_the_figures_are_those_of_the_paper(
    publication: Publication, capsule: str, first: str, last: str, bots: Any, figures: dict[str, Any]
) -> None:
    chosen = Selection(date.fromisoformat(first), date.fromisoformat(last), (capsule,), bots=bots)
    found = metrics_report(publication, chosen, (), "none")["metrics"]
    assert {name: found[name]["value"] for name in figures} == pytest.approx(figures)


def test_the_hour_that_comes_twice_has_two_rows(publication: Publication) -> None:
    day = date(2026, 10, 25)
    rows = metrics_report(publication, Selection(day, day, ("edge",)), ("hour",), None)["rows"]
    assert len(rows) == 25
    assert [row["hour"] for row in rows if row["view_count"]] == [
        f"2026-10-25T{hour}:00:00+0{offset}:00"
        for hour, offset in (
            ("00", 2), ("01", 2), ("02", 2), ("02", 1), ("12", 1), ("13", 1), ("23", 1),
        )
    ]  # fmt: skip


def test_revenue_is_kept_apart_by_currency_and_a_refund_is_negative(publication: Publication) -> None:
    money = [
        {
            currency: figure["value"]
            for currency, figure in metrics_report(
                publication, Selection(day, day, ("shop",)), (), "none"
            )["metrics"]["revenue"].items()
        }
        for day in (date(2026, 11, 15), date(2026, 11, 16))
    ]  # fmt: skip
    assert money == [{"EUR": 100, "USD": 5.5}, {"EUR": -20}]


def test_six_models_share_a_hundred_euros_to_the_cent(publication: Publication) -> None:
    # Eva came by a newsletter, by a search a week later and directly when she bought.
    rows = run_query(
        publication,
        "select model, channel, credit from marts.revenue_attribution where capsule_id = 'shop' "
        "and currency = 'EUR' and conversion_type = 'sale' and credit <> 0 order by all",
    )
    assert {(row["model"], row["channel"]): float(row["credit"]) for row in rows} == {
        ("first", "email"): 100, ("last", "direct"): 100, ("last_non_direct", "search"): 100,
        ("linear", "email"): 33.33, ("linear", "search"): 33.34, ("linear", "direct"): 33.33,
        ("position_based", "email"): 40, ("position_based", "search"): 20,
        ("position_based", "direct"): 40,
        # 1/4, 1/2 and 1 of what is left, over 7/4
        ("time_decay", "email"): 14.29, ("time_decay", "search"): 28.57, ("time_decay", "direct"): 57.14,
    }  # fmt: skip
