"""What the tabs show beside their key figures, worked out by hand: tables, filters, checks."""

import csv
import json
from pathlib import Path

import pytest

from app.check_results import last_checks
from app.publications import close_publications
from tests.publication_fixture import write_publication
from tests.test_dashboard import WEEK, figures, opened, texts

ROOT = Path(__file__).parent.parent


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path))
    monkeypatch.setenv("ENGAGEMENT_LANDING", str(tmp_path / "landing"))
    write_publication(tmp_path / "published")
    yield tmp_path
    close_publications()


def table(app, column: str) -> list[dict]:
    """The rows of the table that has this column."""
    return next(found.value for found in app.dataframe if column in found.value).to_dict("records")


def test_insights_are_sentences_with_evidence_and_advice_the_surest_first(home) -> None:
    found = texts(opened(**WEEK))
    assert "**onboarding: The bounce\\_rate rose.**" in found
    assert found.index("onboarding: The bounce") < found.index("guide\\*: The bounce")
    assert found.count("40 sessions.") == 5


def test_a_rejected_line_can_be_looked_up_the_newest_first(home) -> None:
    rows = table(opened("data_quality", **WEEK), "In file")
    assert [(row["In file"], row["Line"], row["Why"], row["Field"]) for row in rows] == [
        ("march.ndjson", 21, "Not JSON", "–"),
        ("march.ndjson", 7, "Timestamp without offset", "timestamp"),
    ]


def test_a_refused_file_says_why_on_the_page_about_data_quality(home) -> None:
    rows = table(opened("data_quality", **WEEK), "File")
    assert [(row["File"], row["Status"], row["Received"]) for row in rows] == [
        ("march.ndjson", "Loaded", 21),
        ("torn.ndjson.gz", "Refused: damaged compression", 0),
    ]


def test_the_funnel_and_the_models_are_on_the_page_about_conversions(home) -> None:
    app = opened("conversions", **WEEK)
    lost = [(row["Step"], row["Lost after it"]) for row in table(app, "Step")]
    # Four sessions with a view, two with a message, one with a click. Without the seed of steps, which this
    # publication lacks, the last one that anybody took is the last.
    assert lost == [("view", "50.0%"), ("turn", "50.0%"), ("cta_click", "–")]
    credits = table(app, "Newer more")
    assert [(row["Channel"], row["Last, not direct"], row["Shared evenly"]) for row in credits] == [
        ("Email", "49.90 EUR", "33.27 EUR"),
        ("Search", "0.00 EUR", "16.63 EUR"),
        ("Search", "10.00 USD", "10.00 USD"),
    ]


def test_why_conversations_end_is_on_the_page_about_engagement(home) -> None:
    rows = table(opened("engagement", **{"from": "2026-03-02", "to": "2026-03-15"}), "Last topic")
    # s5 ended without a conversion; s1 (prices) and s3 (setup) converted.
    assert [(row["Last topic"], row["Conversations"], row["Drop-off rate"]) for row in rows] == [
        ("Prices", 2, "50.0%"),
        ("Setup", 1, "0.0%"),
    ]


def test_videos_searches_and_unused_items_are_on_the_page_about_content(home) -> None:
    app = opened("content", **WEEK)
    (search,) = table(app, "Search")
    assert (search["Search"], search["Led to content"]) == ("refund", "100.0%")
    (video,) = table(app, "Video")
    assert (video["Plays"], video["To the end"], video["Watched per play"]) == (2, "50.0%", "58 s")
    idle = {row["Content item"]: row for row in table(app, "Last opened")}
    assert set(idle) == {"Questions", "Old film"}
    assert idle["Questions"]["Last opened"] == "never"
    assert idle["Old film"]["State"].startswith("Gone cold")


def test_countries_stand_beside_the_map(home) -> None:
    rows = table(opened("traffic", **WEEK), "Country")
    # Names come with the seed, which this publication lacks.
    assert [(row["Country"], row["Sessions"], row["Visitors"]) for row in rows] == [
        ("DE", 3, 2),
        ("US", 1, 1),
    ]


def test_the_map_knows_the_countries_of_the_seed() -> None:
    shapes = json.loads((ROOT / "app/static/world.json").read_text(encoding="utf-8"))
    drawn = {shape.get("id") for shape in shapes["objects"]["countries"]["geometries"]}
    with (ROOT / "seeds/countries.csv").open(encoding="utf-8", newline="") as file:
        known = {row["country"] for row in csv.DictReader(file)}
    assert drawn - {None} <= known
    assert {"SG", "HK", "MT", "XK", "VA"} <= drawn
    # Parts of other countries and islands without inhabitants; all are in the table beside the map.
    assert len(known - drawn) <= 16, sorted(known - drawn)


