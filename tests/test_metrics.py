"""The registry of metrics says the same as the public interface and can be computed."""

from datetime import date

import pytest

from app.measures import MEASURES_ALONG, SUPPORTING_MEASURES
from app.metrics import METRIC_IDS, METRICS, measure_of
from app.relations import RELATIONS
from app.selection import Selection
from app.statements import base_measures, metric_statement, parts_of

PUBLIC_IDS = """
    view_count unique_viewer_count session_count visitor_count new_visitor_count
    returning_visitor_count unknown_visitor_count return_visit_rate session_seconds_avg
    session_seconds_median session_seconds_p90 engaged_seconds_total engaged_seconds_avg
    bounce_count bounce_rate engaged_session_count engagement_rate turn_count message_count
    turns_per_session_avg turns_per_session_median conversation_count turns_per_conversation_avg
    turns_per_conversation_median messages_per_conversation_avg reply_seconds_median
    content_access_count content_item_count search_count zero_result_rate video_play_count
    video_completion_rate cta_impression_count cta_click_count cta_click_through_rate
    conversion_count converting_visitor_count conversion_rate lead_count lead_capture_rate
    seconds_to_conversion_median revenue
""".split()


# Further figures of the specification, which the public interface does not name.
FURTHER_IDS = set(
    """
    turns_per_session_p90 turns_per_conversation_p90 reply_seconds_p95 citation_count followed_search_rate
    video_watched_seconds_avg seconds_to_conversion_p75 seconds_to_conversion_p90 seconds_to_conversion_avg
    seconds_from_first_touch_median seconds_from_first_touch_p75 seconds_from_first_touch_p90
    seconds_from_first_touch_avg custom_event_count accessing_session_count accessing_visitor_count
    """.split()
)


def test_every_public_metric_is_listed_in_its_order() -> None:
    assert [metric_id for metric_id in METRIC_IDS if metric_id not in FURTHER_IDS] == PUBLIC_IDS
    assert set(METRIC_IDS) > FURTHER_IDS


@pytest.mark.parametrize("metric", METRICS, ids=METRIC_IDS)
def test_a_metric_has_words_for_people(metric) -> None:
    assert metric.label[0].isupper()
    assert metric.label != metric.label.title() or " " not in metric.label
    assert metric.definition[0].isupper()
    assert metric.definition.endswith(".")


@pytest.mark.parametrize("metric", METRICS, ids=METRIC_IDS)
def test_the_unit_follows_the_name(metric) -> None:
    if metric.id.endswith("_rate"):
        assert metric.unit == "rate"
    elif metric.id.endswith("_count"):
        assert metric.unit == "count"
    elif "seconds" in metric.id:
        assert metric.unit == "seconds"


def test_fewer_bounces_and_shorter_waits_are_good() -> None:
    falling = {metric.id for metric in METRICS if metric.good == "down"}
    assert falling == {
        "bounce_count",
        "bounce_rate",
        "zero_result_rate",
    } | {metric.id for metric in METRICS if metric.id.startswith(("reply_seconds", "seconds_"))}


def test_a_combined_metric_names_measures_that_exist() -> None:
    for metric in METRICS:
        if metric.measure is not None and metric.measure.relation == "combined":
            assert len(parts_of(metric.measure)) == 2
            assert set(base_measures([metric.id])) >= {
                part for part in parts_of(metric.measure) if part in SUPPORTING_MEASURES
            }


def test_every_metric_but_revenue_has_a_measure() -> None:
    assert {metric.id for metric in METRICS if metric.measure is None} == {"revenue"}


def test_along_a_dimension_the_mart_that_knows_it_answers() -> None:
    for dimension, measures in MEASURES_ALONG.items():
        for metric_id, measure in measures.items():
            assert dimension in RELATIONS[measure.relation].dimensions
            assert measure_of(metric_id, (dimension,)) == measure
            assert measure_of(metric_id) != measure


def test_values_never_reach_the_text_of_a_statement() -> None:
    nasty = "x') or true --"
    statement = metric_statement(
        Selection(date(2026, 3, 9), date(2026, 3, 15), (nasty,), {"source": (nasty,)}),
        ("day", "channel"),
        [metric_id for metric_id in METRIC_IDS if metric_id != "revenue"],
        "UTC",
        {source.table for source in RELATIONS.values()},
    )
    assert nasty not in statement.sql
    assert statement.parameters["capsule_0"] == statement.parameters["source_0"] == nasty
