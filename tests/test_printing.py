"""What commands say."""

import pytest

from orchestration.micro_batch import LoadSummary
from orchestration.printing import print_load


def test_nothing_to_load_does_not_speak_of_a_publication_that_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    idle = {**LoadSummary().as_json(), "is_new": False}
    print_load(idle | {"publication": None})
    assert capsys.readouterr().out == (
        "Nothing to load: no event file has landed, and nothing has been published yet.\n"
    )
    print_load(idle | {"publication": {"id": "one"}})
    assert "every landed file is in the current publication" in capsys.readouterr().out
