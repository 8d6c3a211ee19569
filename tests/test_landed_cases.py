"""Every kind of file and line that may land, each with the exact number of lines accepted and rejected.

All cases are one file each in one home, loaded by two loads; then every row of the manifest is compared.
`@` in a line stands for an id of its own, so that no case is a duplicate of another.
"""

import gzip
import io
import itertools
import json
import os
import random
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
import zstandard

from orchestration.event_files import ENDINGS
from orchestration.micro_batch import LoadSummary, load_pending
from orchestration.raw_events import accounting_gaps
from orchestration.raw_schema import RAW_TABLES
from orchestration.settings import Settings, load_settings
from orchestration.state_folder import create_state_folders
from orchestration.warehouse import open_warehouse, writer_lock
from tests.event_lines import event, line

NUMBERS: Final = itertools.count()
NOW: Final = datetime.now(UTC)


def one(event_type: str = "view", **changes: Any) -> bytes:
    """A line with an event of its own."""
    return line(event(event_type, **({"eventId": f"e{next(NUMBERS)}"} | changes)))


def two() -> bytes:
    return one() + b"\n" + one() + b"\n"


@dataclass(frozen=True)
class Case:
    """A landed file: its name and bytes, and what the manifest must say of it."""

    name: str
    content: bytes
    accepted: int = 0
    rejected: tuple[str, ...] = ()
    duplicate: int = 0
    suppressed: int = 0
    status: str = "loaded"
    refused_reason: str | None = None

    @property
    def received(self) -> int:
        return self.accepted + len(self.rejected) + self.duplicate + self.suppressed


