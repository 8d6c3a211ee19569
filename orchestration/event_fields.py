"""What the keys of an event's `metadata` mean: typed, reduced columns.

Why it exists: nothing is parsed twice; every key of METRICS.md that has a meaning gets its column here,
and what no rule knows goes, masked, into `properties`. Pure.
Not here: the event's own identity and validity (`admission.py`).
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from orchestration.event_properties import MAX_TEXT_CHARACTERS, properties
from orchestration.masking import is_agent_text, mask_id, mask_own_ids, mask_text
from orchestration.privacy import Keyring, normal_domain, reduce_ip, reduce_url
from orchestration.user_agents import parse_user_agent

MAX_ID_CHARACTERS: Final = 256
_AMOUNT_LIMIT: Final = Decimal(10) ** 12
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")
# Python also reads 1_000, digits of other scripts and powers whose number would fill the memory.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_BARE_NAME: Final = re.compile(r"[\w. -]+(?::\d+)?")
_SNAKE: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")

# Every key with a meaning; anything else is a property.
KNOWN_KEYS: Final = frozenset(
    (
        "source referrer url utmSource utmMedium utmCampaign utmContent utmTerm device browser os "
        "userAgent location country region city ip visitorId consent optOut dnt gpc action role "
        "messageId topic replyToId query resultCount contentId contentType contentTitle "
        "relevanceScore playId positionSeconds fromSeconds toSeconds durationSeconds percent ctaId "
        "ctaType ctaLabel conversionType value currency orderId"
    ).split()
)
SPELLINGS: Final[Mapping[str, str]] = {
    spelling: name
    for name in KNOWN_KEYS
    for spelling in (name, _SNAKE.sub(lambda found: f"_{found.group(1).lower()}", name))
}


class FieldProblem(ValueError):
    """Why a line is rejected: a reason of `admission.RejectionReason` and the offending key."""

    def __init__(self, reason: Any, field: str) -> None:
        super().__init__(reason, field)
        self.reason = reason
        self.field = field


@dataclass(frozen=True, slots=True)
class Meaning:
    """The columns of a `metadata` object, and what only the identity of a visitor is made from."""

    columns: dict[str, Any]
    visitor_id: str | None
    reduced_ip: str | None
    user_agent: str | None


def metadata_columns(
    metadata: Mapping[str, Any],
    event_type: str,
    capsule_id: str,
    keyring: Keyring,
    own_ids: Collection[str] = (),
) -> Meaning:
    """Reads `metadata` of one event; a column that has no value is left out.

    Only the keys that were sent are looked at: an event has a handful of 42. Raises `FieldProblem` for a
    custom event without a name and for ids over 256 characters. Any other value that cannot be read is null.
    `own_ids`: the event's own ids, which no other text may repeat.
    """
    sent, unknown = known_and_unknown(metadata)
    columns: dict[str, Any] = {}
    for name, value in sent.items():
        field = FIELDS.get(name)
        if field is not None:
            if (found := field.read(value, name)) is not None:
                columns[field.column] = found
        elif name in HASHED_IDS and (identifier := identifier_of(value, name)):
            column, kind = HASHED_IDS[name]
            columns[column] = keyring.key(kind, capsule_id, identifier)
    if event_type == "conversion":
        columns["amount"] = amount_of(sent.get("value"))
        columns["currency"] = currency_of(sent.get("currency"))
    elif event_type == "custom":
        columns["event_name"] = text_of(metadata.get("name"))
        if columns["event_name"] is None:
            raise FieldProblem("custom_without_name", "metadata.name")
        unknown |= {name: value for name, value in sent.items() if name in PROPERTIES_OF_CUSTOM}
    user_agent = user_agent_of(sent.get("userAgent"))
    address = address_of(sent.get("ip"))
    columns |= traffic_columns(sent)
    columns |= agent_columns(sent)
    if "location" in sent:
        columns = place_columns(sent["location"]) | columns
    visitor_id = identifier_of(sent.get("visitorId"), "visitorId")
    _mask_texts(columns, [own for own in (*own_ids, visitor_id) if own])
    if unknown:
        secrets = [secret for secret in (*own_ids, visitor_id, address, user_agent) if secret]
        columns["properties"] = properties(unknown, event_type, secrets)
    return Meaning(
        columns,
        visitor_id=visitor_id,
        reduced_ip=reduce_ip(address) if address else None,
        user_agent=user_agent,
    )


def _mask_texts(columns: dict[str, Any], own_ids: Collection[str]) -> None:
    for column in TEXT_COLUMNS:
        text = columns.get(column)
        if text:
            columns[column] = mask_own_ids(text, own_ids)


def known_and_unknown(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys with a meaning under their camelCase name, which wins over snake_case, and all others."""
    sent: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for name, value in metadata.items():
        known = SPELLINGS.get(name)
        if value is None:
            continue
        if known is None:
            unknown[name] = value
        elif name == known or known not in sent:
            sent[known] = value
    return sent, unknown


