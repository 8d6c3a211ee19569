"""Personal data inside a text is recognised by its form and masked.

Why it exists: every text that is kept passes here once, whatever key, file name or message it comes from.
Pure. What has no form of its own (a person's name, a street) cannot be recognised: such keys are dropped by
their name (`event_properties.py`). Not here: keys, salts and consent (`privacy.py`).
"""

import ipaddress
import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_plus

MASK: Final = "[masked]"
# An id of fewer characters is in every text: it is masked only where it is the whole value.
SHORTEST_ID_IN_TEXT: Final = 4
# Words with a meaning of their own, also when somebody's id is spelled the same.
KNOWN_WORDS: Final = frozenset(
    (
        "user assistant system tool message cta_impression cta_click search heartbeat feedback open download "
        "play progress pause seek complete cite desktop mobile tablet bot other unknown"
    ).split()
)

# Nothing below finds anything in a text without one of these signs; most texts have none. Repetitions below
# are bounded: a long text may be written to be slow.
_MAY_NEED_MASK: Final = re.compile(
    r"[@\uff20\ufe6b%\d?#=\\]|::|://|(?<![^\W_])at(?![^\W_])|&commat|eyJ|bearer\s|basic\s", re.IGNORECASE
)
_COORDINATES: Final = re.compile(
    r"-?\b\d{1,3}\.\d{2,}(?:\s{0,3}[,;/|]\s{0,3}|\s|%2c)-?\d{1,3}\.\d{2,}\b"
    # With a sign of what it is: a word, a point of the compass, degrees.
    r"|\b(?:lat|lon|lng)[a-z]{0,6}[\"'\s]{0,3}[:= ]\s{0,3}[+-]?\d{1,3}[.,]\d{2,}"
    r"|\b\d{1,3}[.,]\d{3,}\s?[\u00b0\u00ba]?\s?[NSEW]\b|\b[NSEW]\s?\d{1,3}[.,]\d{3,}\b"
    r"|\d{1,3}[.,]\d{2,}\s?[\u00b0\u00ba]",
    re.IGNORECASE,
)
# Four decimals say ten metres; nothing else that is written in a text needs them.
_FINE_NUMBER: Final = re.compile(r"(?<![\w.,])[+-]?\d{1,3}[.,]\d{4,}(?![\d.])")
_DECIMALS: Final = re.compile(r"(\d[.,]\d)\d+")
# Degrees and minutes, seconds; the plus codes of maps.
_PLACE: Final = re.compile(
    r"\d{1,3}\s?[\u00b0\u00ba]\s?\d{1,2}(?:\.\d+)?\s?['\u2032\u2019][^NSEW\n]{0,12}[NSEW]?"
    r"|\b\d{1,3}\s\d{1,2}\s\d{1,2}(?:\.\d+)?\s?[NSEW]\b"
    r"|\b[2-9CFGHJMPQRVWX]{4,8}\+[2-9CFGHJMPQRVWX]{2,3}\b",
    re.IGNORECASE,
)
_AT: Final = (
    r"(?:\s?[@\uff20\ufe6b]\s?|%(?:25)*40|=40|%EF%BC%A0|&#64;|&#x40;|&commat;|\\u0040"
    r"|\s?[(\[{]\s?at\s?[)\]}]\s?)"
)
_EMAIL: Final = re.compile(
    rf"(?:\"[^\"\n]{{1,64}}\"|[^\s@<>\"'(),;:]{{1,128}}?){_AT}[^\s@<>\"'(),;:/?&#]+"
    # In words. "see us at example.com" is none: before a bare "at" stands no plain word.
    r"|[\w.+-]{1,64}?[\s_-]at[\s_-][\w-]{1,64}?[\s_-]dot[\s_-]\w+"
    r"|(?<![\w.])[\w+-]{1,64}[.\d][\w.+-]{0,64}?[\s_]at[\s_][\w-]{1,64}\.\w[\w.]*",
    re.IGNORECASE,
)
_URL_LOGIN: Final = re.compile(r"(?<=://)[^\s/@]+@")
# A URL or a path ends where its query or fragment begins; elsewhere `?name=` shows that it is one.
_URL_QUERY: Final = re.compile(
    r"((?:\b\w[\w+.-]{0,20}:[/\\]{2}|(?<!\S)//?|\bwww\.|(?<![\w.-])[\w-]+(?:\.[\w-]+)+[/\\])[^\s?#;]*)[?#;]\S*|[?&#][^\s?=&#]+=\S*",
    re.IGNORECASE,
)
_IPV4: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)|\b0x[0-9a-f]{8}\b", re.IGNORECASE)
_IPV6: Final = re.compile(r"(?<![0-9a-f:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f.]*(?:%\w+)?", re.IGNORECASE)
# Seven digits or more with the separators people put into phone numbers.
_PHONE: Final = re.compile(r"\+?\(?\d(?:[\s().\-/]{0,2}\d){6,}")
_SENT_PHONE: Final = re.compile(r"(?<![\w+])(?:\+|00)\d(?:[\s().\-/]{0,2}\d){7,}")
_CARD: Final = re.compile(r"(?<!\d)\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?!\d)")
# Letters and digits of ASCII only: what else folds to them has no place in the sum.
_IBAN: Final = re.compile(
    r"\b[A-Za-z]{2}[0-9]{2}(?:\s?[A-Za-z0-9]{4}){2,7}(?:\s?[A-Za-z0-9]{1,3})?\b",
)
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_DIGITS: Final = re.compile(r"\d{6,}")
# What opens a door: a JSON web token, a key of a well-known kind, an HTTP login, `token=…`, `sessionid=…`.
_TOKEN: Final = re.compile(
    r"\beyJ[\w-]+(?:\.[\w-]+)+|\b(?:bearer|basic)\s+[\w.~+/=-]{6,}|\b(?:sk|pk|rk)_(?:live|test)_\w+"
    r"|\bgh[opsu]_\w{20,}|\bxox[abprs]-[\w-]+|\bAKIA[0-9A-Z]{12,}"
    r"|\b[\w-]{0,40}(?:token|secret|passw(?:or)?d|api_?key|session_?id|user_?id|visitor_?id|sessid|signature|auth)"
    r"\s?=\s?[^\s/&]+",
    re.IGNORECASE,
)
_AGENT: Final = re.compile(
    r"(?:Mozilla(?:/|%2f)\d|AppleWebKit(?:/|%2f)|\b\w{1,60}/\d+(?:\.\d+)+ \("
    r"|\b(?:okhttp|dalvik|opera|cfnetwork|curl|wget|python-requests|go-http-client|axios|postmanruntime)/\d).*",
    re.IGNORECASE | re.DOTALL,
)


