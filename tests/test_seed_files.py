"""A seed that can't be read is named with its line, whatever a spreadsheet made of it."""

from pathlib import Path

import pytest
import yaml

from orchestration.seed_files import seed_file_mistakes, seeds_not_utf8
from orchestration.settings import PROJECT_ROOT

STEPS = {"step_number": "bigint", "step": "string", "is_last": "boolean"}
HEADER = "step_number,step,is_last\n"


def mistakes(content: str | bytes) -> list[str]:
    raw = content.encode() if isinstance(content, str) else content
    return list(seed_file_mistakes("seeds/steps.csv", raw, STEPS))


@pytest.mark.parametrize(
    "content",
    [
        HEADER + "1,view,false\n2,turn,TRUE\n",
        HEADER + '1,"view, or look",false\n',
        HEADER + '1,"a ""view""",\n\n',
        "is_last,step_number,step\nfalse,1,view",
        "\ufeff" + HEADER.replace("\n", "\r\n") + "1,view,false\r\n",
        HEADER + "1,a\u2028b,false\n",
    ],
    ids=["plain", "a comma in quotes", "a quote and an empty line", "columns in another order",
         "mark and line ends of a spreadsheet", "a separator of lines in a text"],
)  # fmt: skip
def test_what_can_be_read_is_no_mistake(content: str) -> None:
    assert mistakes(content) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEADER + "1,view,false,\n", "line 2: has 4 values, must have 3 (step_number, step, is_last); a"),
        (HEADER + "1,view,false\n2\n", "line 3: has 1 value, must have 3"),
        (HEADER + "one,view,false\n", "line 2: step_number 'one' is no whole number"),
        (HEADER + "1.5,view,false\n", "line 2: step_number '1.5' is no whole number"),
        (HEADER + "1,view,WAHR\n", "line 2: is_last 'WAHR' is neither true nor false"),
        (HEADER + '1,"view\n2,turn",false\n', "line 2: a quote is not closed in its line"),
        (HEADER + '1,view,false\n2,"turn,false\n3,x,true\n', "line 3: a quote is not closed in its line"),
        (HEADER + '1,"a"b,false\n', "line 2: a quote is not closed in its line, or text stands behind it"),
        (HEADER.replace(",", ";") + "1;view;false\n",
         "line 1: the columns are separated by semicolons; save it as CSV UTF-8, separated by commas"),
        (HEADER.replace(",", "\t"), "line 1: the columns are separated by tabs"),
        ("step_number,name,is_last\n",
         "line 1: the columns are step_number, name, is_last, must be step_number, step, is_last"),
        ("", "line 1: the columns are missing, must be step_number, step, is_last"),
        (HEADER.encode() + "1,view,false\n2,Größe,false\n".encode("latin-1"), "line 3: is not UTF-8; save"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_line(content: str | bytes, words: str) -> None:
    (said,) = mistakes(content)
    assert said.startswith(f"seeds/steps.csv, {words}")


def test_the_seeds_of_the_project_can_be_read() -> None:
    for described in sorted((PROJECT_ROOT / "seeds").glob("*.yml")):
        (seed,) = yaml.safe_load(described.read_text(encoding="utf-8"))["seeds"]
        path = described.with_suffix(".csv")
        assert not list(seed_file_mistakes(path.name, path.read_bytes(), seed["config"]["column_types"])), (
            path
        )


def test_a_seed_of_another_encoding_is_named_although_dbt_cannot_even_parse_it(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "good.csv").write_text("a\nGröße\n", encoding="utf-8")
    assert seeds_not_utf8(tmp_path) is None
    (tmp_path / "seeds" / "bad.csv").write_bytes("a\nGröße\n".encode("latin-1"))
    said = seeds_not_utf8(tmp_path)
    assert said
    assert said.startswith("seeds/bad.csv, line 2: is not UTF-8")