# ---------------------------------------------------------------------------------------------- lines
# Each between two good lines, which must be accepted whatever the one between them is.
NESTED: Final = 20_000
LINES: Final[dict[str, tuple[bytes, str | None]]] = {
    "plain": (one(), None),
    "invalid-utf8": (one(sessionId="s-@").replace(b"@", b"\xff\xfe"), "not_utf8"),
    "utf16": ('{"eventType": "view"}'.encode("utf-16-le"), "not_json"),
    "raw-nul": (one(sessionId="s-@").replace(b"@", b"\0"), "not_json"),
    "nul-in-capsule": (one(capsuleId="a\0b"), "nul_character"),
    "nul-in-event-id": (one(eventId="e\0"), "nul_character"),
    "nul-in-value": (one(metadata={"topic": "a\0b"}), None),
    "line-separator": (one(metadata={"topic": "a@b"}).replace(b"@", "\u2028\u2029\u0085".encode()), None),
    "lone-surrogate": (one(sessionId="s-@").replace(b"@", b"\\ud800"), "lone_surrogate"),
    "surrogate-pair": (one(metadata={"topic": "\U0001f600"}), None),
    "nan": (one(metadata={"n": float("nan")}), "not_a_number"),
    "infinity": (one(metadata={"n": float("inf")}), "not_a_number"),
    "minus-infinity": (one(metadata={"n": float("-inf")}), "not_a_number"),
    "beyond-a-double": (one(metadata={"n": 7}).replace(b"7", b"1e400"), "not_a_number"),
    "thirty-digits": (one(metadata={"n": 10**30}), None),
    "tiny-number": (one(metadata={"n": 7}).replace(b": 7", b": 1e-400"), None),
    "key-twice": (one().replace(b"{", b'{"capsuleId": "other", ', 1), "duplicate_key"),
    "key-twice-inside": (
        one(metadata={"a": {"b": 1}}).replace(b'"b": 1', b'"b": 1, "b": 2'),
        "duplicate_key",
    ),
    "same-key-in-two-objects": (one(metadata={"a": {"b": 1}, "b": {"b": 2}}), None),
    "colon-inside-text": (one(metadata={"topic": '{"b":1,"b":2}'}), None),
    "number-as-type": (one(eventType=5), "wrong_type"),
    "number-as-capsule": (one(capsuleId=5), "wrong_type"),
    "list-as-session": (one(sessionId=["s"]), "wrong_type"),
    "number-as-user": (one(userId=5), "wrong_type"),
    "number-as-event-id": (one(eventId=5), "wrong_type"),
    "text-as-metadata": (one(metadata="x"), "wrong_type"),
    "list-as-metadata": (one(metadata=[]), "wrong_type"),
    "null-metadata": (one().replace(b'"metadata": {}', b'"metadata": null'), None),
    "no-metadata": (one(metadata=None), None),
    "boolean-as-timestamp": (one(timestamp=True), "wrong_type"),
    "unknown-type": (one("click"), "unknown_event_type"),
    "type-in-capitals": (one("VIEW"), "unknown_event_type"),
    "no-type": (one(eventType=None), "missing_field"),
    "no-capsule": (one(capsuleId=None), "missing_field"),
    "no-session": (one(sessionId=None), "missing_field"),
    "no-timestamp": (one(timestamp=None), "missing_field"),
    "null-capsule": (one(capsuleId="@").replace(b'"@"', b"null"), "missing_field"),
    "empty-capsule": (one(capsuleId=""), "blank_field"),
    "blank-session": (one(sessionId=" \t "), "blank_field"),
    "blank-type": (one(eventType=" "), "blank_field"),
    "blank-timestamp": (one(timestamp=""), "blank_field"),
    "no-event-id": (one(eventId=None, sessionId="session-without-id"), None),
    "blank-event-id": (one(eventId=" ", sessionId="session-blank-id"), None),
    "padded-ids": (one(eventId=" padded ", capsuleId="  capsule-a\t", sessionId=" session-1 "), None),
    "capsule-of-256": (one(capsuleId="c" * 256), None),
    "capsule-of-257": (one(capsuleId="c" * 257), "id_too_long"),
    "session-of-257": (one(sessionId="s" * 257), "id_too_long"),
    "event-id-of-257": (one(eventId="e" * 257), "id_too_long"),
    "user-of-257": (one(userId="u" * 257), "id_too_long"),
    "custom": (one("custom", metadata={"name": "step"}), None),
    "custom-without-name": (one("custom"), "custom_without_name"),
    "array-as-line": (b"[1, 2]", "not_an_object"),
    "number-as-line": (b"17", "not_an_object"),
    "null-as-line": (b"null", "not_an_object"),
    "text-as-line": (b'"view"', "not_an_object"),
    "torn-line": (one()[:50], "not_json"),
    "two-objects-in-a-line": (one() + one(), "not_json"),
    "trailing-comma": (one() + b",", "not_json"),
    "single-quotes": (one().replace(b'"', b"'"), "not_json"),
    "comment": (b"// nothing", "not_json"),
    "line-of-1-mib": (one(metadata={"topic": "@"}).replace(b"@", b"x" * (1 << 20)), "line_too_long"),
    "line-of-a-half-mib": (one(metadata={"topic": "@"}).replace(b"@", b"x" * (1 << 19)), None),
    "keys-20000": (one(metadata={f"k{number}": 1 for number in range(NESTED)}), "too_many_keys"),
    "keys-5000": (one(metadata={f"k{number}": 1 for number in range(5000)}), None),
    "levels-20000": (
        one(metadata={"a": 7}).replace(b"7", b"[" * NESTED + b"]" * NESTED),
        "nesting_too_deep",
    ),
    "levels-open-20000": (b"[" * NESTED, "nesting_too_deep"),
    "levels-101": (one(metadata={"a": 7}).replace(b"7", b"[" * 99 + b"]" * 99), "nesting_too_deep"),
    "levels-100": (one(metadata={"a": 7}).replace(b"7", b"[" * 98 + b"]" * 98), None),
}
# Noon of 20 November 2026 in the usual spellings, and what is none of them.
TIMESTAMPS: Final[dict[str, str | None]] = {
    "2026-11-20T12:00:00Z": None,
    "2026-11-20T12:00:00z": None,
    "2026-11-20t12:00:00Z": None,
    "2026-11-20 12:00:00Z": None,
    "2026-11-20 12:00:00 +00:00": None,
    "2026-11-20T12:00Z": None,
    "2026-11-20T12:00:00.1Z": None,
    "2026-11-20T12:00:00,123Z": None,
    "2026-11-20T12:00:00.123456789Z": None,
    "2026-11-20T13:00:00+01:00": None,
    "2026-11-20T13:00:00+0100": None,
    "2026-11-20T13:00:00+01": None,
    "2026-11-20T17:30:00+05:30": None,
    "2026-11-20T07:00:00-05:00": None,
    "2026-11-20T07:00:00\u221205:00": None,
    "2026-11-20T12:00:00-00:00": None,
    "20261120T120000Z": None,
    " 2026-11-20T12:00:00Z ": None,
    "2026-02-28T23:59:59.999Z": None,
    "2026-02-29T12:00:00Z": "timestamp_unreadable",
    "2026-11-31T12:00:00Z": "timestamp_unreadable",
    "2026-13-01T12:00:00Z": "timestamp_unreadable",
    "2026-11-20T24:00:00Z": "timestamp_unreadable",
    "2026-11-20T12:60:00Z": "timestamp_unreadable",
    "2026-11-20T12:00:60Z": "timestamp_unreadable",
    "2026-11-20T12:00:00+25:00": "timestamp_unreadable",
    "2026-11-20T12:00:00+01:75": "timestamp_unreadable",
    "2026-11-20T12:00:00": "timestamp_without_offset",
    "2026-11-20 12:00": "timestamp_without_offset",
    "2026-11-20": "timestamp_unreadable",
    "20/11/2026": "timestamp_unreadable",
    "20/11/2026 12:00:00Z": "timestamp_unreadable",
    "11/20/2026": "timestamp_unreadable",
    "20.11.2026 12:00Z": "timestamp_unreadable",
    "20 November 2026 12:00 UTC": "timestamp_unreadable",
    "Fri, 20 Nov 2026 12:00:00 GMT": "timestamp_unreadable",
    "2026-11-20T12:00:00 UTC": "timestamp_unreadable",
    "2026-11-20T12:00:00 Europe/Paris": "timestamp_unreadable",
    "yesterday": "timestamp_unreadable",
    "now": "timestamp_unreadable",
    "1795176000": "timestamp_unreadable",
    "0000-01-01T00:00:00Z": "timestamp_unreadable",
    "0001-01-01T00:00:00Z": "timestamp_too_old",
    "0001-01-01T00:00:00+05:00": "timestamp_too_old",
    "1970-01-01T00:00:00Z": "timestamp_too_old",
    "9999-12-31T23:59:59Z": "timestamp_in_future",
    "9999-12-31T23:59:59-05:00": "timestamp_in_future",
    (NOW + timedelta(minutes=4)).isoformat(): None,
    (NOW + timedelta(hours=1)).isoformat(): "timestamp_in_future",
    # Thirteen months are 393 to 397 days.
    (NOW - timedelta(days=393)).isoformat(): None,
    (NOW - timedelta(days=398)).isoformat(): "timestamp_too_old",
}
EPOCHS: Final = (1795176000, 1795176000000, 1795176000.5, -1, 0)
# What is sent as `value` of a conversion → what is stored, in text; null: a conversion without a value.
AMOUNTS: Final[tuple[tuple[Any, str | None], ...]] = (
    (12, "12.0000"), (12.5, "12.5000"), ("12.50", "12.5000"), (" 7 ", "7.0000"), (-3, "-3.0000"),
    (0, "0.0000"), ("1e3", "1000.0000"), (0.00005, "0.0000"), ("1,234.50", None), ("12 €", None),
    ("free", None), ("", None), (True, None), ([1], None), ({"amount": 1}, None), (1e12, None), ("NaN", None),
    ("Infinity", None), (None, None),
)  # fmt: skip


