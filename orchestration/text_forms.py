"""What a text is shows in its beginning: lines, a document, lines of another line end, or no JSON at all.

Why it exists: files come from every system, and a mark or a line end that is not ours must cost no event.
Whatever is changed here can't stand there in valid JSON, so no good line changes. Pure.
Not here: reading (`line_reader.py`), cutting into lines and elements (`line_blocks.py`, `json_documents.py`).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import orjson

BOM: Final = b"\xef\xbb\xbf"
_OBJECT_START: Final = re.compile(rb"^[ \t\xef\xbb\xbf]*\{[ \t\r]*(?:\"|\}|$)", re.MULTILINE)
# White space before an object is seldom longer; a longer beginning of a line is none of an object.
_LONGEST_INDENT: Final = 256
_OBJECTS_APART_BY_CR: Final = re.compile(rb"\}[ \t]*\r[ \t\r]*\{")


def has_object(text: bytes) -> bool:
    """Whether any line begins like a JSON object; a picture or a page of prose has none."""
    return _OBJECT_START.search(text) is not None


def line_end_of_objects(chunks: Iterable[bytes]) -> bytes | None:
    r"""The line end that parts objects from what comes before them: `\r` only where no `\n` came first.

    Null: no line of all of them begins like a JSON object.
    """
    line_start, is_old = b"", True
    for chunk in chunks:
        text = line_start + chunk
        if is_old:
            found = _OBJECT_START.search(text.replace(b"\r", b"\n"))
            if found and b"\n" not in text[: found.start()]:
                return b"\r"
            is_old = b"\n" not in chunk
        if not is_old and _OBJECT_START.search(text):
            return b"\n"
        line_start = text[max(text.rfind(b"\n"), text.rfind(b"\r") if is_old else -1) + 1 :]
        if len(line_start) > _LONGEST_INDENT:
            line_start = b"x"
    return None


def is_pretty_printed(opening: bytes) -> bool:
    """Whether an object goes on behind its first line."""
    first_line = opening.split(b"\n", 1)[0].rstrip()
    return first_line[:1] == b"{" and not first_line.endswith(b"}") and b'"eventType"' not in first_line


def has_old_line_ends(opening: bytes) -> bool:
    """Whether lines end in a lone carriage return, as some programs still write them.

    In one object it is white space: so it takes a second one, or a piece that is an object by itself.
    """
    if b"\n" in opening or b"\r" not in opening.rstrip() or opening[:1] == b"[" or is_json(opening):
        return False
    if _OBJECTS_APART_BY_CR.search(opening):
        return True
    return any(piece.strip()[:1] == b"{" and is_json(piece) for piece in opening.split(b"\r"))


def with_line_ends(chunks: Iterable[bytes]) -> Iterator[bytes]:
    r"""The chunks with a line end wherever only a carriage return parts two objects: `}\r{`.

    So a file of old lines that was appended to a file of ours loses none; inside JSON this can't stand.
    """
    held = b""
    for chunk in chunks:
        text = held + chunk
        whole = len(text) - (2 if text.endswith(b"}\r") else text.endswith(b"}"))
        held = text[whole:]
        # To look for one sign takes no time, to look for three a fiftieth of admission.
        yield text[:whole].replace(b"}\r{", b"}\n{") if b"\r" in text else text[:whole]
    yield held


def without_marks(lines: bytes) -> bytes:
    """Whole lines without the byte order mark each may begin with where files were joined."""
    return lines.replace(b"\n" + BOM, b"\n") if BOM[:1] in lines else lines


def is_json(text: str | bytes) -> bool:
    """Whether a text is one JSON value."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
