"""Who was erased: keyed hashes that tell an erased person when they come again, and nobody who they were.

Why it exists: the same file sent again, a late one, a restored backup or a rebuilt warehouse would bring an
erased person back. An entry is a hash of the hash that the warehouse knew, so it can be compared with a key
that arrives and searched for nowhere. It is written before anything is removed, and kept for good.

`secrets/erased.txt` is the list, `receipts/erased.txt` a copy that a backup of `secrets/` and `archive/` does
not overwrite; the one in the archive says what the archive was cleaned of, so that an archive or a list that
comes from a backup shows. Not here: removing (`erased_rows.py`, `erasure.py`).
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

from orchestration.journal import make_durable
from orchestration.masking import MASK, SHORTEST_ID_IN_TEXT
from orchestration.privacy import Keyring
from orchestration.settings import Settings

# `person`: everything of theirs; `session`, `event`: what comes without a signed-in user.
EntryKind = Literal["person", "session", "event"]
KINDS: Final[tuple[EntryKind, ...]] = ("person", "session", "event")
# What could be an id in a text; one with other signs in it is known only where it is the whole text.
WORD_OF_A_TEXT: Final = r"\w(?:[\w.@-]*\w)?"
_WORD: Final = re.compile(WORD_OF_A_TEXT)
_ENTRY: Final = re.compile(r"(person|session|event) [0-9a-f]{24}")


class ErasureList:
    """The entries of the list, each `<kind> <hash>`."""

    def __init__(self, keyring: Keyring | None = None, entries: Iterable[str] = ()) -> None:
        self._keyring = keyring
        self.entries = set(entries)
        # Plain keys of sessions in which an erased person was met while lines were read.
        self.met_sessions: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self.entries)

    def has(self, kind: EntryKind) -> bool:
        """Whether there is any entry of a kind."""
        return any(entry.startswith(f"{kind} ") for entry in self.entries)

    def entry(self, kind: EntryKind, key: str) -> str:
        """What stands in the list for a key."""
        assert self._keyring is not None
        return f"{kind} {self._keyring.key_once('erased', kind, key)}"

    def erased_of(self, kind: EntryKind, keys: Iterable[str | None]) -> set[str]:
        """The keys that are on the list."""
        if not self.has(kind):
            return set()
        return {key for key in set(keys) if key and self.entry(kind, key) in self.entries}

    def erased_ids(self, ids: Iterable[str]) -> set[str]:
        """Those of ids, as they are sent, that are of a user or a visitor on the list."""
        keyring = self._keyring
        assert keyring is not None
        return {
            one
            for one in ids
            if self.erased_of("person", (keyring.key_once("user", one), keyring.key_once("visitor", one)))
        }

    def text_without(self, text: str) -> str:
        """A text in which the ids of users and visitors on the list are masked where they stand as words."""
        if not self.has("person"):
            return text
        if self.erased_ids([text]):
            return MASK
        named = self.erased_ids({word for word in _WORD.findall(text) if len(word) >= SHORTEST_ID_IN_TEXT})
        return _WORD.sub(lambda found: MASK if found.group() in named else found.group(), text)


def read_erasure_list(settings: Settings, keyring: Keyring) -> ErasureList:
    """All entries of all copies: a backup may have brought back an older one of them."""
    entries = {entry for copy in _list_files(settings) for entry in _read(copy)}
    return ErasureList(keyring, entries | archive_entries(settings.archive))


def add_entries(settings: Settings, erased: ErasureList, keys: Mapping[EntryKind, Iterable[str]]) -> None:
    """Adds keys to the list, durably, before what they stand for is removed."""
    new = {erased.entry(kind, key) for kind, some in keys.items() for key in some}
    erased.entries |= new
    for copy in _list_files(settings):
        _append(copy, erased.entries - _read(copy))


def archive_entries(archive: Path) -> set[str]:
    """The entries that the sealed files were cleaned of."""
    return _read(archive / "erased.txt")


def mark_archive(archive: Path, erased: ErasureList) -> None:
    """Notes that no sealed file holds anybody of the list."""
    _append(archive / "erased.txt", erased.entries - archive_entries(archive))


def _list_files(settings: Settings) -> tuple[Path, Path]:
    return settings.secrets / "erased.txt", settings.receipts / "erased.txt"


def _read(path: Path) -> set[str]:
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except FileNotFoundError:
        return set()
    # A line that a crash cut short is none.
    return {line for line in lines if _ENTRY.fullmatch(line)}


def _append(path: Path, entries: set[str]) -> None:
    if not entries:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        # Begins with a line end, in case a crash cut the last line short.
        file.write("\n" + "".join(f"{entry}\n" for entry in sorted(entries)))
        file.flush()
        os.fsync(file.fileno())
    make_durable(path.parent)