def line_cases() -> Iterator[Case]:
    for name, (middle, reason) in LINES.items():
        content = b"\n".join([one(), middle, one()]) + b"\n"
        accepted = 2 if reason else 3
        yield Case(f"line-{name}.ndjson", content, accepted, (reason,) if reason else ())
    for number, (text, reason) in enumerate(TIMESTAMPS.items()):
        content = one(timestamp=text, capsuleId=f"time-{number}")
        yield Case(f"time-{number}.ndjson", content, 0 if reason else 1, (reason,) if reason else ())
    for number, epoch in enumerate(EPOCHS):
        yield Case(f"epoch-{number}.ndjson", one(timestamp=epoch), 0, ("timestamp_unreadable",))
    for number, (value, _) in enumerate(AMOUNTS):
        made = one("conversion", capsuleId=f"amount-{number}", metadata={"value": value, "currency": "eur"})
        yield Case(f"amount-{number}.ndjson", made, 1)


# ---------------------------------------------------------------------------------------------- files
def parquet(*lines: bytes) -> bytes:
    rows = [json.loads(made) | {"metadata": '{"topic": "x"}'} for made in lines]
    target = io.BytesIO()
    pl.DataFrame(rows).write_parquet(target)
    return target.getvalue()


PACKED: Final = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


