"""A line of bytes becomes a JSON object, or the reason why it is none.

Why it exists: parsers differ in what they let through; here a line is JSON as RFC 8259 says, with no key
twice, no NaN, no half surrogate pairs, and within the limits. Not here: what the object means.
"""

import json
import re
from collections import Counter
from typing import Any, Final, Literal, NamedTuple

import orjson

from orchestration.limits import Limits

UnreadableReason = Literal[
    "not_utf8",
    "not_json",
    "not_an_object",
    "line_too_long",
    "nesting_too_deep",
    "too_many_keys",
    "duplicate_key",
    "not_a_number",
    "lone_surrogate",
]
_SPACE_BEFORE_COLON: Final = re.compile(rb'"[ \t\r\n]+:')


class Unreadable(NamedTuple):
    """Why a line is no object we take; `key` is the one that came twice."""

    reason: UnreadableReason
    key: str | None = None


def parse_line(line: bytes, limits: Limits) -> dict[str, Any] | Unreadable:
    """The object of one line. Raises nothing."""
    if len(line) > limits.line_bytes:
        return Unreadable("line_too_long")
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Unreadable(_why_unreadable(line, limits))
    if not isinstance(parsed, dict):
        return Unreadable("not_an_object")
    if line.count(b"{") + line.count(b"[") > limits.nesting and _nesting(line) > limits.nesting:
        return Unreadable("nesting_too_deep")
    key_count = count_keys(parsed)
    if key_count > limits.keys:
        return Unreadable("too_many_keys")
    # A repeated key disappears while parsing: then there are fewer keys than colons behind a quote. A
    # colon behind a quote may also stand inside a text, and a key may have spaces before its colon.
    may_repeat = line.count(b'":') != key_count or _SPACE_BEFORE_COLON.search(line)
    if may_repeat and (repeated := _repeated_key(line)) is not None:
        return Unreadable("duplicate_key", repeated)
    return parsed


def _why_unreadable(line: bytes, limits: Limits) -> UnreadableReason:
    """The reason behind a line that strict JSON refuses, found with the tolerant standard parser."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return "not_utf8"
    if _nesting(line) > limits.nesting:
        return "nesting_too_deep"
    not_numbers: list[str] = []
    try:
        # Python refuses to read whole numbers of more than 4,300 digits.
        parsed = json.loads(
            text,
            parse_constant=not_numbers.append,
            parse_int=lambda digits: int(digits) if len(digits) <= 300 else not_numbers.append(digits),
        )
    except (ValueError, RecursionError):
        return "not_json"
    if not_numbers:
        return "not_a_number"
    try:
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return "lone_surrogate"
    # A number beyond the range of a double reads as infinity.
    return "not_a_number"


def _nesting(line: bytes) -> int:
    deepest = depth = 0
    in_string = escaped = False
    for character in line:
        if in_string:
            if escaped:
                escaped = False
            elif character == 0x5C:
                escaped = True
            elif character == 0x22:
                in_string = False
        elif character == 0x22:
            in_string = True
        elif character in (0x7B, 0x5B):
            depth += 1
            deepest = max(deepest, depth)
        elif character in (0x7D, 0x5D):
            depth -= 1
    return deepest


def count_keys(parsed: Any) -> int:
    """Keys of a value, at every depth."""
    if isinstance(parsed, dict):
        count = len(parsed)
        for value in parsed.values():
            if isinstance(value, (dict, list)):
                count += count_keys(value)
        return count
    if isinstance(parsed, list):
        return sum(count_keys(value) for value in parsed if isinstance(value, (dict, list)))
    return 0


def _repeated_key(line: bytes) -> str | None:
    repeated: list[str] = []

    def remember(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            repeated.extend(name for name, count in counts.items() if count > 1)
        return found

    json.loads(line, object_pairs_hook=remember)
    return repeated[0] if repeated else None
