"""The dashboard's pages, run without a browser, against figures worked out by hand."""

import re
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from app import queries
from app.answers import answers
from app.comparison import compare_values
from app.key_figures import compared_texts, delta_text
from app.metrics import METRICS_BY_ID
from app.publications import close_publications, open_cursor
from tests.publication_fixture import ROWS, TABLES, write_publication

ENTRY = Path(__file__).parent.parent / "app" / "streamlit_app.py"
PAGES = ("overview", "traffic", "engagement", "content", "conversions", "data_quality")
WEEK = {"from": "2026-03-09", "to": "2026-03-15"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path))
    monkeypatch.setenv("ENGAGEMENT_LANDING", str(tmp_path / "landing"))
    yield tmp_path
    close_publications()


def opened(page: str = "overview", **url: str) -> AppTest:
    app = AppTest.from_file(str(ENTRY), default_timeout=60)
    for name, value in url.items():
        app.query_params[name] = value
    app.run()
    if page != "overview":
        app.switch_page(f"app_pages/{page}.py").run()
    assert not app.exception, app.exception
    return app


# :green[+25%], with what Markdown would take for its own escaped.
VERDICT = re.compile(r":(green|red)\[(.*)\]$")
# `marts.x` and `reference.x` in the text of a statement.
TABLE_READ = re.compile(r"\b(?:marts|reference)\.([a-z_]+)")


def tables_read(monkeypatch, page: str) -> set[str]:
    """The tables a page asks for when nothing is remembered, the filters above it included."""
    asked: list[str] = []

    @contextmanager
    def watched_cursor(publication):
        with open_cursor(publication) as cursor:
            watched = Mock(wraps=cursor)
            watched.execute.side_effect = lambda sql, *values: (
                asked.append(sql),
                cursor.execute(sql, *values),
            )[1]
            yield watched

    app = opened("overview", **WEEK)
    monkeypatch.setattr(queries, "open_cursor", watched_cursor)
    answers.clear()
    # What is closed asks nothing until it is opened.
    app.session_state["all_figures"] = True
    app.switch_page(f"app_pages/{page}.py").run()
    assert not app.exception, app.exception
    return {table for sql in asked for table in TABLE_READ.findall(sql)}


@pytest.mark.parametrize("page", PAGES)
def test_the_exposure_of_a_page_names_the_tables_it_reads(home, monkeypatch, page) -> None:
    write_publication(home / "published")
    described = yaml.safe_load((ENTRY.parent.parent / "models/exposures.yml").read_text(encoding="utf-8"))
    (exposure,) = (one for one in described["exposures"] if one["name"] == f"{page}_page")
    named = {text.removeprefix("ref('").removesuffix("')") for text in exposure["depends_on"]}
    read = tables_read(monkeypatch, page)
    assert read <= named
    # The publication of these tests has not every mart; of those it has, all that are named are read, but for
    # titles, which are asked for together with a mart it lacks.
    assert not (named - read) & (set(TABLES) - {"dim_content"})


def figures(app: AppTest) -> dict[str, tuple[str, str]]:
    """Value and change of every card, the change without its colour and Markdown."""
    return {
        metric.label: (metric.value, VERDICT.sub(r"\2", metric.delta).replace("\\", ""))
        for metric in app.metric
    }


def verdicts(app: AppTest) -> dict[str, str]:
    """The colour of the change of every card; nothing for one that is no verdict."""
    found = {metric.label: VERDICT.match(metric.delta) for metric in app.metric}
    return {label: match[1] if match else "" for label, match in found.items()}


def texts(app: AppTest) -> str:
    return " ".join(found.value for found in [*app.caption, *app.markdown, *app.subheader, *app.info])


