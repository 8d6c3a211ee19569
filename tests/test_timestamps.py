"""One text alone and a column of them give the same instants."""

import pytest

from orchestration.timestamps import plain_instants

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


@pytest.mark.parametrize("times", [1, 100])
def test_texts_in_the_common_spelling_are_read_alike_in_short_and_long_columns(times: int) -> None:
    texts = [*PLAIN, *ASK_THERE] * times
    assert plain_instants(texts) == [*PLAIN.values(), *[None] * len(ASK_THERE)] * times
