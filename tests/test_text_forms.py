"""What a text is by its beginning: line ends and marks of other systems change no good line."""

import json
import random

import pytest

from orchestration.line_blocks import cut_into_blocks
from orchestration.text_forms import (
    has_old_line_ends,
    line_end_of_objects,
    with_line_ends,
    without_marks,
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_two_objects_are_parted_wherever_the_text_was_read_in_pieces(size: int) -> None:
    text = b'{"a":{}}\r{"b":1}\r\n{"c":[{},{}]}\r{"d":1}}\r'
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert b"".join(with_line_ends(chunks)) == b'{"a":{}}\n{"b":1}\r\n{"c":[{},{}]}\n{"d":1}}\r'


def test_no_json_value_is_changed() -> None:
    noise = random.Random(5)
    values = ["}\r{", "\ufeff", "\n\ufeff", {}, [{}, {}], {"}": "{"}, "a\\", '"', 1.5, None]
    for _ in range(300):
        made = {str(number): noise.choice(values) for number in range(4)}
        indent = noise.choice([None, "\r", " \r"])
        text = json.dumps(made, indent=indent, ensure_ascii=False).replace("\n", "\r").encode()
        lines = without_marks(b"".join(with_line_ends([text, b"\n", text])))
        assert lines == text + b"\n" + text
        assert not has_old_line_ends(text)


@pytest.mark.parametrize(
    ("text", "is_old"),
    [
        (b'{"a":1}\r{"b":1}\r', True),
        (b'bad\r{"b":1}', True),
        (b'{"a":1\r{"b":1}', True),
        (b'{\r"a":1\r}\r\r{\r"b":1\r}', True),
        (b'{"a":1}\r\n{"b":1}', False),
        (b'{"a":1}\r', False),
        (b'{"a":\r{"b":1}}', False),
        (b'[\r{"a":1}\r{"b":1}]', False),
        (b"prose\rprose", False),
    ],
)
def test_a_lone_carriage_return_ends_lines_only_between_objects(text: bytes, is_old: bool) -> None:
    assert has_old_line_ends(text) is is_old


@pytest.mark.parametrize(
    ("chunks", "found"),
    [
        ([b"x" * 1000, b'\n{"a":1}'], b"\n"),
        ([b"x\n  ", b'{"a":1}'], b"\n"),
        ([b"x\n{", b'"a":1}'], b"\n"),
        ([b"x" * 1000, b'{"a":1}'], None),
        ([b"prose\n", b"and more"], None),
        ([b"x\n" + b" " * 1000, b"y"], None),
        ([b"x" * 1000, b'\r{"a":1}'], b"\r"),
        ([b"x\r  ", b'{"a":1}\n'], b"\r"),
        ([b"x\r{", b'"a":1}'], b"\r"),
        ([b"x\r", b"y\r", b'{"a":1}'], b"\r"),
        # A line end of ours came first, so a carriage return is none.
        ([b"x\n", b'y\r{"a":1}'], None),
        ([b"x\ny", b'\r{"a":1}\n', b'{"b":1}'], b"\n"),
    ],
)
def test_an_object_is_found_however_late_its_line_begins(chunks: list[bytes], found: bytes | None) -> None:
    assert line_end_of_objects(chunks) == found


def test_lines_keep_their_numbers() -> None:
    text = b'{"a":1}\r{"b":1}\n{"c":1}'
    (block,) = cut_into_blocks(with_line_ends([text]), 1000)
    assert list(block.lines()) == [(1, b'{"a":1}'), (2, b'{"b":1}'), (3, b'{"c":1}')]
