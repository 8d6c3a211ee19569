"""Answers that were computed before: of one publication, for one scope, to one question. Bounded in bytes.

Why it exists: a page asks the same questions at every click, and ten people ask the same as one. A question
that is being answered is not asked twice: the second person waits for the first one's answer. Everybody gets
a copy.
Not here: the questions; Streamlit, so that the server can warm up before anybody comes.
"""

import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar, cast

from app.publications import Publication

# The answers of one page are about 100 KB; this is some hundred views.
MOST_BYTES: Final = 64 << 20

Answer = TypeVar("Answer")


class Answers:
    """A store of answers by key; the ones that were not asked for longest go first. For many threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0
        self._asking: dict[Hashable, threading.Lock] = {}

    @property
    def size(self) -> int:
        """Bytes kept."""
        return self._size

    def get(self, key: Hashable, compute: Callable[[], Answer]) -> Answer:
        """The answer under `key`, computed once; what `compute` raises is raised and not kept."""
        found = self._found(key)
        if found is None:
            with self._lock:
                turn = self._asking.setdefault(key, threading.Lock())
            with turn:
                found = self._found(key)
                if found is None:
                    try:
                        found = pickle.dumps(compute(), pickle.HIGHEST_PROTOCOL)
                        self._keep(key, found)
                    finally:
                        with self._lock:
                            self._asking.pop(key, None)
        return cast(Answer, pickle.loads(found))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._size = 0

    def _found(self, key: Hashable) -> bytes | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def _keep(self, key: Hashable, answer: bytes) -> None:
        if len(answer) > self._most_bytes:
            return
        with self._lock:
            self._size += len(answer) - len(self._kept.pop(key, b""))
            self._kept[key] = answer
            while self._size > self._most_bytes:
                self._size -= len(self._kept.popitem(last=False)[1])


answers: Final = Answers()


def ask(function: Callable[..., Answer], publication: Publication, *arguments: Any) -> Answer:
    """`function(publication, *arguments)`, computed once per publication, scope and arguments."""
    # Two people share an answer only if they see the same.
    seen = publication.scope.capsules, publication.scope.sees_loading
    name = function.__module__, function.__qualname__
    return answers.get(
        (name, str(publication.folder), seen, arguments), lambda: function(publication, *arguments)
    )
