"""Ids of people as they were sent, looked for in bytes, texts and names.

Why it exists: a keyed hash finds rows; what people sent, names of files, logs and texts of others are found
by the id itself. An id that is a number or a word like any other must not take what is somebody else's.
Not here: where is looked, and what becomes of it (`erased_originals.py`, `erased_files.py`,
`erased_mentions.py`, `erasure_proof.py`).
"""

import json
import re
from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import quote

from orchestration.masking import MASK, SHORTEST_ID_IN_TEXT
from orchestration.settings import PROJECT_ROOT, Settings

# A shorter id is a number or a word like others: it is searched for only as the value of an id.
TELLING_CHARACTERS: Final = 6
_WORD: Final = rb"(?<![\w-])%b(?![\w-])"
# Also in JSON inside JSON, as a table has it.
_VALUE_OF_ID: Final = rb"(?i:id)\\?\"\s{0,9}:\s{0,9}\\?\"%b\\?\""
# Names a capsule and no person, whatever it is spelled like.
_CAPSULE_ID: Final = re.compile(rb"(?i:capsule_?id)\\?\"\s{0,9}:\s{0,9}\\?\"(?:[^\"\\]|\\[^\"]){0,600}\\?\"")
_PROJECT_TEXTS: Final = ("models/**/*", "seeds/*", "dbt_project/macros/*", "orchestration/**/*.py")


class Mentions:
    """Finds ids as they were sent: as they are, as JSON escapes them, as a URL does.

    In names of files, and in logs, which tell them, an id may be joined to other words: `userId-abc123`. In
    what people sent it may not: `abc-123` is another one than `abc-123-b`. An id that is short, or one of the
    `plain_words`, says nothing of a person by itself: it is looked for only as the value of an id. The id of
    a capsule is none of a person, and is passed over as a value of `capsuleId`; `capsule_ids` everywhere.
    """

    def __init__(
        self, ids: Iterable[str], plain_words: Collection[str] = (), capsule_ids: Iterable[str] = ()
    ) -> None:
        telling, named = [], []
        patterns = {}
        for one in ids:
            is_telling = len(one) >= TELLING_CHARACTERS and one not in plain_words
            for form in _forms_of(one):
                patterns[form] = (_WORD if is_telling else _VALUE_OF_ID) % re.escape(form)
            if is_telling:
                telling.append(one)
            if is_telling or (
                len(one) >= SHORTEST_ID_IN_TEXT and one not in plain_words and not one.isdecimal()
            ):
                named.append(one)
        # Looking for plain bytes first is a hundred times faster than a pattern without a fixed beginning.
        self._forms = sorted(patterns)
        self._pattern = re.compile(b"|".join(patterns[form] for form in self._forms))
        self._joined = _joined_pattern(telling)
        self._named = _joined_pattern(named)
        self._told = telling
        # The longest first, and without ends: in a database texts stand side by side.
        forms = {form for one in capsule_ids for form in _capsule_forms(one)}
        capsules = sorted(forms, key=len, reverse=True)
        self._capsules = re.compile(b"|".join(map(re.escape, capsules))) if capsules else None

    def among(self, others: "Mentions") -> "Mentions":
        """Only the ids that `others` has as telling ones."""
        return Mentions([one for one in self._told if one in others._told])

    def telling(self, capsule_ids: Iterable[str] = ()) -> "Mentions":
        """Only the ids that tell of a person wherever they stand, but in these ids of capsules."""
        return Mentions(self._told, capsule_ids=capsule_ids)

    def telling_forms(self) -> list[str]:
        """The spellings of these ids, as texts."""
        return sorted({form.decode("utf-8", "replace") for one in self._told for form in _forms_of(one)})

    def within(self, content: bytes) -> bool:
        """Whether any id stands in these bytes."""
        if not any(form in content for form in self._forms):
            return False
        return self._pattern.search(self._without_capsules(content)) is not None

    def within_log(self, content: bytes) -> bool:
        """Whether any id stands in a text that may tell names of files."""
        if not any(form in content for form in self._forms):
            return False
        return self.within(content) or bool(
            self._joined and self._joined.search(self._without_capsules(content))
        )

    def within_name(self, content: bytes) -> bool:
        """Whether any id stands in the name of a file; also one of few characters, but for a mere number."""
        return self.within_log(content) or bool(
            self._named and self._named.search(self._without_capsules(content))
        )

    def _without_capsules(self, content: bytes) -> bytes:
        content = _CAPSULE_ID.sub(b"", content)
        return self._capsules.sub(b"\0", content) if self._capsules else content

    def text_without(self, text: str) -> str:
        """A text in which every id is masked."""
        return self._pattern.sub(MASK.encode(), text.encode("utf-8", "surrogatepass")).decode(
            "utf-8", "surrogatepass"
        )

    def name_without(self, name: bytes) -> bytes:
        """A name with every id replaced."""
        if not self._forms:
            return name
        name = self._pattern.sub(b"erased", name)
        return self._named.sub(b"erased", name) if self._named else name


def _forms_of(one: str) -> set[bytes]:
    spellings = {one, json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1], quote(one, "")}
    return {spelling.encode("utf-8", "surrogatepass") for spelling in spellings}


def _capsule_forms(one: str) -> set[bytes]:
    # Also as the name of a report has it.
    return {*_forms_of(one), re.sub(r"[^A-Za-z0-9-]+", "-", one).strip("-")[:60].encode()} - {b""}


def _joined_pattern(ids: Iterable[str]) -> re.Pattern[bytes] | None:
    # The longest first: one id may begin like another.
    forms = sorted({form for one in ids for form in _forms_of(one)}, key=len, reverse=True)
    if not forms:
        return None
    return re.compile(b"|".join(rb"(?<![^\W_])%b(?![^\W_])" % re.escape(form) for form in forms))


def plain_words(settings: Settings, ids: Iterable[str]) -> set[str]:
    """Those of ids that are words of this project (`anonymous`, `session`) and so in every installation.

    One with a digit in it is an id, wherever it stands.
    """
    asked = {one for one in ids if len(one) >= SHORTEST_ID_IN_TEXT and not re.search(r"\d", one)}
    if not asked:
        return set()
    paths = [path for pattern in _PROJECT_TEXTS for path in PROJECT_ROOT.glob(pattern)]
    texts = [
        path.read_bytes() for path in (*paths, settings.home / "dbt" / "manifest.json") if path.is_file()
    ]
    return {one for one in asked if any(Mentions([one]).within_name(text) for text in texts)}