def test_the_overview_shows_the_week_beside_the_one_before(home) -> None:
    write_publication(home / "published")
    found = figures(opened(**WEEK))
    assert found["Views"] == ("5", "+150%")
    assert found["Visitors"] == ("3", "+50%")
    assert found["Sessions"] == ("4", "+100%")
    assert found["Engagement rate"] == ("75.0%", "+25 points")
    assert found["Conversations"] == ("2", "+100%")
    assert found["Conversation turns"] == ("2.00", "no change")
    assert found["Time on capsule"] == ("1 min 2 s", "+25%")
    assert found["Conversion rate"] == ("66.7%", "+66.7 points")


def test_figures_of_conversions_include_revenue_by_currency(home) -> None:
    write_publication(home / "published")
    app = opened("conversions", **WEEK)
    revenue = [metric.value for metric in app.metric if metric.label == "Revenue"]
    assert revenue == ["49.90 EUR", "10.00 USD"]
    assert figures(app)["Leads"] == ("1", "new")
    assert figures(app)["Time to conversion"][0] == "10 min"


def test_fewer_bounces_are_shown_as_good(home) -> None:
    write_publication(home / "published")
    app = opened("engagement", **WEEK)
    assert figures(app)["Bounce rate"] == ("25.0%", "−25 points")
    assert verdicts(app)["Bounce rate"] == "green"


def test_a_sparkline_is_grey_whatever_the_verdict(home) -> None:
    write_publication(home / "published")
    app = opened(**WEEK)
    assert verdicts(app)["Views"] == "green"
    assert {metric.proto.color for metric in app.metric} == {app.metric[0].proto.MetricColor.GRAY}


@pytest.mark.parametrize(
    ("metric", "value", "previous", "expected"),
    [
        ("view_count", 150, 100, ":green[\\+50%]"),
        ("view_count", 50, 100, ":red[−50%]"),
        # 1.9 % is no verdict; 2 % is one.
        ("view_count", 1019, 1000, "\\+1.9%"),
        ("view_count", 1020, 1000, ":green[\\+2%]"),
        ("engagement_rate", 0.750, 0.754, "−0.4 points"),
        ("bounce_rate", 0.25, 0.5, ":green[−25 points]"),
        ("bounce_rate", 0.5, 0.25, ":red[\\+25 points]"),
        ("lead_count", 1, 0, ":green[new]"),
        ("unknown_visitor_count", 2, 1, "\\+100%"),
        ("view_count", 3, 3, "no change"),
    ],
)
def test_only_a_change_that_matters_is_called_good_or_bad(metric, value, previous, expected) -> None:
    found = METRICS_BY_ID[metric]
    assert delta_text(compare_values(value, previous, is_rate=found.unit == "rate"), found) == expected


@pytest.mark.parametrize("page", PAGES)
def test_every_page_draws_without_an_error(home, page) -> None:
    write_publication(home / "published")
    app = opened(page, **WEEK)
    assert app.title[0].value.lower().replace(" ", "_") == page
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_filters_stay_when_the_tab_changes(home, page) -> None:
    write_publication(home / "published")
    app = opened(page, capsule="onboarding", bots="include", **WEEK)
    assert app.multiselect(key="capsules").value == ["onboarding"]
    assert app.session_state["bots"] == "include"
    assert app.query_params["capsule"] in ("onboarding", ["onboarding"])
    assert app.query_params["from"] in ("2026-03-09", ["2026-03-09"])


@pytest.mark.parametrize(("first", "last"), [("0001-01-01", "2026-03-15"), ("2026-03-09", "9999-12-31")])
def test_days_out_of_reach_in_a_link_are_ignored(home, first, last) -> None:
    write_publication(home / "published")
    assert opened(**{"from": first, "to": last}).session_state["period"] == "30 days"


def test_days_far_away_in_a_link_are_shown_as_asked(home) -> None:
    write_publication(home / "published")
    assert figures(opened(**{"from": "1970-01-01", "to": "2200-12-31"}))["Views"][0] == "7"


def test_a_capsule_in_the_link_narrows_the_figures(home) -> None:
    write_publication(home / "published")
    assert figures(opened(capsule="onboarding", **WEEK))["Views"][0] == "2"


