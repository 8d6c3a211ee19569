"""What `engagement metrics` says of the small publication, as JSON and as text."""

from dataclasses import replace
from datetime import date

import pytest

from app.custom_event_figures import custom_event_rows
from app.known_values import check_known
from app.metric_reports import checked_metrics, metrics_report
from app.metric_texts import both_changes, rows_text
from app.metrics import METRICS_BY_ID
from app.publications import Publication, close_publications, current_publication
from app.queries import first_days, metric_rows, metric_values, period_before
from app.scope import EVERYTHING
from app.selection import FILTER_DIMENSIONS, Selection, SelectionError
from orchestration.printing import print_metric_rows, print_metrics
from tests.publication_fixture import ROWS, in_hour, turn, write_publication

WEEK = Selection(date(2026, 3, 9), date(2026, 3, 15))
CTR = "cta_click_through_rate"
CTR_LABEL = "CTA click-through rate"


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory):
    published = tmp_path_factory.mktemp("published")
    write_publication(published)
    yield current_publication(published, EVERYTHING)
    close_publications()


def with_rows(tmp_path, **tables) -> Publication:
    write_publication(tmp_path / "published", rows=ROWS | tables)
    return current_publication(tmp_path / "published", EVERYTHING)


def test_the_basis_of_the_click_through_rate_stands_beside_it(publication: Publication) -> None:
    def basis(**chosen) -> str | None:
        return metrics_report(publication, replace(WEEK, **chosen))["metrics"][CTR]["ctr_basis"]

    assert basis(capsules=("guide",)) == "impressions"
    assert basis(capsules=("onboarding",)) == "sessions"
    assert basis() == "mixed"
    assert basis(date_from=date(2025, 1, 1), date_to=date(2025, 1, 2)) is None
    rows = metrics_report(publication, WEEK, by=("capsule",))["rows"]
    assert {row["capsule"]: row["ctr_basis"] for row in rows} == {
        "guide": "impressions", "onboarding": "sessions",
    }  # fmt: skip
    rows = metrics_report(publication, WEEK, by=("cta_id",))["rows"]
    assert {row["cta_id"]: row["ctr_basis"] for row in rows} == {
        "book-demo": "impressions", "see-plans": "sessions", "unknown": None,
    }  # fmt: skip


def test_a_slice_has_the_same_basis_however_it_is_asked_for(publication: Publication) -> None:
    """The bot s9 and s2 of guide saw no call to action; guide is measured by impressions all the same."""
    guide = replace(WEEK, capsules=("guide",))
    for key in ("device", "channel", "country"):
        rows = metric_rows(publication, guide, [key], [CTR, "ctr_basis"])
        for row in rows:
            narrowed = replace(guide, filters={key: (row[key],)})
            assert metric_values(publication, narrowed, [CTR, "ctr_basis"]) == {
                CTR: row[CTR], "ctr_basis": row["ctr_basis"],
            }, row  # fmt: skip
            assert row["ctr_basis"] in ("impressions", None)
    for row in metric_rows(publication, guide, ["day"], [CTR, "ctr_basis"]):
        day = replace(guide, date_from=row["day"], date_to=row["day"])
        assert metric_values(publication, day, [CTR])[CTR] == row[CTR]
    assert metric_values(publication, replace(guide, bots="only"), ["ctr_basis"])["ctr_basis"] is None


@pytest.mark.parametrize("dimension", FILTER_DIMENSIONS)
def test_a_report_of_one_value_is_its_row_in_the_report_by_all_values(
    publication: Publication, dimension: str
) -> None:
    """Also where none of the rates with a word beside them knows the dimension: then they are null."""
    row = metrics_report(publication, WEEK, by=(dimension,))["rows"][0]
    chosen = replace(WEEK, filters={dimension: (row[dimension],)})
    figures = metrics_report(publication, chosen)["metrics"]
    single = [metric_id for metric_id in METRICS_BY_ID if metric_id != "revenue"]
    assert {metric_id: figures[metric_id]["value"] for metric_id in single} == {
        metric_id: row[metric_id] for metric_id in single
    }
    assert figures["conversion_rate"]["interval"] == row["conversion_rate_interval"]
    assert figures[CTR]["ctr_basis"] == row["ctr_basis"]


