"""What happens to personal data at the door: keys, salts, reduction, consent.

Why it exists: everything here runs before the first durable write, so that archive, warehouse, logs
and exports never hold an IP address, a user agent, or a raw id. Rules: METRICS.md, "Privacy".
Not here: what is masked inside a text (`masking.py`), which key of an event means what (`event_fields.py`),
erasure and retention.

Plain hashes of IPv4 addresses are reversed in 40 minutes on two cores; hence keyed hashes whose key
lies in `secrets/`, outside the warehouse.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from orchestration.keyed_hashes import ContentHash, KeyedHash
from orchestration.masking import mask_id, mask_text

Consent = Literal["given", "refused"]

_REMEMBERED_KEYS: Final = 200_000
SALT_LIFETIME: Final = timedelta(hours=48)

_TRUE_WORDS: Final = frozenset(["true", "1", "yes", "y", "on"])
_FALSE_WORDS: Final = frozenset(["false", "0", "no", "n", "off"])
_CONSENT_WORDS: Final = _TRUE_WORDS | frozenset(
    (
        "granted given grant accepted accept acceptall accept_all allowed allow agreed agree consented "
        "optin opt-in opt_in opted-in all full ok"
    ).split()
)
_MEASURING_PURPOSES: Final = frozenset(
    ["analytics", "analytics_storage", "statistics", "measurement", "performance"]
)
_MAX_PARAMETERS: Final = 200
_CONSENT_NAME: Final = "consent"
_SIGNAL_NAMES: Final = frozenset(["dnt", "donottrack", "gpc", "globalprivacycontrol", "secgpc"])
_CLICK_IDS: Final = (
    "gclid gbraid wbraid dclid msclkid fbclid ttclid twclid li_fat_id rdt_cid yclid epik"
).split()


class Keyring:
    """The installation's secret key and the daily salts.

    `now` decides which salts may exist: those of the UTC days that began less than 48 hours before.
    """

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder = folder
        self._now = now
        self._identity_key = _read_or_create(folder / "identity.key")
        self._keyed_hash = KeyedHash(self._identity_key)
        self.content: Final = ContentHash(self._identity_key)
        self._salts: dict[date, KeyedHash | None] = {}
        self._known: dict[tuple[str, ...], str] = {}
        self.destroy_old_salts()

    def key(self, kind: str, *parts: str) -> str:
        """HMAC-SHA-256 of a kind and its parts, the first 24 hexadecimal characters."""
        asked = (kind, *parts)
        known = self._known.get(asked)
        if known is None:
            known = self._keyed_hash(asked)
            if len(self._known) > _REMEMBERED_KEYS:
                self._known.clear()
            self._known[asked] = known
        return known

    def key_once(self, kind: str, *parts: str) -> str:
        """As `key`, for values that are asked for once and so not remembered."""
        return self._keyed_hash((kind, *parts))

    def many_keys(self, kind: str, leading: Sequence[str], codes: Sequence[int], last: Sequence[str]) -> str:
        """`key_once` of a kind, a capsule and a part that does not repeat, row by row, as one text.

        `codes`: the place of each row's part in `leading`.
        """
        return self._keyed_hash.many(kind, leading, codes, last)

    def capsule_id(self, sent: str) -> str:
        """A capsule's id as sent; one that holds personal data, such as an e-mail address, as a keyed hash.

        Masked it would be one with every other such capsule; so it stays itself and says nothing.
        """
        return sent if mask_id(sent) == sent else f"capsule-{self.key('capsule', sent)}"

    def daily_key(self, day: date, *parts: str) -> str | None:
        """Keyed hash with the salt of a UTC day; null when that day's salt is gone."""
        if day not in self._salts:
            salt = self._salt(day)
            self._salts[day] = KeyedHash(salt) if salt else None
        keyed_hash = self._salts[day]
        return keyed_hash(("daily", *parts)) if keyed_hash else None

    def has_salt(self, day: date) -> bool:
        """Whether there are daily keys of a UTC day: hardly any in a file of old events."""
        return self._may_exist(day)

    def destroy_old_salts(self) -> None:
        """Removes the salts of days that began 48 hours ago or more: their hashes can't be made again."""
        for salt_file in (self.folder / "salts").glob("*.salt"):
            if not self._may_exist(date.fromisoformat(salt_file.stem)):
                _destroy(salt_file)

    def _may_exist(self, day: date) -> bool:
        began = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return timedelta(0) <= self._now + timedelta(minutes=5) - began < SALT_LIFETIME

    def _salt(self, day: date) -> bytes | None:
        if not self._may_exist(day):
            return None
        return _read_or_create(self.folder / "salts" / f"{day.isoformat()}.salt")