def packed(content: bytes, packing: str) -> bytes:
    return PACKED[packing](content)


def mixed_case(text: str) -> str:
    return "".join(sign.upper() if number % 2 else sign for number, sign in enumerate(text))


def named_cases() -> Iterator[Case]:
    for ending in ENDINGS:
        packing = next(known for known in (".gz", ".zst", "") if ending.endswith(known))
        for spelt in (ending, ending.upper(), mixed_case(ending)):
            plain = parquet(one(), one()) if ".parquet" in ending else two()
            yield Case(f"ending{spelt}", packed(plain, packing), 2)
    # The content decides, whatever the name says.
    for name, is_parquet, packing in (
        ("lie-plain.ndjson.gz", False, ""), ("lie-gz.ndjson", False, ".gz"), ("lie-zst.json", False, ".zst"),
        ("lie-gz.ndjson.zst", False, ".gz"), ("lie-zst.ndjson.gz", False, ".zst"),
        ("lie-lines.parquet", False, ""), ("lie-parquet.ndjson", True, ""),
        ("lie-parquet.json.gz", True, ".zst"), ("lie-lines.parquet.gz", False, ".gz"),
    ):  # fmt: skip
        yield Case(name, packed(parquet(one(), one()) if is_parquet else two(), packing), 2)


