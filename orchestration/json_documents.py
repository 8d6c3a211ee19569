"""A JSON array, or objects written over several lines, is cut into its elements.

Why it exists: one broken element must not cost the others, so the text is not parsed but cut where its
brackets say that an element ends; each element's own bytes then go through admission like a line. Pure.
Not here: which files are such documents (`line_reader.py`), what an element means (`admission.py`).
"""

import re
from collections.abc import Iterator
from typing import Final

from orchestration.text_forms import BOM, is_json

# A string ends at its line's end at the latest, so that a missing quote costs one line of it.
_TOKEN: Final = re.compile(rb'"(?:[^"\\\n]|\\.)*"?|[\[\]{},]')
_OPENING: Final = frozenset([b"{", b"["])
_CLOSING: Final = frozenset([b"}", b"]"])
_AROUND: Final = b" \t\r\n,"
# Also between inner objects: then one broken element is rejected in several pieces.
_NEXT_ELEMENT: Final = re.compile(rb'(?<=\})[ \t\r]*,[ \t\r]*(?=\{")')
_DEEPEST_INDENT: Final = 200
_NO_JSON_SPACE: Final = b"\x0b"


def elements(text: bytes) -> Iterator[bytes]:
    """The elements, each in one line, in their order; what stands between two elements is one, too.

    The inner elements of an array are taken one by one; one array may follow another.
    """
    for element, indent in _cut(text):
        if b"\n" not in element:
            yield from _cut_in_line(element)
        elif is_json(element):
            yield element.replace(b"\n", b" ").replace(b"\r", b" ")
        else:
            for part in _cut_at_indent(element, indent):
                yield from map(_broken_in_one_line, _cut_in_line(part))


def _cut(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each element and the white space before it in its line."""
    depth = start = 0
    is_array = False
    for token in _TOKEN.finditer(text):
        sign = token.group()
        if depth == 0 and sign in _OPENING:
            # What came since the last element is none of this one.
            yield from _whole(text, start, token.start())
            start = token.start()
            if sign == b"[" and not is_array:
                is_array, start = True, token.end()
            else:
                depth = 1
        elif depth == 0 and (sign == b"," or (sign == b"]" and is_array)):
            yield from _whole(text, start, token.start())
            start = token.end()
            is_array = is_array and sign == b","
        elif depth and sign in _OPENING:
            depth += 1
        elif depth and sign in _CLOSING:
            depth -= 1
            if depth == 0:
                yield from _whole(text, start, token.end())
                start = token.end()
    yield from _whole(text, start, len(text))


def _whole(text: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    # Where documents were joined, each may begin with a byte order mark.
    element = text[start:end].strip(_AROUND).removeprefix(BOM).lstrip(_AROUND)
    if element:
        at = text.find(element, start)
        # Looking further back would read a document in one line once for every element of it.
        before = text[max(0, at - _DEEPEST_INDENT) : at].rpartition(b"\n")[2]
        yield element, before if not before.strip() else b""


def _cut_in_line(element: bytes) -> list[bytes]:
    """An element that lacks a quote or a bracket has swallowed those after it in the same line."""
    if not _NEXT_ELEMENT.search(element) or is_json(element):
        return [element]
    return _without_array_end(_NEXT_ELEMENT.split(element))


def _cut_at_indent(element: bytes, indent: bytes) -> list[bytes]:
    """An element that lacks a bracket has swallowed those after it, which begin like it in their line."""
    parts = re.split(rb"\n(?=" + re.escape(indent) + rb"\{)", element)
    return _without_array_end([part for part in (part.strip(_AROUND) for part in parts) if part])


def _without_array_end(parts: list[bytes]) -> list[bytes]:
    """The last of some elements may have swallowed the end of the array."""
    if parts[-1].endswith(b"]") and is_json(parts[-1][:-1]):
        parts[-1] = parts[-1][:-1].strip(_AROUND)
    return parts


def _broken_in_one_line(element: bytes) -> bytes:
    line = element.replace(b"\r", b" ")
    if is_json(line):
        return line.replace(b"\n", b" ")
    joined = line.replace(b"\n", b" ")
    # A line end inside a string is no JSON; a space in its place would be.
    return line.replace(b"\n", _NO_JSON_SPACE) if is_json(joined) else joined
