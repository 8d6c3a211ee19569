"""The year of the benchmarks: valid lines, the same every time, repeated and late as it says."""

from collections import Counter
from datetime import UTC, date, datetime

import orjson

from orchestration.admission import Accepted, AdmissionRules, admit_line
from orchestration.privacy import Keyring
from tests.benchmarks.year import write_year

LAST_DAY = date(2026, 3, 31)


def _written(folder):
    return list(write_year(folder, event_count=24_000, last_day=LAST_DAY, capsule_count=10, day_count=6))


def test_every_line_of_the_year_is_accepted(tmp_path) -> None:
    files = _written(tmp_path / "year")
    now = datetime(2026, 4, 1, tzinfo=UTC)
    rules = AdmissionRules(Keyring(tmp_path / "secrets", now), now, None)
    for file in files:
        for line in file.path.read_bytes().splitlines():
            assert isinstance(admit_line(line, rules), Accepted), line


def test_lines_are_counted_repeated_and_late_as_it_says(tmp_path) -> None:
    files = _written(tmp_path)
    assert [file.day for file in files] == [date(2026, 3, day) for day in range(26, 32)]
    times: Counter[tuple[str, str]] = Counter()
    late = 0
    for file in files:
        lines = file.path.read_bytes().splitlines()
        assert len(lines) == file.line_count
        for event in map(orjson.loads, lines):
            times[event["capsuleId"], event["eventId"]] += 1
            # A line that is repeated a day later is one day old; what is late is 1 to 40 days old.
            late += date.fromisoformat(event["timestamp"][:10]) < date(2026, 3, 26)
    assert len(times) == sum(file.new_count for file in files)
    assert max(times.values()) == 2
    repeated = sum(times.values()) - len(times)
    assert 0.002 < repeated / len(times) < 0.008
    assert 0.003 < late / len(times) < 0.015


def test_equal_arguments_give_equal_bytes(tmp_path) -> None:
    first, second = _written(tmp_path / "a"), _written(tmp_path / "b")
    assert [one.path.read_bytes() for one in first] == [one.path.read_bytes() for one in second]