def test_a_lead_of_somebody_who_never_wrote_does_not_lift_the_rate_above_one(tmp_path) -> None:
    """daily-1 of s2 leads too, without a turn: of visitor-1 and user-1, who wrote, still one is a lead."""
    lead = next(row for row in ROWS["fct_conversions"] if row["is_lead"])
    silent = next(row for row in ROWS["fct_sessions"] if row["session_key"] == "s2")
    shared = {
        name: silent[name] for name in ("session_key", "visitor_key", "visitor_tier", "device", "channel")
    }
    more = lead | shared | {"conversion_key": "silent", "converted_at": "2026-03-09 12:00:00",
                            "conversion_date": "2026-03-09"}  # fmt: skip
    changed = with_rows(tmp_path, fct_conversions=[*ROWS["fct_conversions"], more])
    ids = ("lead_count", "lead_capture_rate")
    assert metric_values(changed, WEEK, ids) == {"lead_count": 2, "lead_capture_rate": 0.5}
    for key in ("day", "capsule", "device", "channel", "visitor_tier", "conversion_type"):
        for row in metric_rows(changed, WEEK, [key], ids):
            assert row["lead_capture_rate"] is None or row["lead_capture_rate"] <= 1, row
    by_tier = metric_rows(changed, WEEK, ["visitor_tier"], ids)
    assert {row["visitor_tier"]: tuple(row.values())[1:] for row in by_tier} == {
        "user": (0, 0.0), "visitor": (1, 1.0), "daily": (1, None),
    }  # fmt: skip
    close_publications()


def test_a_turn_counts_by_topic_on_the_day_it_was_written(tmp_path) -> None:
    """s3 began on the 11th and wrote on the 12th; its reply stays with the day of the session."""
    turns = [row for row in ROWS["fct_turns"] if row["session_key"] != "s3"]
    changed = with_rows(tmp_path, fct_turns=[*turns, turn("s3", 1, 10.0, "setup", asked_on="2026-03-12")])
    ids = ("turn_count", "reply_seconds_median")

    def setup(day: date) -> dict[str, object]:
        rows = metric_rows(changed, replace(WEEK, date_from=day, date_to=day), ["topic"], ids)
        return {row["topic"]: (row["turn_count"], row["reply_seconds_median"]) for row in rows}

    assert setup(date(2026, 3, 11)) == {"setup": (0, 10.0)}
    assert setup(date(2026, 3, 12)) == {"setup": (1, None)}
    close_publications()


def test_every_row_has_the_interval_of_its_conversion_rate(publication: Publication) -> None:
    """1 of 3 visitors: the Wilson interval is 0.0615 to 0.7923 (worked out by hand)."""
    rows = metrics_report(publication, WEEK, by=("cta_type",))["rows"]
    demo = next(row for row in rows if row["cta_type"] == "demo")
    assert demo["conversion_rate"] == pytest.approx(1 / 3)
    assert demo["conversion_rate_interval"] == (
        pytest.approx(0.0615, abs=1e-4),
        pytest.approx(0.7923, abs=1e-4),
    )
    assert demo["conversion_rate_is_too_few"]
    assert "rated_visitor_count" not in demo


def test_a_capsule_is_compared_only_with_days_it_was_there_on(publication: Publication) -> None:
    """onboarding began on 12 March: the week before 9 March is not comparable, for guide it is."""
    assert first_days(publication)["onboarding"] == date(2026, 3, 12)
    assert period_before(publication, replace(WEEK, capsules=("guide",)), "previous").selection is not None
    assert period_before(publication, replace(WEEK, capsules=("onboarding",)), "previous").selection is None
    assert period_before(publication, WEEK, "previous").selection is not None
    rows = metrics_report(publication, WEEK, by=("capsule",), compare_with="previous")["rows"]
    before = {row["capsule"]: row["previous"] for row in rows}
    assert before["onboarding"] is None
    assert before["guide"]["session_count"] == 2


def test_text_shows_new_points_and_percent(
    publication: Publication, capsys: pytest.CaptureFixture[str]
) -> None:
    print_metrics(metrics_report(publication, WEEK))
    lines = {line[:44].strip(): line[44:].split("  ") for line in capsys.readouterr().out.splitlines()}
    # 1 lead against none; a bounce rate of 1 in 4 against 1 in 2.
    assert lines["Leads"][-1].strip() == "new"
    assert "−25 points, −50%" in " ".join(lines["Bounce rate"])
    assert "of impressions, or sessions with a view where a capsule sends none" in " ".join(lines[CTR_LABEL])
    assert "95% between" in " ".join(lines["Conversion rate"])