def test_what_is_wrong_in_a_link_is_ignored(home) -> None:
    write_publication(home / "published")
    app = opened(**{"period": "century", "bots": "yes", "from": "2026-13-40", "to": "x"})
    assert app.session_state["period"] == "30 days"
    assert "bots" not in app.query_params


@pytest.mark.parametrize("page", PAGES)
def test_a_capsule_that_is_not_here_shows_no_figures_of_others(home, page) -> None:
    write_publication(home / "published")
    app = opened(page, capsule="nobody's", **WEEK)
    assert app.subheader[0].value == "The capsule of this link is not here"
    assert not app.metric
    app.button[0].click().run()
    assert app.multiselect(key="capsules").value == []
    assert app.metric


def test_a_period_before_the_first_event_is_not_comparable(home) -> None:
    write_publication(home / "published")
    app = opened(**{"from": "2026-03-02", "to": "2026-03-08"})
    assert figures(app)["Views"] == ("2", "not comparable")
    assert "before the first event" in texts(app)


def test_an_unfinished_period_says_so(home) -> None:
    write_publication(home / "published", as_of="2026-03-12T09:00:30Z")
    assert "so far" in texts(opened(**WEEK))


@pytest.mark.parametrize("page", ["overview", "conversions"])
def test_a_trend_says_what_its_points_and_lines_are(home, page) -> None:
    write_publication(home / "published")
    week = texts(opened(page, **WEEK))
    assert "Each point is a day. Solid: this period. Dashed: the earlier one, weekday by weekday." in week
    assert "hollow" not in week
    year = texts(opened(page, period="12m"))
    assert "Each point is a week. Solid: this period. The hollow point is not over yet." in year


def test_a_ranking_says_what_it_counts(home) -> None:
    write_publication(home / "published")
    found = texts(opened("traffic", **WEEK))
    for key in ("source", "country", "device", "browser"):
        assert f"Sessions by {key}." in found


def test_a_period_without_events_explains_itself(home) -> None:
    write_publication(home / "published")
    app = opened(**{"from": "2025-01-01", "to": "2025-01-02"})
    assert "No events in this period" in texts(app)
    assert not app.metric


def test_without_a_publication_the_page_says_what_is_happening(home) -> None:
    app = opened()
    assert "about a minute after the first file" in texts(app)
    assert "engagement sample" in texts(app)


def test_a_waiting_file_is_mentioned_before_the_first_publication(home) -> None:
    (home / "landing").mkdir()
    (home / "landing" / "events.ndjson").write_text("{}", encoding="utf-8")
    assert "1 file is waiting" in texts(opened())


def test_a_missing_mart_is_explained_where_its_table_would_be(home) -> None:
    write_publication(home / "published")
    assert "not part of this publication yet" in texts(opened("content", **WEEK))


def test_a_publication_without_hardly_any_mart_still_opens(home) -> None:
    few = [table for table in TABLES if table in ("session_activity_hourly", "dim_capsules")]
    write_publication(home / "published", tables=few)
    found = figures(opened(**WEEK))
    assert found["Views"][0] == "5"
    assert found["Sessions"][0] == "–"


def test_a_broken_publication_is_named_without_paths(home) -> None:
    folder = write_publication(home / "published")
    (folder / "manifest.json").unlink()
    app = opened()
    assert app.subheader[0].value == "The figures cannot be read at the moment"
    assert "no readable manifest.json" in texts(app)
    assert str(home) not in texts(app)


def test_a_damaged_publication_is_explained_without_paths_and_comes_back_by_itself(home) -> None:
    database = write_publication(home / "published") / "publication.duckdb"
    whole = database.read_bytes()
    database.write_bytes(whole[:6000])
    app = opened()
    assert app.subheader[0].value == "The figures cannot be read at the moment"
    assert "engagement rebuild" in texts(app)
    assert str(home) not in texts(app)
    assert not app.metric
    write_publication(home / "published", "20260316T110000-2")
    assert opened(**WEEK).metric


