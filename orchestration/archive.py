"""Sealing: a landed file becomes one complete Parquet file of reduced events and rejects.

Why it exists: the sealed file is what a transaction loads and what `engagement recover` starts from, so it
is whole and on disk before anything is committed, and as free of personal data as the warehouse.
Not here: which lines are accepted (`admission.py`), duplicates across files (`verdicts.py`).
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from orchestration.admission import AdmissionRules
from orchestration.admission_workers import admitted_blocks
from orchestration.event_files import LandedFile
from orchestration.journal import make_durable
from orchestration.line_reader import LineReader
from orchestration.sealed_rows import SEALED_SCHEMA

# Keys of persons and events hardly repeat inside a file: a dictionary of them is bigger than they are.
REPEATING_COLUMNS: Final = [
    name
    for name in SEALED_SCHEMA.names
    if not name.endswith("_key") and name not in ("excerpt", "properties")
]


@dataclass(frozen=True, slots=True)
class SealedFile:
    """One landed file, sealed under the hash of its decompressed bytes, of which there are `byte_count`."""

    file: LandedFile
    content_hash: str
    byte_count: int


def sealed_path(archive: Path, content_hash: str) -> Path:
    """Where the sealed file of a content is."""
    return archive / f"{content_hash}.parquet"


def seal(
    file: LandedFile, rules: AdmissionRules, archive: Path, tmp: Path, known: Collection[str] = ()
) -> SealedFile:
    """Admits every line of a landed file into `archive/<content hash>.parquet`, complete and fsynced.

    A content that is `known` is loaded already and keeps the sealed file it was loaded from: sealed again
    later, its events would have lost their daily identity. Memory is bounded by the size of a block.
    Raises `FileRefused`; then nothing is left in the archive.
    """
    archive.mkdir(parents=True, exist_ok=True)
    tmp.mkdir(parents=True, exist_ok=True)
    reader = LineReader(file, rules.limits)
    draft = tmp / f"seal-{file.inode:x}-{os.getpid()}.parquet"
    try:
        with pq.ParquetWriter(
            draft, SEALED_SCHEMA, compression="zstd", use_dictionary=REPEATING_COLUMNS
        ) as writer:
            for table in admitted_blocks(reader.blocks(), rules):
                writer.write_table(table)
        if reader.content_hash not in known:
            make_durable(draft)
            draft.replace(sealed_path(archive, reader.content_hash))
            make_durable(archive)
    finally:
        draft.unlink(missing_ok=True)
    return SealedFile(file, reader.content_hash, reader.byte_count)