def damaged(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 0xFF
    return bytes(changed)


def refused(name: str, content: bytes, reason: str) -> Case:
    return Case(name, content, status="refused", refused_reason=reason)


def file_cases() -> Iterator[Case]:
    bom = b"\xef\xbb\xbf"
    yield Case("bom.ndjson", bom + two(), 2)
    yield Case("bom-alone.ndjson", bom, 0)
    yield Case("bom.ndjson.gz", gzip.compress(bom + two()), 2)
    yield Case("bom-twice.ndjson", bom + bom + two(), 1, ("not_json",))
    yield Case("crlf.ndjson", two().replace(b"\n", b"\r\n"), 2)
    yield Case("blank-lines.ndjson", b"\n\r\n \t\n" + two().replace(b"\n", b"\n\n  \n"), 2)
    yield Case("only-blank-lines.ndjson", b"\n  \n\r\n", 0)
    yield Case("no-last-end.ndjson", two().rstrip(b"\n"), 2)
    yield Case("empty.ndjson", b"", 0)
    yield Case("array.json", b"[\n" + one() + b",\n" + one() + b"\n]\n", 2)
    yield Case("array-in-one-line.json", b"[" + one() + b"," + one() + b"," + one("click") + b"]", 2,
               ("unknown_event_type",))  # fmt: skip
    yield Case("array-one-bad.json", b"[" + one() + b", nonsense, " + one() + b"]", 2, ("not_json",))
    torn = one().replace(b'"eventType"', b'"eventType')
    yield Case(
        "array-quote-missing.json", b"[" + b", ".join([one(), torn, one(), one()]) + b"]", 3, ("not_json",)
    )
    yield Case("array-key-twice.json", b"[" + one() + b"," + b'{"a":1,"a":2}' + b"]", 1, ("duplicate_key",))
    yield Case("array-empty.json", b"[]", 0)
    yield Case("pretty.json", json.dumps(json.loads(one()), indent=2).encode(), 1)
    yield Case("pretty-two.json", b"\n".join(
        json.dumps(json.loads(one()), indent=4).encode() for _ in range(2)), 2)  # fmt: skip
    yield Case("first-line-torn.ndjson", one()[:30] + b"\n" + two(), 2, ("not_json",))
    yield Case("twice-inside.ndjson", (same := one()) + b"\n" + same + b"\n" + same, 1, duplicate=2)
    yield Case("opt-out.ndjson", one(capsuleId="o", userId="ann", metadata={"optOut": True}) + b"\n"
               + one(capsuleId="o", userId="ann"), 0, suppressed=2)  # fmt: skip
    parts = [gzip.compress(one() + b"\n") for _ in range(5)]
    yield Case("members.ndjson.gz", b"".join(parts), 5)
    yield Case(
        "members-cut-inside-lines.ndjson.gz",
        gzip.compress((text := two())[:33]) + gzip.compress(text[33:]),
        2,
    )
    yield Case("frames.ndjson.zst", b"".join(zstandard.compress(one() + b"\n") for _ in range(5)), 5)
    # Every line end and mark that programs write, also where files were joined.
    yield Case("cr.ndjson", two().replace(b"\n", b"\r"), 2)
    yield Case("cr-one-bad.ndjson", (one() + b"\nbad\n" + two()).replace(b"\n", b"\r"), 3, ("not_json",))
    yield Case("cr-bad-first.ndjson", (b"bad\n" + one()).replace(b"\n", b"\r"), 1, ("not_json",))
    yield Case("cr-cut-first.ndjson", (one()[:-9] + b"\n" + one()).replace(b"\n", b"\r"), 1, ("not_json",))
    yield Case("cr-inside-one-object.ndjson", one().replace(b", ", b",\r"), 1)
    yield Case("cr-inside-objects.ndjson", two().replace(b", ", b",\r"), 2)
    yield Case("cr-array.json", b"[\r" + one() + b",\r" + one() + b"\r]\r", 2)
    pretty = [json.dumps(json.loads(one()), indent=2).encode() for _ in range(3)]
    yield Case("cr-pretty.json", b"\n".join(pretty[:2]).replace(b"\n", b"\r"), 2)
    yield Case("cr-appended.ndjson", two() + two().replace(b"\n", b"\r"), 4)
    yield Case("crlf-pretty.json", pretty[2].replace(b"\n", b"\r\n"), 1)
    yield Case("bom-inside.ndjson", bom + two() + bom + two() + bom + two(), 6)
    yield Case("bom-inside-crlf.ndjson", (bom + two() + bom + two()).replace(b"\n", b"\r\n"), 4)
    yield Case("bom-inside-arrays.json", (bom + b"[" + one() + b"]\n") + (bom + b"[" + one() + b"]"), 2)
    yield Case("bom-in-a-text.ndjson", one(metadata={"topic": "a@b"}).replace(b"@", bom), 1)
    # Nonsense of more than one read before the first event.
    yield Case("late.ndjson", b"x" * 5_000_000 + b"\n" + two(), 2, ("line_too_long",))
    yield Case(
        "late.ndjson.gz", gzip.compress(b"%s\n" % (b"x" * 499_999) * 10 + two()), 2, ("not_json",) * 10
    )
    yield Case("late-blank.ndjson", b"\n" * 5_000_000 + two(), 2)
    yield refused("late-never.ndjson", b"x" * 5_000_000 + b"\nstill none\n", "no_json")
    skippable = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"any"
    yield Case("skippable.ndjson.zst", skippable + zstandard.compress(two()), 2)
    yield Case("skippable-between.ndjson.zst", zstandard.compress(two()) + b"\x5f" + skippable[1:]
               + zstandard.compress(two()), 4)  # fmt: skip
    yield refused(
        "skippable-torn.ndjson.zst", skippable + zstandard.compress(two())[:-6], "damaged_compression"
    )
    yield refused("skippable-alone-torn.ndjson.zst", skippable[:-1], "damaged_compression")
    yield refused("prose.json", b"Dear all,\nthis is no event.\n", "no_json")
    yield refused("picture.json", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "no_json")
    yield refused("csv.json", b"eventType,capsuleId\nview,a\n", "no_json")
    yield refused("gzip-of-gzip.ndjson.gz", gzip.compress(gzip.compress(two())), "no_json")
    yield refused("torn.parquet", parquet(one(), one())[:-20], "damaged_parquet")
    yield refused("magic-only.parquet", b"PAR1", "damaged_parquet")
    yield refused("noise.parquet.gz", gzip.compress(b"PAR1" + bytes(200) + b"PAR1"), "damaged_parquet")
    # Torn at twenty places, the tail missing, a wrong checksum: never half loaded.
    for number in range(20):
        whole = gzip.compress(b"".join(one() + b"\n" for _ in range(200)))
        yield refused(
            f"torn-{number}.ndjson.gz", whole[: 2 + len(whole) * number // 20], "damaged_compression"
        )
        whole = zstandard.ZstdCompressor(write_checksum=True).compress(
            b"".join(one() + b"\n" for _ in range(200))
        )
        yield refused(
            f"torn-{number}.ndjson.zst", whole[: 5 + len(whole) * number // 20], "damaged_compression"
        )
    many = b"".join(one() + b"\n" for _ in range(200))
    yield refused("tail-1.ndjson.gz", gzip.compress(many)[:-1], "damaged_compression")
    yield refused("tail-8.ndjson.gz", gzip.compress(many)[:-8], "damaged_compression")
    yield refused("crc.ndjson.gz", damaged(gzip.compress(many), -6), "damaged_compression")
    yield refused("length.ndjson.gz", damaged(gzip.compress(many), -2), "damaged_compression")
    yield refused(
        "middle.ndjson.gz", damaged(gzip.compress(many), len(gzip.compress(many)) // 2), "damaged_compression"
    )
    yield refused("second-member-torn.ndjson.gz", gzip.compress(many) + gzip.compress(two())[:30],
                  "damaged_compression")  # fmt: skip
    yield refused("garbage-behind.ndjson.gz", gzip.compress(many) + b"garbage", "damaged_compression")
    # Longer than what is read at once: the beginning was admitted before the damage is seen.
    noise = random.Random(3)
    long = b"".join(one(metadata={"topic": noise.randbytes(400_000).hex()}) + b"\n" for _ in range(8))
    yield refused("long-torn.ndjson.gz", gzip.compress(long, 1)[:-20_000], "damaged_compression")
    yield refused("long-crc.ndjson.gz", damaged(gzip.compress(long, 1), -6), "damaged_compression")
    yield refused("long-torn.ndjson.zst", zstandard.compress(long)[:-20_000], "damaged_compression")
    summed = zstandard.ZstdCompressor(write_checksum=True).compress(many)
    yield refused("tail-1.ndjson.zst", summed[:-1], "damaged_compression")
    yield refused("checksum.ndjson.zst", damaged(summed, -2), "damaged_compression")
    yield refused("middle.ndjson.zst", damaged(summed, len(summed) // 2), "damaged_compression")
    yield refused("garbage-behind.ndjson.zst", summed + b"garbage", "damaged_compression")


# Names no system of names should fall over; loaded like any other.
NAMES: Final[tuple[bytes, ...]] = (
    b"it's.ndjson", b'say "hi".ndjson', b"a b  c.ndjson", b" leading.ndjson", b"*.ndjson", b"?.ndjson",
    b"[a-z].ndjson", b"{a,b}.ndjson", b"$HOME.ndjson", b"`id`.ndjson", b"$(id).ndjson", b"a;b|c&d.ndjson",
    b"-rf.ndjson", b"--help.ndjson", b"%s%n.ndjson", b"%2e%2e%2f.ndjson", b"a\nb.ndjson", b"a\rb\tc.ndjson",
    b"\x1b[31mred.ndjson", b"\xff\xfe.ndjson", "caf\u00e9.ndjson".encode(), "cafe\u0301.ndjson".encode(),
    "\u0441\u043e\u0431\u044b\u0442\u0438\u044f.ndjson".encode(), "\u4e8b\u4ef6.ndjson".encode(),
    "\u202egnp.ndjson".encode(), "\U0001f600.ndjson".encode(), b"..ndjson"[1:] + b".ndjson", b"a..b.ndjson",
    b"...ndjson"[2:] + b"x.ndjson", b"~.ndjson", b"con.ndjson", b"NUL.ndjson", b"a\\b.ndjson", b"#a.ndjson",
    b"'); drop table raw.events; --.ndjson", b"x' union select 1 --.ndjson", b"{{ var('x') }}.ndjson",
    b"n" * 248 + b".ndjson", "\u00e9".encode() * 120 + b".ndjson",
    b"userId=x/a.ndjson", b"capsuleId=evil/date=2026-01-01/a.ndjson", b"..a/..b/a.ndjson",
    b"a/b/c/d/e/f/g/h/i/j/a.ndjson", b"it's/a dir/*/a.ndjson", b"loaded.ndjson", b"deep/loaded/a.ndjson",
    b"deep/refused/a.ndjson", b"x.ndjson/inside.ndjson", b"\xff/\xfe.ndjson",
)  # fmt: skip


def hostile_name_cases() -> Iterator[Case]:
    for name in NAMES:
        if not name.startswith(b"."):
            yield Case(os.fsdecode(name), two(), 2)


CASES: Final = [*line_cases(), *named_cases(), *file_cases(), *hostile_name_cases()]


@dataclass(frozen=True)
class Loaded:
    """The home after all cases; `manifest`: landed name → its row; `reasons`: → reasons of its rejects."""

    settings: Settings
    outside: Path
    first: LoadSummary
    second: LoadSummary
    manifest: dict[str, tuple[Any, ...]]
    reasons: dict[str, list[str]]
    capsules: dict[str, tuple[Any, ...]]


def shown(name: str) -> str:
    from orchestration.event_files import LandedFile

    return LandedFile(Path(name), name, 0, 0, 0, 0).shown_name


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tmp_path_factory.mktemp("cases")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("ENGAGEMENT_"):
                patch.delenv(name)
        settings = load_settings(home=folder / "home", quiet_seconds=0)
        create_state_folders(settings)
        outside = folder / "outside.ndjson"
        outside.write_bytes(two())
        for case in CASES:
            path = settings.landing / case.name
            path.parent.mkdir(parents=True, exist_ok=True)
            assert not path.exists(), case.name
            path.write_bytes(case.content)
        land_what_is_no_file(settings.landing, outside)
        first = load_pending(settings)
        (settings.landing / "again.ndjson.gz").write_bytes(gzip.compress(CASES[0].content))
        (settings.landing / "empty-again.ndjson").write_bytes(b"")
        second = load_pending(settings)
    with writer_lock(settings), open_warehouse(settings) as connection:
        assert accounting_gaps(connection) == []
        rows = connection.execute(
            """select file_name, status, refused_reason, received_count, accepted_count, duplicate_count,
                rejected_count, suppressed_count, repeated_of from raw.event_files"""
        ).fetchall()
        rejects = connection.execute(
            """select files.file_name, list(rejects.reason order by rejects.line_number)
            from raw.rejected_events as rejects inner join raw.event_files as files using (file_id)
            group by all"""
        ).fetchall()
        capsules = connection.execute(
            "select capsule_id, any_value(occurred_at), any_value(amount)::varchar from raw.events group by 1"
        ).fetchall()
    return Loaded(
        settings, outside, first, second,
        {name: row for name, *row in rows}, dict(rejects), {name: row for name, *row in capsules},
    )  # fmt: skip


def land_what_is_no_file(landing: Path, outside: Path) -> None:
    """Links, a pipe, a socket, a device and a folder with the names of event files."""
    (landing / "link.ndjson").symlink_to(outside)
    (landing / "broken-link.ndjson").symlink_to(landing / "nowhere.ndjson")
    (landing / "link-to-folder").symlink_to(outside.parent)
    (landing / "link-to-itself.ndjson").symlink_to(landing / "link-to-itself.ndjson")
    os.mkfifo(landing / "pipe.ndjson")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(landing / "socket.ndjson"))
    (landing / "folder.ndjson").mkdir()
    if os.geteuid() == 0:
        os.mknod(landing / "device.ndjson", stat.S_IFCHR | 0o600, os.makedev(1, 5))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:60].encode("unicode_escape").decode())
def test_every_case_is_accounted_for_exactly(case: Case, loaded: Loaded) -> None:
    row = loaded.manifest[shown(case.name)]
    counts = (case.received, case.accepted, case.duplicate, len(case.rejected), case.suppressed)
    assert (row[0], row[1], tuple(row[2:7])) == (case.status, case.refused_reason, counts)
    assert loaded.reasons.get(shown(case.name), []) == list(case.rejected)


def test_all_cases_together_are_what_the_load_says(loaded: Loaded) -> None:
    sums = [sum(counts) for counts in zip(*(
        (case.received, case.accepted, case.duplicate, len(case.rejected), case.suppressed)
        for case in CASES), strict=True)]  # fmt: skip
    accounting = loaded.first.accounting
    assert sums == [accounting.received, accounting.accepted, accounting.duplicate, accounting.rejected,
                    accounting.suppressed]  # fmt: skip
    assert len(loaded.manifest) == len(CASES) + 2


def test_a_content_that_was_loaded_under_another_name_adds_nothing(loaded: Loaded) -> None:
    assert sorted(loaded.second.repeated) == ["again.ndjson.gz", "empty-again.ndjson"]
    assert loaded.second.accounting.received == 0
    assert loaded.manifest["again.ndjson.gz"][0] == "repeated"


def test_what_is_no_regular_file_is_left_alone_and_named(loaded: Loaded) -> None:
    expected = {"link.ndjson", "broken-link.ndjson", "link-to-folder", "link-to-itself.ndjson", "pipe.ndjson",
                "socket.ndjson"}  # fmt: skip
    if os.geteuid() == 0:
        expected.add("device.ndjson")
    assert set(loaded.first.ignored) == expected
    left = {path.name for path in loaded.settings.landing.iterdir() if not path.is_dir() or path.is_symlink()}
    assert left == expected
    assert loaded.outside.read_bytes().count(b"\n") == 2


def test_every_refused_file_lies_beside_its_reason_and_every_loaded_one_is_moved(loaded: Loaded) -> None:
    refused_cases = {case.name: case for case in CASES if case.status == "refused"}
    folder = loaded.settings.landing / "refused"
    for name, case in refused_cases.items():
        assert (folder / name).read_bytes() == case.content
        assert (folder / f"{name}.reason").read_text().startswith(f"{case.refused_reason}: ")
    assert len(list(folder.rglob("*"))) == 2 * len(refused_cases)
    moved = [path for path in (loaded.settings.landing / "loaded").rglob("*") if path.is_file()]
    assert len(moved) == len(CASES) + 2 - len(refused_cases)


@pytest.mark.parametrize("number", range(len(TIMESTAMPS)))
def test_every_spelling_of_an_instant_means_the_same(number: int, loaded: Loaded) -> None:
    text, reason = list(TIMESTAMPS.items())[number]
    stored = loaded.capsules.get(f"time-{number}")
    if reason:
        assert stored is None
    elif text.strip()[:10].replace("-", "") == "20261120" and "." not in text and "," not in text:
        assert stored is not None
        assert stored[0] == datetime(2026, 11, 20, 12)  # noqa: DTZ001 (UTC without a zone in the type)


@pytest.mark.parametrize("number", range(len(AMOUNTS)), ids=lambda number: repr(AMOUNTS[number][0]))
def test_an_amount_that_cannot_be_read_leaves_the_conversion_without_a_value(
    number: int, loaded: Loaded
) -> None:
    assert loaded.capsules[f"amount-{number}"][1] == AMOUNTS[number][1]


def test_no_name_and_no_value_of_the_folder_becomes_a_query(loaded: Loaded) -> None:
    with writer_lock(loaded.settings), open_warehouse(loaded.settings) as connection:
        tables = connection.execute(
            "select count(*) from duckdb_tables() where schema_name = 'raw'"
        ).fetchone()
    assert tables == (len(RAW_TABLES),)
    home = {path.name for path in loaded.settings.home.iterdir()}
    assert home <= {"landing", "archive", "warehouse", "published", "exports", "dagster", "secrets", "tmp"}
