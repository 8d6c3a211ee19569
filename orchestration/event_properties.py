"""The keys of `metadata` that no rule knows: masked scalars, kept as one JSON text.

Why it exists: custom events and unknown keys are kept, never an error, unless they hold personal data; what
is personal is recognised here, by the name of the key and by the value. Not here: keys with a meaning
(`event_fields.py`).
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson

from orchestration.masking import MASK, SHORTEST_ID_IN_TEXT, is_agent_text, mask_text
from orchestration.privacy import plain_name

MAX_PROPERTIES: Final = 200
MAX_TEXT_CHARACTERS: Final = 500
MAX_NAME_CHARACTERS: Final = 256
# The text of a message is never stored, under whatever key it is sent.
MESSAGE_TEXT_KEYS: Final = frozenset(
    ("text message content body prompt answer response completion reply transcript html markdown").split()
)
# Also as the last word of a name, when it holds a text: userMessage, raw_text, chat_history.
_MESSAGE_WORDS: Final = MESSAGE_TEXT_KEYS | {"question", "utterance", "history", "input", "output"}
# Personal by name: dropped, because masking cannot recognise a name or a street.
PERSONAL_KEYS: Final = frozenset(
    (
        "name firstname lastname fullname username displayname email mail emailaddress phone "
        "phonenumber mobilenumber telephone address street streetaddress postcode postalcode "
        "zipcode birthdate birthday dateofbirth ipaddress clientip remoteip useragent userid "
        "visitorid sessionid eventid token cookie cookies ssn passport iban session sid sig jwt "
        "bearer pin otp geohash pluscode what3words"
    ).split()
)
# Names that mean a person or an agent by how they end: customer_id, http_user_agent, client-ip.
_PERSONAL_NAMES: Final = re.compile(
    r"(email|phone|(user|visitor|customer|client|member|account|person|session|device|login)(id|uid|key|name)?"
    r"|(sur|nick|maiden|(first|last|full|display|user|middle|given|family|legal|contact))name"
    r"|advertisingid|adid|idfa|idfv|gaid|imei|imsi|macaddr(ess)?|fingerprint|licen[cs]eplate|numberplate"
    r"|forwardedfor|remoteaddr(ess)?|remotehost|(email|phone)(hash|md5|sha1|sha256)|hashed(email|phone)"
    r"|uid|uuid|guid|useragent|ua|ip|ipaddr|login|birthdate|iban"
    # What opens a door. `prompt_tokens` is a count, `access_token` is none.
    r"|token|cookie|auth|signature|csrf|xsrf|(access|private|signing|auth|secret)key)$"
    r"|secret|passw(or)?d|passphrase|apikey|authori[sz]ation|credential|creditcard|cardnumber|sess(ion)?id"
)
_COORDINATES: Final = re.compile(r"(lat|lon|lng|latitude|longitude)$")
_COORDINATE_WORDS: Final = frozenset("lat lon lng latitude longitude gps coord coords coordinate geo".split())
# Under these names a number may be a coordinate or anything else: only one of four decimals is cut.
_PLACE_WORDS: Final = frozenset("place location loc home venue spot whereabouts".split())
_FINE: Final = 4
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
# Under these names a number of seven digits or more is a person's; elsewhere it is an amount or a count.
_NUMBERED: Final = re.compile(
    r"phone|mobile|whatsapp|msisdn|(^|home|work|cell)(tel|cell|fax|sms)|card|account|iban|ssn|passport|taxid"
    r"|nationalid|^(cc|pan|contact|caller|recipient)"
)
_PERSONS_NUMBER: Final = 1_000_000


def properties(unknown: Mapping[str, Any], event_type: str, secrets: Collection[str]) -> str | None:
    """The scalars no rule knows, masked, as JSON text with sorted keys."""
    kept: dict[str, Any] = {}
    for name, value in unknown.items():
        if isinstance(value, (dict, list)):
            continue
        plain = plain_name(name)
        if plain in PERSONAL_KEYS or (event_type != "custom" and plain in MESSAGE_TEXT_KEYS):
            continue
        if event_type != "custom" and isinstance(value, str) and _is_message_text(name):
            continue
        if _PERSONAL_NAMES.search(plain) or _repeats(f"{name}\0{value}", name, str(value), secrets):
            continue
        if _is_coordinate(name, plain):
            value = _coarse(value)
        elif isinstance(value, float) and _is_fine_place(name, value):
            value = round(value, 1)
        elif isinstance(value, (int, float)):
            value = MASK if _is_persons_number(value, plain) else value
        if isinstance(value, str):
            value = mask_text(value.replace("\0", "")[:MAX_TEXT_CHARACTERS])
        if value is not None and len(kept) < MAX_PROPERTIES:
            kept[mask_text(name.replace("\0", "")[:MAX_NAME_CHARACTERS])] = value
    if not kept:
        return None
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode("utf-8")


def _is_message_text(name: str) -> bool:
    words = _WORDS.findall(name)
    return bool(words) and words[-1].lower() in _MESSAGE_WORDS


def _repeats(both: str, name: str, value: str, secrets: Collection[str]) -> bool:
    """Whether a name or value holds an id of its own event, or a user agent."""
    both = both.lower()
    for secret in secrets:
        own = secret.lower()
        # The shortest ids are in every text; the value itself is still compared.
        if own in both and (len(own) >= SHORTEST_ID_IN_TEXT or own in (name.lower(), value.lower())):
            return True
    return is_agent_text(value)


def _is_coordinate(name: str, plain: str) -> bool:
    if _COORDINATES.search(plain):
        return True
    return any(word.lower() in _COORDINATE_WORDS for word in _WORDS.findall(name))


def _is_fine_place(name: str, value: float) -> bool:
    """Whether a number under the name of a place tells it to some metres: ten metres are four decimals."""
    is_place = any(word.lower() in _PLACE_WORDS for word in _WORDS.findall(name))
    return is_place and abs(value) <= 180 and round(value, _FINE - 1) != value


def _coarse(value: Any) -> float | None:
    """A coordinate in degrees to one decimal; null for any other way to write one."""
    is_degrees = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 180
    return round(value, 1) if is_degrees else None


def _is_persons_number(value: float, plain: str) -> bool:
    if isinstance(value, bool) or abs(value) < _PERSONS_NUMBER:
        return False
    return _NUMBERED.search(plain) is not None or _is_card_number(str(value))


def _is_card_number(digits: str) -> bool:
    """15 or 16 digits of a card scheme with a right check digit (Luhn); times begin with 1."""
    if len(digits) not in (15, 16) or not digits.isdigit() or digits[0] not in "3456":
        return False
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0
