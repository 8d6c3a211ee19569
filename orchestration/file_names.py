"""A landed name is kept for people to find their file by, but not the id of a person in it.

Why it exists: exporters name files by user (`userId-abc123.ndjson`, `abc123.ndjson`). An id has no form of
its own, so names are held against the ids that the file itself holds: those of its first lines as they were
sent, whatever becomes of them, and those of every accepted event by their keys.
Not here: what is masked in any text (`masking.py`).
"""

import os
import re
from collections.abc import Iterable
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.event_files import LandedFile, printable
from orchestration.masking import MASK, SHORTEST_ID_IN_TEXT, mask_text
from orchestration.privacy import Keyring

# A file that is named by a person holds that person's id in its first lines.
_HEAD_BYTES: Final = 64 << 10
_SENT_ID: Final = re.compile(
    rb'"(?:user|visitor|session)_?id"\s*:\s*("(?:[^"\\]|\\.){1,600}")', re.IGNORECASE
)
_KEY_OF: Final = {"user_key": "user", "visitor_id_key": "visitor"}
_WORD: Final = re.compile(r"[^\W_]+")
_MAX_WORDS: Final = 12
_MAX_CAPSULES: Final = 20


class NameWatch:
    """Watches a file while it is admitted; `shown_name` then names nobody of it."""

    def __init__(self, file: LandedFile, keyring: Keyring) -> None:
        self._name = file.name
        self._keyring = keyring
        self._parts = {part.lower(): part for part in name_parts(file.name)}
        self._person_keys = {
            keyring.key_once(kind, part): part for kind in _KEY_OF.values() for part in self._parts.values()
        }
        self._session_keys: dict[str, str] = {}
        self._capsules: set[str] = set()
        self._found: set[str] = set()
        self._is_head_read = False

    @property
    def shown_name(self) -> str:
        """The name for people and the manifest: as `LandedFile.shown_name`, and without ids of its own."""
        name = self._name
        for part in sorted(self._found, key=len, reverse=True):
            name = re.sub(rf"(?<![^\W_]){re.escape(part)}(?![^\W_])", MASK, name, flags=re.IGNORECASE)
        return mask_text(printable(name))

    def read(self, lines: bytes) -> None:
        """Looks at the ids of the first lines as they were sent."""
        if self._is_head_read:
            return
        self._is_head_read = True
        for sent in set(_SENT_ID.findall(lines[:_HEAD_BYTES])):
            try:
                text = orjson.loads(sent).strip().lower()
            except orjson.JSONDecodeError:
                continue
            if text in self._parts:
                self._found.add(self._parts[text])

    def look(self, table: pa.Table) -> None:
        """Looks at the keys of admitted lines."""
        for column in _KEY_OF:
            self._find(table[column], self._person_keys)
        capsules = {capsule for capsule in pc.unique(table["capsule_id"]).to_pylist() if capsule}
        for capsule in sorted(capsules - self._capsules)[: _MAX_CAPSULES - len(self._capsules)]:
            self._capsules.add(capsule)
            for part in self._parts.values():
                self._session_keys[self._keyring.key_once("session", capsule, part)] = part
        self._find(table["client_session_key"], self._session_keys)

    def _find(self, column: pa.ChunkedArray, keys: dict[str, str]) -> None:
        if not keys:
            return
        met = column.filter(pc.is_in(column, pa.array(list(keys), pa.string())))
        self._found |= {keys[key] for key in pc.unique(met).to_pylist()}


def name_parts(name: str) -> Iterable[str]:
    """What could be an id in a name: words with what joins them, in each folder and the name itself.

    A part is as long as an id in a text is at least, or the whole name without its endings.
    """
    for folder_or_name in os.fsencode(name).decode("utf-8", "replace").split("/"):
        words = list(_WORD.finditer(folder_or_name))[:_MAX_WORDS]
        for first, start in enumerate(words):
            for end in words[first:]:
                part = folder_or_name[start.start() : end.end()]
                if len(part) >= SHORTEST_ID_IN_TEXT or part == folder_or_name.split(".", 1)[0]:
                    yield part
