"""Guards of the sample's arguments, so that a wrong one is a sentence and not a strange stream."""

from datetime import datetime


class SampleError(ValueError):
    """An argument of the sample is out of its range; the text names argument, value and range."""


def check_range(argument: str, value: int, lowest: int, highest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise SampleError(f"{argument} is {value!r}; use a whole number from {lowest} to {highest}.")


def check_seconds(argument: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise SampleError(f"{argument} is {value!r}; use seconds from {lowest:g} to {highest:g}.")


def check_clock(now: datetime) -> None:
    if now.tzinfo is None:
        raise SampleError(
            f"now is {now.isoformat()} without a time zone; use an aware instant, such as datetime.now(UTC)."
        )
