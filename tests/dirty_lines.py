"""Generated dirty files: lines as nobody would write them by hand, deterministic by seed.

Each line is a valid event with some of everything that goes wrong in the wild: keys in other spellings,
nulls, nested values, numbers in place of text, personal data, escapes, broken JSON, broken bytes.
"""

import json
import random
from typing import Any

CAPSULES = ["capsule-a", "capsule-b", " capsule-a ", "c" * 256, "c" * 257, "", "  ", "é\u2028x", "a\0b"]
SESSIONS = ["s-1", "s-2", " s-1", "s-3\t", "s" * 300, "", "ſ"]
TYPES = ["view", "interaction", "conversion", "content_access", "custom"]
WRONG_TYPES = ["View", "viewed", "", None, 7, True, ["view"], {"a": 1}]
TIMESTAMPS = [
    "2026-11-20T12:00:00Z", "2026-11-20T12:00:00.5Z", "2026-11-20T12:00:00.123456789+05:45",
    "2026-11-20T23:59:59.9999-01:00", "2026-11-20t12:00:00z", "20261120T120000Z", "2026-11-20T12:00+02",
    "2026-11-20T24:00:00Z", "2026-11-20T12:00:60Z", "2026-02-30T12:00:00Z", "2026-11-20T12:00:00",
    "2026-11-20T12:00:00+18:30", "2026-11-20T12:00:00+19:00", "2026-11-20T12:00:00,25Z",
    " 2026-11-20T12:00:00Z", "2026-11-20 12:00:00+00:00", "2026-11-22T12:04:59.999Z",
    "2026-11-22T12:05:00.000Z", "2026-11-22T12:05:00.001Z", "2025-10-22T12:00:00Z",
    "2025-10-22T11:59:59.999Z", "1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "20/11/2026", "yesterday", "", "1795000000", 1795000000, None, True,
    "\u0662026-11-20T12:00:00Z", "2026-11-20T12:00:00\u221201:00",
]  # fmt: skip
DEEP: list[Any] = []
for _ in range(120):
    DEEP = [DEEP]