def test_the_table_of_a_breakdown_fits_the_terminal(
    publication: Publication, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = metrics_report(publication, WEEK, by=("channel",), compare_with="previous")
    for width in (60, 80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        print_metric_rows(report, ("channel",))
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= width, lines
        assert any(line.startswith("email") for line in lines)
    chosen = rows_text(report["rows"], ("channel",), 60, ("bounce_rate",))
    assert "Bounce rate" in chosen
    assert "Views" not in chosen


def test_a_rate_from_zero_is_new_and_has_points() -> None:
    from app.comparison import compare_values

    rate = METRICS_BY_ID["bounce_rate"]
    assert both_changes(compare_values(0.25, 0.2, is_rate=True), rate) == "+5 points, +25%"
    assert both_changes(compare_values(0.25, 0.0, is_rate=True), rate) == "+25 points, new"
    assert both_changes(compare_values(0.25, None, is_rate=True), rate) == ""
    assert both_changes(compare_values(3, 0, is_rate=False), METRICS_BY_ID["lead_count"]) == "new"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"capsules": ("giude",)}, "capsule 'giude'; the nearest is \"guide\""),
        ({"filters": {"channel": ("serch",)}}, "channel 'serch'; the nearest is \"search\""),
        ({"filters": {"source": ("gogle",)}}, "source 'gogle'; the nearest is \"google\""),
        ({"filters": {"cta_type": ("dmeo",)}}, "cta type 'dmeo'; the nearest is \"demo\""),
    ],
)
def test_a_mistyped_name_is_an_error_with_the_nearest(publication: Publication, chosen, words: str) -> None:
    with pytest.raises(SelectionError, match=words):
        check_known(publication, replace(WEEK, **chosen))


def test_names_that_exist_pass(publication: Publication) -> None:
    check_known(publication, replace(WEEK, capsules=("guide",), filters={"channel": ("search", "unknown")}))
    checked_metrics(["view_count"])


def test_a_mistyped_dimension_key_or_metric_is_an_error_with_the_nearest(publication: Publication) -> None:
    with pytest.raises(SelectionError, match="filter 'chanel'; the nearest is \"channel\""):
        replace(WEEK, filters={"chanel": ("search",)})
    with pytest.raises(SelectionError, match="key 'contry'; the nearest is \"country\""):
        metric_rows(publication, WEEK, ["contry"])
    with pytest.raises(SelectionError, match="metric 'view_cuont'; the nearest is \"view_count\""):
        checked_metrics(["view_cuont"])


def test_properties_of_a_custom_event_are_counted_and_added_up(tmp_path) -> None:
    """Scores 1, 2, 3 and 10 of two visitors: sum 16, mean 4, median 2.5, 90th percentile 7.9."""

    def sent(number: int, session: str) -> dict[str, object]:
        row = in_hour(session, "2026-03-09 10", occurred_at="2026-03-09 10:00:00", event_name="quiz",
                      event_key=f"q{number}")  # fmt: skip
        return row | {"property_name": "score", "text_value": str(number), "number_value": number}

    scores = [sent(1, "s1"), sent(2, "s1"), sent(3, "s2"), sent(10, "s2")]
    columns = ("property_name", "text_value", "number_value")
    events = [{name: value for name, value in row.items() if name not in columns} for row in scores]
    changed = with_rows(tmp_path, fct_custom_events=events, fct_custom_event_properties=scores)
    assert custom_event_rows(changed, WEEK, None, None) == [
        {"event_name": "quiz", "event_count": 4, "visitor_count": 2, "session_count": 2}
    ]
    assert custom_event_rows(changed, WEEK, "quiz", None) == [
        {"property_name": "score", "event_count": 4, "visitor_count": 2, "value_count": 4, "number_count": 4,
         "sum": 16.0, "mean": 4.0, "median": 2.5, "p90": pytest.approx(7.9)}
    ]  # fmt: skip
    assert len(custom_event_rows(changed, WEEK, "quiz", "score")) == 4
    with pytest.raises(SelectionError, match="No custom event is named 'quizz'; the nearest is \"quiz\""):
        custom_event_rows(changed, WEEK, "quizz", None)
    with pytest.raises(SelectionError, match="No property of quiz is named 'scor'"):
        custom_event_rows(changed, WEEK, "quiz", "scor")
    close_publications()