def test_figures_that_stand_still_are_told_with_what_waits(home) -> None:
    write_publication(home / "published")
    assert "newest event is of 16 March 2026, 09:30. No file is waiting" in opened(**WEEK).warning[0].value
    (home / "landing").mkdir()
    (home / "landing" / "events.ndjson").write_text("{}", encoding="utf-8")
    assert "1 file is waiting to be loaded, so loading may have stopped" in opened(**WEEK).warning[0].value


def test_a_capsule_without_events_and_a_filter_without_matches_say_what_they_are(home) -> None:
    fresh = {"capsule_id": "fresh", "capsule_name": "Fresh", "is_catalogued": True}
    write_publication(home / "published", rows={**ROWS, "dim_capsules": [*ROWS["dim_capsules"], fresh]})
    assert "No event of Fresh has arrived" in texts(opened(capsule="fresh", **WEEK))
    nothing = texts(opened(country="FR", channel="social", **WEEK))
    assert "Nothing matches the filters" in nothing
    assert "Events are there from 2 to 16 March 2026." in nothing


def test_an_unreadable_setting_is_a_sentence(home, monkeypatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_TIMEZONE", "Mars/Base")
    assert "ENGAGEMENT_TIMEZONE" in opened().error[0].value


def test_the_accounting_is_on_the_page_about_data_quality(home) -> None:
    write_publication(home / "published")
    app = opened("data_quality", **WEEK)
    assert figures(app)["Lines received"][0] == "21"
    assert figures(app)["Lines accepted"] == ("16", "76.2%")
    assert "the sum is exact" in texts(app)
    assert "Bots in this period: 1 session" in texts(app)
    days = next(found.value for found in app.dataframe if "Day" in found.value).to_dict("records")
    assert [tuple(row.values())[1:] for row in days] == [(21, 16, 2, 2, 1)]


def test_the_consent_share_is_on_the_page_about_data_quality(home) -> None:
    write_publication(home / "published")
    shown = texts(opened("data_quality", **WEEK))
    assert "25.0% of the sessions agreed, 25.0% refused, 50.0% said nothing." in shown


def test_a_line_that_got_lost_is_an_alarm(home) -> None:
    lost = [{**row, "accepted_count": row["accepted_count"] - 1} for row in ROWS["ingestion_daily"][:1]]
    write_publication(home / "published", rows={**ROWS, "ingestion_daily": lost})
    assert "1 line is not accounted for" in opened("data_quality", **WEEK).error[0].value


def test_a_change_and_the_value_before_it_fit_on_a_card_of_a_phone() -> None:
    rate = METRICS_BY_ID["engagement_rate"]
    short, long = compare_values(0.754, 0.75, is_rate=True), compare_values(0.684, 0.5, is_rate=True)
    assert compared_texts(short, rate, "75.0%") == ("\\+0.4 points", "from 75.0%")
    assert compared_texts(long, rate, "50.0%") == (":green[\\+18.4 pts]", "from 50.0%")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ({"from": "2026-03-15", "to": "2026-03-09"}, "The days of this link"),
        ({"from": "2026-03-09"}, "The days of this link"),
        ({"period": "8d", "bots": "all"}, "The period and the choice of bots of this link"),
        ({**WEEK, "compare": "last week"}, "The comparison of this link"),
    ],
)
def test_a_link_that_cannot_be_read_says_so_until_something_is_chosen(home, url, words) -> None:
    write_publication(home / "published")
    app = opened(**url)
    (said,) = [one.value for one in app.warning if "could not be read" in one.value]
    assert said == f"{words} could not be read, so the usual ones are shown."
    app.multiselect(key="capsules").set_value(["guide"]).run()
    assert not [one for one in app.warning if "could not be read" in one.value]


def test_an_empty_value_of_a_link_is_no_value(home) -> None:
    write_publication(home / "published")
    app = opened(capsule="", channel="", compare="2026-03-01", **WEEK)
    assert not [one for one in app.warning if "could not be read" in one.value]
    assert figures(app)["Views"][0] == "5"
