"""One text alone and a column of them give the same instants."""

import numpy as np

from orchestration.admission import epoch_milliseconds
from orchestration.instant_columns import plain_instants
from orchestration.timestamps import parse_timestamp

# 1,795,000,000,000 ms are 2026-11-18T11:06:40Z.
PLAIN = {
    "2026-11-18T11:06:40Z": 1_795_000_000_000,
    "2026-11-18T11:06:40.5Z": 1_795_000_000_500,
    "2026-11-18T11:06:40.123999999Z": 1_795_000_000_123,
    "2026-11-18T12:06:40+01:00": 1_795_000_000_000,
    "2026-11-18T00:36:40.001-10:30": 1_795_000_000_001,
    "1969-12-31T23:59:59.999Z": -1,
    "2024-02-29T00:00:00Z": 1_709_164_800_000,
}
ASK_THERE = (
    "", "2026-02-30T00:00:00Z", "2026-11-18T24:00:00Z", "2026-11-18T11:06:60Z", "2026-11-18 11:06:40Z",
    "2026-11-18T11:06:40", "2026-11-18T11:06:40Z\n", " 2026-11-18T11:06:40Z", "2026-11-18T11:06:40+18:30",
    "2026-11-18T11:06:40.1234567890Z", "２026-11-18T11:06:40Z", "1795000000000",
)  # fmt: skip


def test_a_column_is_read_as_its_texts_are_one_by_one() -> None:
    texts = [*PLAIN, *ASK_THERE] * 3
    sent = [text.encode() for text in texts]
    lengths = np.array([len(text) for text in sent], np.int32)
    starts = np.append(0, np.cumsum(lengths)[:-1]).astype(np.int32)
    instants, is_read = plain_instants(np.frombuffer(b"".join(sent), np.uint8), starts, lengths)
    found = [instant if known else None for instant, known in zip(instants.tolist(), is_read, strict=True)]
    assert found == [*PLAIN.values(), *[None] * len(ASK_THERE)] * 3


def test_each_text_alone_has_the_instant_worked_out_by_hand() -> None:
    for text, instant in PLAIN.items():
        assert epoch_milliseconds(parse_timestamp(text)) == instant
