"""What the keys of an event's `metadata` mean: typed, reduced columns.

Why it exists: nothing is parsed twice; every key of METRICS.md that has a meaning gets its column here,
and what no rule knows goes, masked, into `properties`. Pure.
Not here: the event's own identity and validity (`admission.py`).
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from orchestration.privacy import Keyring, mask_text, normal_domain, plain_name, reduce_ip, reduce_url
from orchestration.user_agents import parse_user_agent

MAX_ID_CHARACTERS: Final = 256
MAX_TEXT_CHARACTERS: Final = 500
MAX_PROPERTIES: Final = 200
_AMOUNT_LIMIT: Final = Decimal(10) ** 12
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")
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
_SPELLINGS: Final[Mapping[str, str]] = {
    spelling: name
    for name in KNOWN_KEYS
    for spelling in (name, _SNAKE.sub(lambda found: f"_{found.group(1).lower()}", name))
}
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
    `own_ids`: the event's own ids, which no property may repeat.
    """
    sent, unknown = _known_and_unknown(metadata)
    columns: dict[str, Any] = {}
    for name, value in sent.items():
        field = _FIELDS.get(name)
        if field is not None:
            if (found := field.read(value, name)) is not None:
                columns[field.column] = found
        elif name in _HASHED_IDS and (identifier := _identifier(value, name)):
            column, kind = _HASHED_IDS[name]
            columns[column] = keyring.key(kind, capsule_id, identifier)
    if event_type == "conversion":
        columns["amount"] = _amount(sent.get("value"))
        columns["currency"] = _currency(sent.get("currency"))
    elif event_type == "custom":
        columns["event_name"] = _text(metadata.get("name"))
        if columns["event_name"] is None:
            raise FieldProblem("custom_without_name", "metadata.name")
        unknown |= {name: value for name, value in sent.items() if name in _PROPERTIES_OF_CUSTOM}
    user_agent = _text(sent.get("userAgent"), masked=False, limit=1000)
    address = _text(sent.get("ip"), masked=False, limit=100)
    columns |= _traffic_columns(sent)
    columns |= _agent_columns(sent, user_agent)
    if "location" in sent:
        columns = _place_columns(sent["location"]) | columns
    visitor_id = _identifier(sent.get("visitorId"), "visitorId")
    if unknown:
        secrets = [secret for secret in (*own_ids, visitor_id, address, user_agent) if secret]
        columns["properties"] = _properties(unknown, event_type, secrets)
    return Meaning(
        columns,
        visitor_id=visitor_id,
        reduced_ip=reduce_ip(address) if address else None,
        user_agent=user_agent,
    )


