"""Keyed hashes of texts and of an event's content, for one or for many at once.

Why it exists: hashes are made for every line, and cost more of its time than anything else that Python does.
Not here: which key (`privacy.py`), of what (`admission.py`, `column_rules.py`).
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import starmap
from typing import Final

import numpy as np
import numpy.typing as npt

# 96 of 256 bits; written as twice as many hexadecimal characters.
KEY_BYTES: Final = 12
_DIGEST_BYTES: Final = 32
_REMEMBERED: Final = 200_000
_MODULUS: Final = 1 << 64

Hashes = npt.NDArray[np.uint64]


class KeyedHash:
    """HMAC-SHA-256 (RFC 2104) of texts under one key, 24 hexadecimal characters.

    The key's own two blocks are hashed once and copied: half the time of `hmac.digest`.
    """

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def __call__(self, parts: Sequence[str]) -> str:
        inner = self._inner.copy()
        inner.update(b"".join(map(_measured, parts)))
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()[: 2 * KEY_BYTES]

    def many(self, kind: str, leading: Sequence[str], codes: Sequence[int], last: Sequence[str]) -> str:
        """The hashes of (kind, a leading part, a last part) for each row, as one text without separators.

        `codes`: the place of each row's leading part in `leading`.
        """
        encoded = [text.encode("utf-8", "surrogatepass") for text in last]
        # Of each leading part and each length of the last: the length stands in front.
        longest = max(map(len, last), default=0) + 1
        asked = np.array(codes, np.int64) * longest + np.fromiter(map(len, last), np.int64, len(last))
        begun = {}
        for place in np.flatnonzero(np.bincount(asked)).tolist():
            leading_part, length = leading[place // longest], place % longest
            inner = self._inner.copy()
            inner.update(_measured(kind) + _measured(leading_part) + b"%d:" % length)
            begun[place] = inner.copy
        begin_outer = self._outer.copy
        digests = []
        for begin, text in zip(map(begun.__getitem__, asked.tolist()), encoded, strict=True):
            inner = begin()
            inner.update(text)
            outer = begin_outer()
            outer.update(inner.digest())
            digests.append(outer.digest())
        whole = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _DIGEST_BYTES)
        return whole[:, :KEY_BYTES].tobytes().hex()


def _measured(part: str) -> bytes:
    # The length in front, so that ("ab", "c") and ("a", "bc") differ.
    return f"{len(part)}:{part}".encode("utf-8", "surrogatepass")


class ContentHash:
    """64-bit keyed hash of what an event says: same content, same number, whatever the order of its keys.

    The sum, modulo 2^64, of a keyed hash of each key with its value, and of the instant times an odd number
    that only the key knows. Under a secret key the hashes are independent, so two contents have the same sum
    with a probability of 2^-64; two that differ by their instant alone never have.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._remembered: dict[tuple[str, str, bytes], int] = {}
        digest = hashlib.blake2b(b"instant", key=key, digest_size=8).digest()
        self.instant_factor: Final = int.from_bytes(digest, "big") | 1

    def hasher(self, scope: str, name: str) -> Callable[[Sequence[bytes]], list[bytes]]:
        """The 8 bytes of one key's values, each as canonical JSON.

        `scope`: "own" for a key of the event, "inner" for one of its `metadata`.
        """
        named = f"{scope}.{name}".encode("utf-8", "surrogatepass")
        begin = hashlib.blake2b(b"%d:%b" % (len(named), named), key=self._key, digest_size=8).copy

        def hash_values(values: Sequence[bytes]) -> list[bytes]:
            digests = []
            for value in values:
                content = begin()
                content.update(value)
                digests.append(content.digest())
            return digests

        return hash_values

    def of(self, content: Iterable[tuple[str, str, bytes]], instant: int) -> int:
        """The hash of one event: scope, name and canonical value of each key; its instant in milliseconds."""
        total = instant * self.instant_factor + sum(starmap(self._one, content))
        total %= _MODULUS
        return total - _MODULUS if total >= _MODULUS // 2 else total

    def _one(self, scope: str, name: str, value: bytes) -> int:
        asked = (scope, name, value)
        known = self._remembered.get(asked)
        if known is None:
            if len(self._remembered) > _REMEMBERED:
                self._remembered.clear()
            known = int.from_bytes(self.hasher(scope, name)([value])[0], "big")
            self._remembered[asked] = known
        return known


def as_numbers(digests: Sequence[bytes]) -> Hashes:
    """Hashes of 8 bytes as numbers that can be summed up."""
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
