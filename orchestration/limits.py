"""What a landed file and a line may be at most, so that no input can exhaust the machine.

Why it exists: the reader of files and the admission of lines share these numbers; they are settings
(`ENGAGEMENT_MAX_*`, settings.py). Not here: what happens to whatever is over a limit.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes are counted after decompression; `nesting` in levels of objects and lists."""

    file_bytes: int = 64 << 30
    file_lines: int = 100_000_000
    line_bytes: int = 1 << 20
    nesting: int = 100
    keys: int = 10_000
    # A JSON array, pretty-printed objects and packed Parquet are held in memory whole.
    document_bytes: int = 256 << 20


DEFAULT_LIMITS: Final = Limits()