def text_of(
    value: Any, name: str = "", *, masked: bool = True, limit: int = MAX_TEXT_CHARACTERS
) -> str | None:
    """A text or number as trimmed text, masked unless told otherwise; null for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    text = value.replace("\0", "").strip()[:limit]
    return (mask_text(text) if masked else text) or None


def _word(value: Any, name: str = "") -> str | None:
    text = text_of(value, limit=MAX_ID_CHARACTERS)
    return text.lower() if text else None


def identifier_of(value: Any, name: str) -> str | None:
    """An id as sent, trimmed. Raises `FieldProblem` over 256 characters."""
    text = text_of(value, masked=False, limit=MAX_ID_CHARACTERS + 1)
    if text is not None and len(text) > MAX_ID_CHARACTERS:
        raise FieldProblem("id_too_long", f"metadata.{name}")
    return text


def _public_id(value: Any, name: str) -> str | None:
    """Of a content item or a CTA: kept as sent but for what is personal or a secret in it."""
    text = identifier_of(value, name)
    return mask_id(text) or None if text else None


def _number(low: float, high: float) -> Callable[[Any, str], float | None]:
    def read(value: Any, name: str) -> float | None:
        if isinstance(value, str):
            if not _NUMBER.fullmatch(value.strip()):
                return None
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            return None
        return float(value)

    return read


def _count(value: Any, name: str) -> int | None:
    number = _number(0, 1e15)(value, name)
    return int(number) if number is not None and number.is_integer() else None


@dataclass(frozen=True, slots=True)
class Field:
    """The column of a key, and how its value is read (value, key) → value or null."""

    column: str
    read: Callable[[Any, str], Any]


_SECONDS: Final = _number(0, 1e7)
# Keys whose value becomes a column by itself.
FIELDS: Final[Mapping[str, Field]] = {
    "action": Field("action", _word),
    "role": Field("role", _word),
    "topic": Field("topic", text_of),
    "query": Field("search_query", _word),
    "resultCount": Field("result_count", _count),
    "contentId": Field("content_id", _public_id),
    "contentType": Field("content_type", _word),
    "contentTitle": Field("content_title", text_of),
    "relevanceScore": Field("relevance_score", _number(0, 1)),
    "positionSeconds": Field("position_seconds", _SECONDS),
    "fromSeconds": Field("from_seconds", _SECONDS),
    "toSeconds": Field("to_seconds", _SECONDS),
    "durationSeconds": Field("duration_seconds", _SECONDS),
    "percent": Field("percent", _number(0, 100)),
    "ctaId": Field("cta_id", _public_id),
    "ctaType": Field("cta_type", _word),
    "ctaLabel": Field("cta_label", text_of),
    "conversionType": Field("conversion_type", _word),
    "country": Field("country_label", text_of),
    "region": Field("region", text_of),
    "city": Field("city", text_of),
}
# Ids that are kept as keyed hashes: column and kind of key.
HASHED_IDS: Final[Mapping[str, tuple[str, str]]] = {
    "messageId": ("message_key", "message"),
    "replyToId": ("reply_to_key", "message"),
    "playId": ("play_id", "play"),
    "orderId": ("order_key", "order"),
}
# Kept texts that a person may have written: none of them repeats an id of its own event.
TEXT_COLUMNS: Final = (
    *(field.column for field in FIELDS.values() if field.read in (_word, text_of, _public_id)),
    "event_name", "source", "url_domain", "url_path", "referrer_domain", "device_label", "browser", "os",
    "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term",
)  # fmt: skip
# What a custom event may be measured by is also one of its properties.
PROPERTIES_OF_CUSTOM: Final = frozenset(FIELDS) - {"country", "region", "city"} | {"value", "currency"}
_UTM_KEYS: Final = {
    "utmSource": "utm_source",
    "utmMedium": "utm_medium",
    "utmCampaign": "utm_campaign",
    "utmContent": "utm_content",
    "utmTerm": "utm_term",
}
# Keys that make their columns together, and those columns.
TRAFFIC_KEYS: Final = ("source", "url", "referrer", *_UTM_KEYS)
TRAFFIC_COLUMNS: Final = (
    "source", "click_id", "url_domain", "url_path", "referrer_domain", *_UTM_KEYS.values(),
)  # fmt: skip
AGENT_KEYS: Final = ("device", "browser", "os", "userAgent")
AGENT_COLUMNS: Final = ("device_label", "browser", "os", "is_bot_agent")
PLACE_COLUMNS: Final = ("country_label", "region", "city")


def traffic_columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    """`TRAFFIC_COLUMNS` that have a value, of the keys `TRAFFIC_KEYS`."""
    columns: dict[str, Any] = {}
    utm: dict[str, str] = {}
    if (source := text_of(sent.get("source"), masked=False, limit=2000)) is not None:
        source_url = reduce_url(source)
        utm |= source_url.utm
        columns["source"] = _source_label(source, source_url.domain)
        columns["click_id"] = source_url.click_id
    if (page_url := text_of(sent.get("url"), masked=False, limit=4000)) is not None:
        page = reduce_url(page_url)
        utm |= page.utm
        columns["url_domain"] = page.domain
        columns["url_path"] = page.path
        columns["click_id"] = page.click_id or columns.get("click_id")
    if "referrer" in sent:
        columns["referrer_domain"] = _referrer_domain(sent["referrer"])
    for name, column in _UTM_KEYS.items():
        label = (text_of(sent[name]) if name in sent else None) or utm.get(column)
        if label:
            columns[column] = label.lower()
    return columns


def _source_label(source: str, domain: str | None) -> str:
    return domain or mask_text(source.lower())[:MAX_TEXT_CHARACTERS]


def _referrer_domain(referrer: Any) -> str | None:
    """The referrer's domain; '' when the capsule says there was none; null when it does not say."""
    if not isinstance(referrer, str):
        return None
    text = referrer.replace("\0", "").strip()[:4000]
    if not text or text.lower() in ("about:blank", "(none)", "none", "(direct)"):
        return ""
    domain = reduce_url(text).domain
    if domain or "/" in text or "\\" in text:
        return domain
    # A bare name, `android-app` or `google`: anything else may be a piece of a query string.
    name = re.split(r"[?#]", text, maxsplit=1)[0]
    return normal_domain(name)[:MAX_ID_CHARACTERS] if _BARE_NAME.fullmatch(name) else None


