"""The keys of `metadata` that no rule knows: masked scalars, kept as one JSON text.

Why it exists: custom events and unknown keys are kept, never an error, unless they hold personal data; what
what is personal is recognised here, by the name of the key and by the value. Not here: keys with a meaning
(`event_fields.py`).
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson

from orchestration.privacy import mask_text, plain_name

MAX_PROPERTIES: Final = 200
MAX_TEXT_CHARACTERS: Final = 500
MAX_NAME_CHARACTERS: Final = 256
# The text of a message is never stored, under whatever key it is sent.
MESSAGE_TEXT_KEYS: Final = frozenset(
    ("text message content body prompt answer response completion reply transcript html markdown").split()
)
# Personal by name: dropped, because masking cannot recognise a name or a street.
PERSONAL_KEYS: Final = frozenset(
    (
        "name firstname lastname fullname username displayname email mail emailaddress phone "
        "phonenumber mobilenumber telephone address street streetaddress postcode postalcode "
        "zipcode birthdate birthday dateofbirth ipaddress clientip remoteip useragent userid "
        "visitorid sessionid eventid password token cookie ssn passport iban creditcard cardnumber"
    ).split()
)
# Names that mean a person or an agent by how they end: customer_id, http_user_agent, client-ip.
_PERSONAL_ENDINGS: Final = re.compile(
    r"(email|phone|(user|visitor|customer|client|member|account|person|session|device|login)(id|uid|key|name)?"
    r"|uid|uuid|guid|useragent|ua|ip|ipaddr|login|birthdate|iban)$"
)
_COORDINATES: Final = re.compile(r"(lat|lon|lng|latitude|longitude)$")
_AGENT_TEXT: Final = re.compile(r"Mozilla/\d|AppleWebKit/|\w+/\d+(\.\d+)+ \(")
_QUERY: Final = re.compile(r"\?[^\s?=&]+=\S*|(?<=\w)#\S*$")


def properties(unknown: Mapping[str, Any], event_type: str, secrets: Collection[str]) -> str | None:
    """The scalars no rule knows, masked, as JSON text with sorted keys."""
    kept: dict[str, Any] = {}
    for name, value in unknown.items():
        if isinstance(value, (dict, list)):
            continue
        plain = plain_name(name)
        if plain in PERSONAL_KEYS or (event_type != "custom" and plain in MESSAGE_TEXT_KEYS):
            continue
        if _PERSONAL_ENDINGS.search(plain) or _repeats(value, secrets):
            continue
        if _COORDINATES.search(plain):
            value = round(value, 1) if isinstance(value, (int, float)) else None
        if isinstance(value, str):
            value = mask_text(_without_query(value.replace("\0", ""))[:MAX_TEXT_CHARACTERS])
        if value is not None and len(kept) < MAX_PROPERTIES:
            kept[mask_text(name.replace("\0", "")[:MAX_NAME_CHARACTERS])] = value
    if not kept:
        return None
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode("utf-8")


def _repeats(value: Any, secrets: Collection[str]) -> bool:
    """Whether a value holds an id of its own event, or a user agent."""
    text = str(value)
    # Ids of a letter or two are in every text; the value itself is still compared.
    if any(text == secret or (len(secret) > 3 and secret in text) for secret in secrets):
        return True
    return _AGENT_TEXT.search(text) is not None


def _without_query(text: str) -> str:
    """A URL or path, with or without a scheme, loses its query string and fragment; other text stays."""
    is_address = text.startswith("/") or "://" in text
    return re.split(r"[?#]", text, maxsplit=1)[0] if is_address else _QUERY.sub("", text)