def _destroy(secret: Path) -> None:
    """Overwrites a secret before its name goes; what a disk keeps of it elsewhere is for its encryption."""
    with contextlib.suppress(FileNotFoundError):
        with secret.open("r+b") as file:
            file.write(bytes(secret.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        secret.unlink()


def _read_or_create(path: Path) -> bytes:
    """The 32 random bytes of a secret file, written with mode 0600 by whoever comes first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            # A hard link fails when the name is taken, so two processes agree on one secret.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def reduce_ip(text: str) -> str | None:
    """The /24 (IPv4) or /48 (IPv6) network of an address; null when it is none."""
    candidate = text.strip().strip("[]").split("%", 1)[0]
    if candidate.count(":") == 1 and "." in candidate:
        candidate = candidate.split(":", 1)[0]
    try:
        address = ipaddress.ip_address(candidate)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    prefix = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((address, prefix), strict=False))


@dataclass(frozen=True, slots=True)
class ReducedUrl:
    """What is kept of a URL. `domain` is null when the text is no URL."""

    domain: str | None
    path: str | None = None
    utm: Mapping[str, str] = field(default_factory=dict)
    click_id: str | None = None


def reduce_url(text: str) -> ReducedUrl:
    """Domain, masked path, `utm_*` values and the *name* of a click id; the query string is dropped."""
    candidate = text.strip()
    if candidate.startswith("//"):
        candidate = f"https:{candidate}"
    elif "://" not in candidate:
        if candidate.startswith("/"):
            candidate = f"none://{candidate}"
        elif re.match(r"[\w-]+(\.[\w-]+)+([/?#:]|$)", candidate):
            candidate = f"https://{candidate}"
        else:
            return ReducedUrl(None)
    try:
        parts = urlsplit(candidate)
        domain = normal_domain(parts.hostname or "")
        query = parse_qsl("&".join(parts.query.split("&", _MAX_PARAMETERS)[:_MAX_PARAMETERS]))
    except ValueError:
        return ReducedUrl(None)
    utm = {
        name.lower(): mask_text(value.strip())
        for name, value in query
        if name.lower() in _UTM_NAMES and value.strip()
    }
    sent = {name.lower() for name, value in query if value}
    click_id = next((name for name in _CLICK_IDS if name in sent), None)
    # Some servers write a session behind a semicolon.
    return ReducedUrl(domain or None, mask_text(parts.path.split(";", 1)[0]) or None, utm, click_id)


_UTM_NAMES: Final = frozenset({"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"})


def normal_domain(host: str) -> str:
    """Lower case, without a leading `www.` and a trailing dot; an address in place of a name is masked."""
    domain = host.lower().rstrip(".").removeprefix("www.")
    return mask_text(domain)


@functools.lru_cache(maxsize=10_000)
def plain_name(name: str) -> str:
    """A key without its spelling: `opt-Out`, `opt_out` and `optOut` are one."""
    return name.lower().replace("_", "").replace("-", "")


def stated_consent(sent: Mapping[str, Any]) -> Consent | None:
    """What is said of consent: by `consent`, or by a do-not-track or privacy-control signal; null if nothing.

    One refusal outweighs every yes. An answer that is no known yes is a no: "not granted", "revoked", a word
    of another language. A signal that is not set says nothing: it is no consent.
    """
    said: list[Consent | None] = []
    for name, value in sent.items():
        plain = plain_name(name)
        if plain in _SIGNAL_NAMES and says_yes(value):
            return "refused"
        if plain == _CONSENT_NAME:
            said.append(_answer_of(value))
    return weighed_consent(said)


def weighed_consent(said: Iterable[Consent | None]) -> Consent | None:
    """What several answers say together: a refusal before a yes, a yes before nothing."""
    answers = set(said)
    if "refused" in answers:
        return "refused"
    return "given" if "given" in answers else None


def says_something_of_consent(name: str) -> bool:
    """Whether `stated_consent` looks at a key of this name."""
    plain = plain_name(name)
    return plain == _CONSENT_NAME or plain in _SIGNAL_NAMES


def _answer_of(answer: Any) -> Consent | None:
    if isinstance(answer, Mapping):
        # Consent platforms send one answer per purpose; measuring is what we ask for.
        asked = [value for name, value in answer.items() if name.lower() in _MEASURING_PURPOSES]
        return weighed_consent(map(_answer_of, asked or answer.values()))
    if isinstance(answer, list):
        # A list of the purposes somebody agreed to.
        words = {_word(value) for value in answer}
        is_given = bool(words & _MEASURING_PURPOSES) or (bool(words) and words <= _CONSENT_WORDS)
        return "given" if is_given else "refused"
    word = _word(answer)
    if answer is None or not word:
        return None
    return "given" if word in _CONSENT_WORDS else "refused"


def says_yes(value: Any) -> bool:
    """Whether a signal is set: true, 1, "1", "yes", "on" …"""
    return value is not None and _word(value) in _TRUE_WORDS


def says_no(value: Any) -> bool:
    """Whether a signal is sent and not set: false, 0, "no", "off" …"""
    return value is not None and _word(value) in _FALSE_WORDS


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().lower()