@pytest.mark.parametrize(
    ("link", "views"),
    [
        ({"channel": "search"}, "2"),
        ({"country": "US"}, "1"),
        ({"device": "mobile"}, "3"),
        ({"channel": "search", "country": "DE", "device": "desktop"}, "2"),
    ],
)
def test_a_filter_of_a_link_narrows_the_figures_and_stays_in_the_address(home, link, views) -> None:
    app = opened(**link, **WEEK)
    assert figures(app)["Views"][0] == views
    for name, value in link.items():
        assert app.query_params[name] in (value, [value])


def test_a_filter_that_matches_nothing_says_so(home) -> None:
    app = opened(channel="carrier_pigeon", **WEEK)
    assert "Nothing matches the filters" in texts(app)
    assert app.multiselect(key="channel").value == ["carrier_pigeon"]


def test_what_no_filter_reaches_says_so(home) -> None:
    assert "these filters do not apply here" in texts(opened("conversions", channel="search", **WEEK))
    assert "these filters do not apply here" not in texts(opened("conversions", **WEEK))


CHECKS = {
    "checked_at": "2026-03-16T09:17:00Z",
    "looked_at": "all 21 lines",
    "checks": [
        {"name": "a", "sentence": "Holds.", "passed": True, "found": 1.0, "line_count": 21},
        {"name": "b", "sentence": "Fails.", "passed": False, "found": 0.25, "line_count": 20},
        {"name": "c", "sentence": "At most 2% are rejected.", "passed": True, "found": 0.99,
         "stated": 0.01, "line_count": 21},
        {"name": "d", "sentence": "Few.", "passed": None, "found": None, "line_count": 3},
        {"name": "day_volume_is_usual", "sentence": "Usual.", "passed": True, "found": 0.85,
         "line_count": 1},
    ],
}  # fmt: skip


def test_checks_that_fail_come_first(home) -> None:
    (home / "quality").mkdir()
    (home / "quality" / "results.json").write_text(json.dumps(CHECKS), encoding="utf-8")
    app = opened("data_quality", **WEEK)
    assert "5 checks. 1 does not hold." in texts(app)
    assert "Checked 2026-03-16 09:17 UTC: all 21 lines." in texts(app)
    rows = table(app, "What is expected")
    assert [(row["Result"], row["Found"]) for row in rows] == [
        ("does not hold", "25.0%"),
        ("holds", "100.0%"),
        ("holds", "1.0%"),
        ("holds", "0.85 times"),
        ("too few lines to tell", "–"),
    ]


def test_before_the_first_check_the_page_says_so(home) -> None:
    assert "No batch has been checked yet" in texts(opened("data_quality", **WEEK))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"checks": 1}', "{" * 9])
def test_results_that_cannot_be_read_are_none(tmp_path, text) -> None:
    (tmp_path / "results.json").write_text(text, encoding="utf-8")
    assert last_checks(tmp_path) is None


def test_every_filter_has_a_label_that_takes_it_out(home) -> None:
    app = opened("traffic", channel="search", opened_content="pricing", **WEEK)
    labels = {button.label for button in app.button}
    assert {"Channel: Search  ✕", "Opened content: Pricing  ✕"} <= labels
    # Of s1 and s3 by search only s1 opened it.
    assert figures(app)["Views"][0] == "1"
    next(button for button in app.button if button.label.startswith("Opened")).click().run()
    assert figures(app)["Views"][0] == "2"
    assert "opened_content" not in app.query_params
    assert app.query_params["channel"] in ("search", ["search"])


def test_an_opened_item_stays_chosen_on_every_tab(home) -> None:
    app = opened("content", opened_content="pricing", **WEEK)
    assert figures(app)["Content accesses"][0] == "2"
    app.switch_page("app_pages/overview.py").run()
    assert figures(app)["Sessions"][0] == "2"
    assert app.query_params["opened_content"] in ("pricing", ["pricing"])


def test_days_of_a_readers_choice_are_compared_and_kept_in_the_address(home) -> None:
    app = opened(compare="2026-03-02", **WEEK)
    assert "Compared with 2 to 8 March 2026." in texts(app)
    assert figures(app)["Views"] == ("5", "+150%")
    app.switch_page("app_pages/traffic.py").run()
    assert app.query_params["compare"] in ("2026-03-02", ["2026-03-02"])
    assert "Compared with 2 to 8 March 2026." in texts(app)
    late = opened(compare="2026-03-10", **WEEK)
    assert "do not begin before this period" in texts(late)