VALUES: list[Any] = [
    "google", "Newsletter ", "https://www.example.com/a?utm_source=X&utm_medium=mail&gclid=1#f",
    "https://t.co/x", "//shop.example/p?q=secret", "", " ", "about:blank", "(direct)", "mobile", "bot",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1", "Googlebot/2.1 (+http://g.com)",
    "FR", "Deutschland", "203.0.113.77", "2001:db8::1", "::ffff:1.2.3.4", "jane@example.com",
    "call +33 6 12 34 56 78",
    "granted", "denied", "yes", "no", "true", "false", "0", "1", 0, 1, True, False, None, 1.0, 0.5, -3, 1e300,
    12345678901234567890, "12.50", "1,234.50", "NaN", "eur", "EUR", "x" * 256, "x" * 257, "x" * 600,
    "message", "cta_click", "search", "heartbeat", "Ünïcode", "emoji \U0001f600", 'quo"te', "back\\slash",
    "tab\there", "nul\0here", ' "spaced" : value', "u\u2028v",
    {"country": "US", "city": "Austin"}, {}, [], [1, {"a": 2}], DEEP,
    {"analytics": "denied"}, ["analytics"], {"deep": {"er": {"est": 1}}}, "doc-1", "s-1", "e-1", "u-1", "v-1",
    "by U-1 today", "https://t.co/x%2Ds-1/E-9?utm_content=a+s%2D1", "tel=0612345678", "see https://z.org/?t=1",
    "a?b=c", "48.8566,2.3522", "Bearer abcdefgh", "dave\uff20x.com", "user-long-1", "USER-LONG-1 here",
    4111111111111111, 12000000,
]  # fmt: skip
# What needs no look at the line itself: scalars without escapes.
PLAIN_VALUES = [
    value
    for value in VALUES
    if value is not None
    and not isinstance(value, (dict, list))
    and not (
        isinstance(value, str) and (value[:1] == " " or "\0" in value or '"' in value or len(value) > 256)
    )
]
KEYS = (
    "source referrer url utmSource utm_source utmMedium utmCampaign device browser os userAgent "
    "user_agent location country region city ip visitorId visitor_id consent Consent optOut opt_out "
    "dnt doNotTrack gpc action role messageId message_id replyToId topic query resultCount contentId "
    "content_id contentType contentTitle relevanceScore playId positionSeconds fromSeconds toSeconds "
    "durationSeconds percent ctaId ctaType ctaLabel conversionType value currency orderId name plan "
    "note lat geo_lon email customerId text colour rating link uid trace 'odd' a:b ünï "
).split()


def dirty_file(seed: int, line_count: int) -> bytes:
    """The bytes of a file with that many lines, some of them blank."""
    chance = random.Random(seed)
    # Shapes repeat, as they do in real files: without that no value would.
    shapes = [_shape(chance) for _ in range(chance.randint(1, 12))]
    ends = [b"\n"] * 20 + [b"\r\n", b"\n\n", b" \n", b"\t\r\n"]
    return b"".join(_line(chance, chance.choice(shapes)) + chance.choice(ends) for _ in range(line_count))


def _shape(chance: random.Random) -> dict[str, Any]:
    own = ["eventId", "eventType", "capsuleId", "sessionId", "userId", "timestamp", "metadata"]
    event_type = chance.choice(TYPES)
    for name in chance.sample(own, chance.choice([0, 0, 0, 0, 0, 0, 1, 2])):
        own.remove(name)
    if chance.random() < 0.2:
        own.append(chance.choice(["consent", "optOut", "version", "dnt", "extra"]))
    if chance.random() < 0.3:
        chance.shuffle(own)
    inner = chance.sample(KEYS, chance.randint(0, 9))
    if event_type == "custom":
        inner.append("name")
    return {
        "own": own,
        "inner": list(
            dict.fromkeys(
                [*chance.sample(KEYS, chance.randint(0, 9)), *(["name"] * (event_type == "custom"))]
            )
        ),
        "type": event_type,
        # How much of what may go wrong does.
        "dirt": chance.choice([0.0, 0.0, 0.02, 0.1, 0.4]),
        "separators": chance.choice([(",", ":"), (", ", ": "), (",", ":"), (" , ", " : ")]),
        "is_ascii": chance.random() < 0.7,
    }


def _line(chance: random.Random, shape: dict[str, Any]) -> bytes:
    dirt = shape["dirt"]
    made = {name: _own_value(chance, name, shape) for name in shape["own"]}
    if "metadata" in made:
        made["metadata"] = {
            name: chance.choice(VALUES if chance.random() < dirt else PLAIN_VALUES) for name in shape["inner"]
        }
        if chance.random() < dirt:
            made["metadata"] = chance.choice([None, {}, [], "text", 7, {"consent": False}])
    sent = json.dumps(made, ensure_ascii=shape["is_ascii"], separators=shape["separators"]).encode(
        "utf-8", "surrogatepass"
    )
    if chance.random() < dirt / 2:
        sent = _broken(chance, sent)
    return sent.replace(b"\n", b" ")


def _own_value(chance: random.Random, name: str, shape: dict[str, Any]) -> Any:
    is_dirty = chance.random() < shape["dirt"]
    if name == "eventType":
        return chance.choice(WRONG_TYPES) if is_dirty else shape["type"]
    if name == "timestamp":
        return chance.choice(TIMESTAMPS if is_dirty else TIMESTAMPS[:4])
    if name == "capsuleId":
        return chance.choice([*CAPSULES, 7, None, {}] if is_dirty else CAPSULES[:2])
    if name == "sessionId":
        return chance.choice([*SESSIONS, 1.5, None] if is_dirty else SESSIONS[:2])
    if name in ("eventId", "userId"):
        plain = f"{name[0]}-{chance.randint(1, 9)}"
        clean = [*[plain] * 6, f"{name[0]}-1 ", "x" * 256, "user-long-1"]
        return chance.choice(["", "  ", None, 7, [], "x" * 257] if is_dirty else clean)
    return chance.choice(VALUES)


def _broken(chance: random.Random, sent: bytes) -> bytes:
    at = chance.randint(0, len(sent))
    return chance.choice([
        sent[:at],
        sent[:at] + bytes([chance.randint(0, 255)]) + sent[at:],
        sent.replace(b'"eventType"', b'"eventType":"view","eventType"', 1),
        sent.replace(b'{"', b'{"eventId" :"twice","', 1),
        sent.replace(b'"metadata": {', b'"metadata": {"a" :1,"a":2, ', 1),
        sent.replace(b'"metadata":{', b'"metadata":{"a" :1,"a":2,', 1),
        sent.replace(b"timestamp", b"time\\u0073tamp", 1),
        sent.replace(b'"', b'"\\ud800', 1),
        sent.replace(b":", b":NaN,", 1),
        sent.replace(b"}", b',"big":1e999}', 1),
        sent.replace(b"}", b',"nested":' + b"[" * 120 + b"]" * 120 + b"}", 1),
        b"[" + sent + b"]",
        b"\xef\xbb\xbf" + sent,
        sent + b"{}",
        sent.upper(),
        b'"' + sent + b'"',
        b"null", b"17", b"{}", b"{", b"\xff\xfe", b"  ",
    ])  # fmt: skip
