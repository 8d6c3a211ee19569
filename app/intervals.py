"""How sure a share is: the Wilson interval, and when there is too little to say anything. Pure.

The definitions are those of `METRICS.md`, "Conversions".
"""

from math import sqrt
from typing import Final

# The 97.5 % point of the normal distribution: 95 % lie between it and its mirror image.
Z_95: Final = 1.959963984540054
FEWEST_VISITORS: Final = 30


def wilson_interval(successes: float | None, trials: float | None) -> tuple[float, float] | None:
    """95 % interval of a share; None where nothing was tried. It never leaves 0..1."""
    if successes is None or not trials:
        return None
    share = successes / trials
    spread = Z_95**2 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = Z_95 * sqrt((share * (1 - share) + spread / 4) / trials) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def is_too_few(trials: float | None) -> bool:
    """Whether a rate over so many visitors is marked as too few to be relied on."""
    return trials is None or trials < FEWEST_VISITORS