def mask_text(text: str) -> str:
    """Free text without e-mail and IP addresses, phone numbers, runs of 6 digits, tokens, user agents and
    the query strings of URLs; pairs of coordinates keep one decimal."""
    if not _MAY_NEED_MASK.search(text):
        return text
    masked = _FINE_NUMBER.sub(_one_decimal, _masked_forms(text))
    masked = _PHONE.sub(_mask_phone, masked)
    return _DIGITS.sub(MASK, masked)


def mask_id(text: str) -> str:
    """As `mask_text`, for the id of a thing (a capsule, a content item): its digits stay."""
    return _SENT_PHONE.sub(MASK, _masked_forms(text)) if _MAY_NEED_MASK.search(text) else text


def _masked_forms(text: str) -> str:
    masked = _AGENT.sub(MASK, text)
    masked = _PLACE.sub(MASK, _COORDINATES.sub(_one_decimal, masked))
    masked = _CARD.sub(MASK, _IBAN.sub(_mask_iban, masked))
    masked = _URL_QUERY.sub(r"\1", _URL_LOGIN.sub("", masked))
    masked = _EMAIL.sub(MASK, _TOKEN.sub(MASK, masked))
    return _IPV4.sub(MASK, _IPV6.sub(_mask_address, masked))


def _one_decimal(found: re.Match[str]) -> str:
    return _DECIMALS.sub(r"\1", found.group())


def _mask_iban(found: re.Match[str]) -> str:
    """ISO 13616: the rest of the division by 97 is 1; any other id of that form stays."""
    plain = re.sub(r"\s", "", found.group()).upper()
    digits = "".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])
    return MASK if int(digits) % 97 == 1 else found.group()


def _mask_address(found: re.Match[str]) -> str:
    # 10:30:45 has the shape of an IPv6 address and is none.
    try:
        ipaddress.IPv6Address(found.group().split("%", 1)[0])
    except ValueError:
        return found.group()
    return MASK


def _mask_phone(found: re.Match[str]) -> str:
    return found.group() if _ISO_DATE.fullmatch(found.group()) else MASK


def is_agent_text(text: str) -> bool:
    """Whether a text is, or holds, a user agent."""
    return ("/" in text or "%2" in text) and _AGENT.search(text) is not None


def mask_own_ids(text: str, ids: Collection[str]) -> str:
    """A text without the ids of its own event, in any letter case and also percent-encoded."""
    if text in KNOWN_WORDS:
        return text
    for own in ids:
        wanted = own.lower()
        if wanted in MASK:
            continue
        if len(wanted) < SHORTEST_ID_IN_TEXT:
            text = MASK if text.lower() == wanted else text
        elif wanted in text.lower():
            text = re.sub(re.escape(wanted), MASK, text, flags=re.IGNORECASE)
        # Letters whose small form has another length, and encoded spellings.
        if len(wanted) >= SHORTEST_ID_IN_TEXT and (
            wanted in text.lower() or ("%" in text and wanted in unquote_plus(text).lower())
        ):
            return MASK
    return text