def user_agent_of(value: Any) -> str | None:
    """The user agent as sent: for parsing and the daily key, never kept."""
    return text_of(value, masked=False, limit=1000)


def address_of(value: Any) -> str | None:
    """The IP address as sent: for the daily key, never kept."""
    return text_of(value, masked=False, limit=100)


def agent_columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    """`AGENT_COLUMNS` that have a value: ready labels win over what the user agent says."""
    user_agent = user_agent_of(sent.get("userAgent"))
    agent = parse_user_agent(user_agent) if user_agent else None
    device = _label(sent.get("device"), 0)
    is_bot = agent is not None and agent.is_bot
    columns: dict[str, Any] = {"is_bot_agent": is_bot}
    if device or agent:
        columns["device_label"] = device.lower() if device else agent and agent.device
    columns["browser"] = _label(sent.get("browser"), 1) or (agent.browser if agent else None)
    columns["os"] = _label(sent.get("os"), 2) or (agent.os if agent else None)
    return columns


def _label(value: Any, part: int) -> str | None:
    """A ready label; where a user agent was sent in its place, that part of what it says."""
    if isinstance(value, str) and is_agent_text(value):
        said = parse_user_agent(value.strip()[:1000])[part]
        return str(said) if said else None
    return text_of(value, limit=MAX_ID_CHARACTERS if part == 0 else MAX_TEXT_CHARACTERS)


def place_columns(location: Any) -> dict[str, Any]:
    """`PLACE_COLUMNS` of a country in text, or of an object with country, region and city."""
    if not isinstance(location, Mapping):
        return {"country_label": text_of(location)}
    return {
        "country_label": text_of(location.get("country")),
        "region": text_of(location.get("region")),
        "city": text_of(location.get("city")),
    }


def amount_of(value: Any) -> Decimal | None:
    """Money with four decimals; null when it cannot be read ("1,234.50" could be two amounts)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        return None
    amount = Decimal(text)
    return amount.quantize(Decimal("0.0001")) if abs(amount) < _AMOUNT_LIMIT else None


def currency_of(value: Any) -> str | None:
    """An ISO 4217 code in capitals; null for anything else."""
    if isinstance(value, str) and _CURRENCY.fullmatch(value.strip()):
        return value.strip().upper()
    return None