def _known_and_unknown(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys with a meaning under their camelCase name, which wins over snake_case, and all others."""
    sent: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for name, value in metadata.items():
        known = _SPELLINGS.get(name)
        if value is None:
            continue
        if known is None:
            unknown[name] = value
        elif name == known or known not in sent:
            sent[known] = value
    return sent, unknown


def _text(value: Any, name: str = "", *, masked: bool = True, limit: int = MAX_TEXT_CHARACTERS) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    text = value.replace("\0", "").strip()[:limit]
    return (mask_text(text) if masked else text) or None


def _word(value: Any, name: str = "") -> str | None:
    text = _text(value, limit=MAX_ID_CHARACTERS)
    return text.lower() if text else None


def _identifier(value: Any, name: str) -> str | None:
    text = _text(value, masked=False, limit=MAX_ID_CHARACTERS + 1)
    if text is not None and len(text) > MAX_ID_CHARACTERS:
        raise FieldProblem("id_too_long", f"metadata.{name}")
    return text


def _public_id(value: Any, name: str) -> str | None:
    """Of a content item or a CTA: kept as sent, so an e-mail address in it is masked."""
    text = _identifier(value, name)
    return mask_text(text) if text and "@" in text else text


def _number(low: float, high: float) -> Callable[[Any, str], float | None]:
    def read(value: Any, name: str) -> float | None:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            return None
        return float(value)

    return read


def _count(value: Any, name: str) -> int | None:
    number = _number(0, 1e15)(value, name)
    return int(number) if number is not None and number.is_integer() else None


@dataclass(frozen=True, slots=True)
class _Field:
    column: str
    read: Callable[[Any, str], Any]


_SECONDS: Final = _number(0, 1e7)
# Keys whose value becomes a column by itself.
_FIELDS: Final[Mapping[str, _Field]] = {
    "action": _Field("action", _word),
    "role": _Field("role", _word),
    "topic": _Field("topic", _text),
    "query": _Field("search_query", _word),
    "resultCount": _Field("result_count", _count),
    "contentId": _Field("content_id", _public_id),
    "contentType": _Field("content_type", _word),
    "contentTitle": _Field("content_title", _text),
    "relevanceScore": _Field("relevance_score", _number(0, 1)),
    "positionSeconds": _Field("position_seconds", _SECONDS),
    "fromSeconds": _Field("from_seconds", _SECONDS),
    "toSeconds": _Field("to_seconds", _SECONDS),
    "durationSeconds": _Field("duration_seconds", _SECONDS),
    "percent": _Field("percent", _number(0, 100)),
    "ctaId": _Field("cta_id", _public_id),
    "ctaType": _Field("cta_type", _word),
    "ctaLabel": _Field("cta_label", _text),
    "conversionType": _Field("conversion_type", _word),
    "country": _Field("country_label", _text),
    "region": _Field("region", _text),
    "city": _Field("city", _text),
}
# Ids that are kept as keyed hashes: column and kind of key.
_HASHED_IDS: Final[Mapping[str, tuple[str, str]]] = {
    "messageId": ("message_key", "message"),
    "replyToId": ("reply_to_key", "message"),
    "playId": ("play_id", "play"),
    "orderId": ("order_key", "order"),
}
# What a custom event may be measured by is also one of its properties.
_PROPERTIES_OF_CUSTOM: Final = frozenset(_FIELDS) - {"country", "region", "city"} | {"value", "currency"}
_UTM_KEYS: Final = {
    "utmSource": "utm_source",
    "utmMedium": "utm_medium",
    "utmCampaign": "utm_campaign",
    "utmContent": "utm_content",
    "utmTerm": "utm_term",
}


def _traffic_columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    utm: dict[str, str] = {}
    if (source := _text(sent.get("source"), masked=False, limit=2000)) is not None:
        source_url = reduce_url(source)
        utm |= source_url.utm
        columns["source"] = _source_label(source, source_url.domain)
        columns["click_id"] = source_url.click_id
    if (page_url := _text(sent.get("url"), masked=False, limit=4000)) is not None:
        page = reduce_url(page_url)
        utm |= page.utm
        columns["url_domain"] = page.domain
        columns["url_path"] = page.path
        columns["click_id"] = page.click_id or columns.get("click_id")
    if "referrer" in sent:
        columns["referrer_domain"] = _referrer_domain(sent["referrer"])
    for name, column in _UTM_KEYS.items():
        label = (_text(sent[name]) if name in sent else None) or utm.get(column)
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
    return reduce_url(text).domain or (normal_domain(text)[:MAX_ID_CHARACTERS] if "/" not in text else None)


def _agent_columns(sent: Mapping[str, Any], user_agent: str | None) -> dict[str, Any]:
    """Ready labels win over what the user agent says."""
    agent = parse_user_agent(user_agent) if user_agent else None
    device = _word(sent.get("device"))
    columns: dict[str, Any] = {"is_bot_agent": device == "bot" or (agent is not None and agent.is_bot)}
    if device or agent:
        columns["device_label"] = device or (agent.device if agent else None)
        columns["browser"] = _text(sent.get("browser")) or (agent.browser if agent else None)
        columns["os"] = _text(sent.get("os")) or (agent.os if agent else None)
    else:
        columns["browser"] = _text(sent.get("browser"))
        columns["os"] = _text(sent.get("os"))
    return columns


def _place_columns(location: Any) -> dict[str, Any]:
    """A country in text, or an object with country, region and city."""
    if not isinstance(location, Mapping):
        return {"country_label": _text(location)}
    return {
        "country_label": _text(location.get("country")),
        "region": _text(location.get("region")),
        "city": _text(location.get("city")),
    }


def _amount(value: Any) -> Decimal | None:
    """Money with four decimals; null when it cannot be read ("1,234.50" could be two amounts)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value).strip())
        if not amount.is_finite() or abs(amount) >= _AMOUNT_LIMIT:
            return None
        return amount.quantize(Decimal("0.0001"))
    except InvalidOperation:
        return None


def _currency(value: Any) -> str | None:
    if isinstance(value, str) and _CURRENCY.fullmatch(value.strip()):
        return value.strip().upper()
    return None


def _properties(unknown: Mapping[str, Any], event_type: str, secrets: Collection[str]) -> str | None:
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
            kept[mask_text(name.replace("\0", "")[:MAX_ID_CHARACTERS])] = value
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
