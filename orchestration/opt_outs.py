"""Who opted out of being measured or in again, and when: what is known while lines are read.

Why it exists: an event of refused consent keeps no identity, so whether its person opted out can be asked
only while it is read. Every other event is decided in the warehouse (`verdicts.py`), whatever the order.
"""

from collections.abc import Iterable
from datetime import datetime


class OptOuts:
    """Signals by person key."""

    def __init__(self, signals: Iterable[tuple[str, datetime, bool]] = ()) -> None:
        self._signals: dict[str, list[tuple[datetime, bool]]] = {}
        for person_key, signalled_at, is_opt_out in signals:
            self.remember([person_key], signalled_at, is_opt_out=is_opt_out)

    def __bool__(self) -> bool:
        return bool(self._signals)

    def person_keys(self) -> list[str]:
        """Everybody who ever gave a signal."""
        return list(self._signals)

    def remember(
        self, person_keys: Iterable[str | None], signalled_at: datetime, *, is_opt_out: bool
    ) -> None:
        """Adds a signal of one person, who may be known by several keys."""
        for person_key in filter(None, person_keys):
            self._signals.setdefault(person_key, []).append((signalled_at, is_opt_out))

    def is_out(self, person_keys: Iterable[str | None], moment: datetime) -> bool:
        """Whether the latest signal of any of the keys, up to a moment, is an opt-out."""
        for person_key in filter(None, person_keys):
            known = [signal for signal in self._signals.get(person_key, ()) if signal[0] <= moment]
            if known and max(known)[1]:
                return True
        return False
