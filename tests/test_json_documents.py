"""Arrays and pretty-printed objects: one broken element costs no other."""

import json

import pytest

from orchestration.json_documents import elements
from tests.event_lines import event

MADE = [event(eventId=f"e{number}", metadata={"a": [1, {"b": 2}], "t": 'x"}],{\\'}) for number in range(20)]
ONE_LINE = json.dumps(MADE).encode()
A_LINE_EACH = b"[\n" + b",\n".join(json.dumps(made).encode() for made in MADE) + b"\n]"
PRETTY = json.dumps(MADE, indent=2).encode()
OBJECTS = b"\n".join(json.dumps(made, indent=1).encode() for made in MADE)


def broken(text: bytes) -> list[int]:
    """Positions of the elements that are no JSON; the others must be those of `MADE`, whole and in order."""
    found: list[object] = []
    bad: list[int] = []
    for at, element in enumerate(elements(text)):
        assert b"\n" not in element
        try:
            found.append(json.loads(element.decode()))
        except ValueError:
            bad.append(at)
    rest = iter(MADE)
    assert all(any(made == one for one in rest) for made in found)
    return [*bad, len(found)]


@pytest.mark.parametrize("text", [ONE_LINE, A_LINE_EACH, PRETTY, OBJECTS, ONE_LINE + b"\n" + b"[]"])
def test_every_element_is_one_line(text: bytes) -> None:
    assert broken(text) == [20]


@pytest.mark.parametrize("text", [ONE_LINE, A_LINE_EACH, PRETTY, OBJECTS])
@pytest.mark.parametrize(
    ("right", "wrong"),
    [(b'"session-1"', b"session-1"), (b'"session-1"', b'"s\xff"'), (b'"session-1"', b'"s\0"')],
)
def test_a_broken_element_costs_itself(text: bytes, right: bytes, wrong: bytes) -> None:
    assert broken(text.replace(right, wrong, 1)) == [0, 19]


@pytest.mark.parametrize("text", [A_LINE_EACH, PRETTY, OBJECTS])
@pytest.mark.parametrize(
    ("right", "wrong"), [(b'"session-1"', b'"session-1'), (b'{"b"', b'"b"'), (b"{", b"{{")]
)
def test_a_missing_quote_or_bracket_costs_one_element(text: bytes, right: bytes, wrong: bytes) -> None:
    assert broken(text.replace(right, wrong, 1))[-1] >= 19


def whole(text: bytes) -> int:
    """How many elements are those of `MADE`; a broken one may fall into several pieces."""
    sent = {json.dumps(made).encode() for made in MADE}
    return sum(element in sent for element in elements(text))


def test_an_array_that_was_cut_keeps_what_came_before() -> None:
    assert broken(ONE_LINE[:-40]) == [19, 19]


def test_a_sign_that_is_missing_in_one_line_costs_its_element() -> None:
    start = ONE_LINE.index(b'{"eventId": "e7"')
    signs = [at for at in range(start, ONE_LINE.index(b'"t"', start)) if ONE_LINE[at] in b'"{}[]']
    assert len(signs) == 32
    for at in signs:
        # Without a quote all that follows is inside out, without a bracket it is one element to the end.
        assert whole(ONE_LINE[:at] + ONE_LINE[at + 1 :]) == 19, ONE_LINE[at - 9 : at + 9]


def test_a_quote_too_much_in_one_line_costs_its_element_and_a_neighbour_at_most() -> None:
    start, end = (ONE_LINE.index(f'{{"eventId": "e{number}"'.encode()) for number in (7, 8))
    for at in range(start, end):
        assert whole(ONE_LINE[:at] + b'"' + ONE_LINE[at:]) >= 18, ONE_LINE[at - 9 : at + 9]


def test_a_torn_line_before_objects_costs_itself() -> None:
    lines = b"[torn\n" + b"\n".join(json.dumps(made).encode() for made in MADE)
    assert broken(lines) == [0, 20]


def test_the_bytes_of_an_element_stay_as_they_were() -> None:
    assert list(elements(b'[{"a":1,"a":2}, {"b" : 1.50}]')) == [b'{"a":1,"a":2}', b'{"b" : 1.50}']


def test_scalars_and_arrays_are_elements_too() -> None:
    assert list(elements(b'[1, null, "x,y", [2, 3], {}]')) == [b"1", b"null", b'"x,y"', b"[2, 3]", b"{}"]


def test_a_line_end_inside_a_string_stays_no_json() -> None:
    (element,) = elements(b'{"a":\n"x\ny"}')
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(element)
