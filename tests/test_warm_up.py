"""What the server does before anybody comes."""

from datetime import date

from altair.utils import schemapi

from app import charts, warm_up
from app.answers import answers
from app.publications import close_publications, current_publication
from app.scope import EVERYTHING
from tests.publication_fixture import write_publication
from tests.test_dashboard import opened

ROWS = [{"name": "a", "session_count": 1}, {"name": "b", "session_count": 2}]


def test_a_chart_is_the_same_without_the_check_of_its_schema(monkeypatch) -> None:
    monkeypatch.setattr(schemapi, "DEBUG_MODE", True)
    monkeypatch.setattr(schemapi.SchemaBase, "validate", schemapi.SchemaBase.__dict__["validate"])

    def spec() -> dict[str, object]:
        return charts.bars(ROWS, "name", "session_count", "Sessions", with_share=False).to_dict()

    checked = spec()
    warm_up.draw_unchecked()
    unchecked = spec()
    for found in (checked, unchecked):
        # Altair counts its charts and names them by that.
        found.pop("name", None)
    assert unchecked == checked


def test_the_first_page_finds_its_answers(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path))
    write_publication(tmp_path / "published")
    answers.clear()
    publication = current_publication(tmp_path / "published", EVERYTHING)
    warm_up.ask_first_page(publication, date(2026, 2, 15), date(2026, 3, 16))
    size = answers.size
    opened()
    assert answers.size == size
    close_publications()
