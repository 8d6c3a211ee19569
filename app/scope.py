"""Whose eyes: which capsules a reader sees, and whether how the warehouse was loaded is their business.

Why it exists: a publication can't be opened without a `Scope` (`publications.py`), and there is no default
one. So no query, cache or export can be written that forgets to ask for whom. Pure.
Not here: who has which scope (`access.py`).
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Role = Literal["owner", "analyst", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True)
class Scope:
    """What a reader sees. `capsules` is None for all of them; an empty set sees none."""

    role: Role
    capsules: frozenset[str] | None

    def __post_init__(self) -> None:
        if self.role == "admin" and self.capsules is not None:
            raise ValueError("An admin sees every capsule: give the role owner or analyst with a list.")

    @property
    def sees_loading(self) -> bool:
        """Files, checks and rejected lines are facts of the whole warehouse, not of a capsule."""
        return self.role != "owner"


# The command line and the scheduled reports: who runs them can read the files themselves.
EVERYTHING: Final = Scope("admin", None)
