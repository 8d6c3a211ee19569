"""Relevance against use: where an item lies, and what is said of it."""

import pytest

from app.relevance_chart import LESS_OPENED, corner_of, relevance_against_use, relevance_points


def item(name: str, accesses: int, score: float | None, scores: int = 4) -> dict:
    return {"content_id": name, "content_title": name.title(), "access_count": accesses,
            "relevance_score": score, "relevance_score_count": scores}  # fmt: skip


ITEMS = [
    item("guide", 40, 0.9), item("prices", 30, 0.2), item("terms", 2, 0.8), item("old", 1, 0.1),
    item("never scored", 99, None, 0), item("middle", 10, 0.5),
]  # fmt: skip


def test_the_lines_are_the_medians_of_the_items_that_were_scored() -> None:
    points = relevance_points(ITEMS)
    # 1, 2, 10, 30, 40 and 0.1, 0.2, 0.5, 0.8, 0.9.
    assert {(point["middle_accesses"], point["middle_score"]) for point in points} == {(10, 0.5)}
    assert {point["title"]: point["corner"] for point in points} == {
        "Guide": "relevant, often opened",
        "Prices": "less relevant, often opened",
        "Terms": LESS_OPENED,
        "Old": "less relevant, less often opened",
        "Middle": "relevant, often opened",
    }
    assert points[0]["score_text"] == "0.90 of 4"


@pytest.mark.parametrize(
    ("accesses", "score", "corner"),
    [(9, 0.5, LESS_OPENED), (10, 0.49, "less relevant, often opened")],
)
def test_the_median_itself_is_often_and_relevant(accesses, score, corner) -> None:
    assert corner_of(accesses, score, 10, 0.5) == corner


def test_two_items_have_no_middle() -> None:
    assert relevance_points(ITEMS[:2]) == []
    assert relevance_points(ITEMS[4:]) == []


def test_a_corner_is_told_by_shape_as_well_as_colour() -> None:
    dots = relevance_against_use(relevance_points(ITEMS)).to_dict()["layer"][2]["encoding"]
    assert dots["shape"]["field"] == dots["color"]["field"] == "corner"
