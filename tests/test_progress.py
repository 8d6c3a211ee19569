"""A long load says how far it is, by bytes, and how long the rest takes; not a line a file."""

from orchestration.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _said(files: list[tuple[float, int]], file_count: int, byte_count: int) -> list[str]:
    """What is said when each file begins after so many seconds."""
    said: list[str] = []
    clock = Clock()
    progress = Progress(said.append, file_count, byte_count, clock)
    for seconds, size in files:
        clock.now = 100.0 + seconds
        progress.begin_file(size)
    return said


def test_a_single_file_is_said_without_a_bar() -> None:
    assert _said([(0, 500)], 1, 500) == ["Sealing file 1 of 1"]


def test_the_share_is_of_bytes_and_the_estimate_waits_until_it_is_worth_something() -> None:
    # 300 of 1,000 bytes in 3 s: 30 %. 600 in 12 s: the other 400 take 8 s, said to the next five.
    assert _said([(0, 300), (3, 300), (12, 400)], 3, 1000) == [
        "Sealing file 1 of 3",
        "Sealing file 2 of 3  [######..............] 30%",
        "Sealing file 3 of 3  [############........] 60%, about 10 s left",
    ]


def test_many_files_are_not_a_line_each() -> None:
    # One a second: a line every two seconds for a minute, every ten after it.
    said = _said([(second, 1) for second in range(121)], 1000, 1000)
    assert [line.split()[2] for line in said[:3]] == ["1", "3", "5"]
    assert [line.split()[2] for line in said[-3:]] == ["101", "111", "121"]
    # 120 files in 120 s: 880 s for the others.
    assert said[-1] == "Sealing file 121 of 1,000  [##..................] 12%, about 15 min left"


def test_hours_are_said_as_hours() -> None:
    # 1 of 100 in 100 s: 9,900 s for the others.
    assert _said([(0, 1), (100, 1)], 100, 100)[-1].endswith("1%, about 2.8 h left")
