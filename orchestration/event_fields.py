"""What the keys of an event's `metadata` mean: typed, reduced columns.

Why it exists: nothing is parsed twice; every key of METRICS.md that has a meaning gets its column here,
and what no rule knows goes, masked, into `properties`. Pure.
Not here: the event's own identity and validity (`admission.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from orchestration.privacy import Keyring, mask_text, normal_domain, reduce_ip, reduce_url
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
_COORDINATES: Final = frozenset({"lat", "lon", "lng", "latitude", "longitude"})


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
    metadata: Mapping[str, Any], event_type: str, capsule_id: str, keyring: Keyring
) -> Meaning:
    """Reads `metadata` of one event.

    Raises `FieldProblem` for a custom event without a name and for ids over 256 characters. Any other
    value that cannot be read becomes null.
    """
    reader = _Reader(metadata)
    user_agent = reader.text("userAgent", masked=False, limit=1000)
    address = reader.text("ip", masked=False, limit=100)
    message_id = reader.identifier("messageId")
    reply_to_id = reader.identifier("replyToId")
    play_id = reader.identifier("playId")
    order_id = reader.identifier("orderId")
    columns: dict[str, Any] = {
        "action": reader.word("action"),
        "role": reader.word("role"),
        "topic": reader.text("topic"),
        "message_key": keyring.key("message", capsule_id, message_id) if message_id else None,
        "reply_to_key": keyring.key("message", capsule_id, reply_to_id) if reply_to_id else None,
        "search_query": reader.word("query"),
        "result_count": reader.count("resultCount"),
        "content_id": reader.identifier("contentId", is_public=True),
        "content_type": reader.word("contentType"),
        "content_title": reader.text("contentTitle"),
        "relevance_score": reader.number("relevanceScore", 0, 1),
        "play_id": keyring.key("play", capsule_id, play_id) if play_id else None,
        "position_seconds": reader.number("positionSeconds", 0, 1e7),
        "from_seconds": reader.number("fromSeconds", 0, 1e7),
        "to_seconds": reader.number("toSeconds", 0, 1e7),
        "duration_seconds": reader.number("durationSeconds", 0, 1e7),
        "percent": reader.number("percent", 0, 100),
        "cta_id": reader.identifier("ctaId", is_public=True),
        "cta_type": reader.word("ctaType"),
        "cta_label": reader.text("ctaLabel"),
        "conversion_type": reader.word("conversionType"),
        "amount": _amount(reader.value("value")) if event_type == "conversion" else None,
        "currency": _currency(reader.value("currency")),
        "order_key": keyring.key("order", capsule_id, order_id) if order_id else None,
        **_traffic_columns(reader),
        **_agent_columns(reader, user_agent),
        **_place_columns(reader),
    }
    if event_type == "custom":
        columns["event_name"] = reader.text("name")
        if columns["event_name"] is None:
            raise FieldProblem("custom_without_name", "metadata.name")
    columns["properties"] = _properties(metadata, event_type)
    return Meaning(
        columns,
        visitor_id=reader.identifier("visitorId"),
        reduced_ip=reduce_ip(address) if address else None,
        user_agent=user_agent,
    )


class _Reader:
    """Reads one key in its camelCase or snake_case spelling."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self._metadata = metadata

    def value(self, name: str) -> Any:
        value = self._metadata.get(name)
        if value is None:
            value = self._metadata.get(_snake(name))
        return value

    def text(self, name: str, *, masked: bool = True, limit: int = MAX_TEXT_CHARACTERS) -> str | None:
        value = self.value(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            return None
        text = value.replace("\0", "").strip()[:limit]
        return (mask_text(text) if masked else text) or None

    def word(self, name: str) -> str | None:
        text = self.text(name, limit=MAX_ID_CHARACTERS)
        return text.lower() if text else None

    def identifier(self, name: str, *, is_public: bool = False) -> str | None:
        """`is_public`: kept as sent (a content item, a CTA), so an e-mail address in it is masked."""
        text = self.text(name, masked=False, limit=MAX_ID_CHARACTERS + 1)
        if text is None:
            return None
        if len(text) > MAX_ID_CHARACTERS:
            raise FieldProblem("id_too_long", f"metadata.{name}")
        return mask_text(text) if is_public and "@" in text else text

    def number(self, name: str, low: float, high: float) -> float | None:
        value = self.value(name)
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            return None
        return float(value)

    def count(self, name: str) -> int | None:
        value = self.number(name, 0, 1e15)
        return int(value) if value is not None and value.is_integer() else None


_snake_names: dict[str, str] = {}


def _snake(name: str) -> str:
    known = _snake_names.get(name)
    if known is None:
        known = _snake_names[name] = _SNAKE.sub(lambda found: f"_{found.group(1).lower()}", name)
    return known


def _traffic_columns(reader: _Reader) -> dict[str, Any]:
    page_url = reader.text("url", masked=False, limit=4000)
    page = reduce_url(page_url) if page_url else None
    referrer = reader.value("referrer")
    source = reader.text("source", masked=False, limit=2000)
    source_url = reduce_url(source) if source else None
    utm = dict(page.utm) if page else {}
    if source_url is not None:
        utm = {**source_url.utm, **utm}
    columns: dict[str, Any] = {
        "source": _source_label(source, source_url.domain if source_url else None),
        "referrer_domain": _referrer_domain(referrer),
        "url_domain": page.domain if page else None,
        "url_path": page.path if page else None,
        "click_id": (page.click_id if page else None) or (source_url.click_id if source_url else None),
    }
    for name in ("utmSource", "utmMedium", "utmCampaign", "utmContent", "utmTerm"):
        column = _snake(name)
        label = reader.text(name) or utm.get(column)
        columns[column] = label.lower() if label else None
    return columns


def _source_label(source: str | None, domain: str | None) -> str | None:
    if source is None:
        return None
    return domain or mask_text(source.lower())[:MAX_TEXT_CHARACTERS]


def _referrer_domain(referrer: Any) -> str | None:
    """The referrer's domain; '' when the capsule says there was none; null when it does not say."""
    if not isinstance(referrer, str):
        return None
    text = referrer.replace("\0", "").strip()[:4000]
    if not text or text.lower() in ("about:blank", "(none)", "none", "(direct)"):
        return ""
    return reduce_url(text).domain or (normal_domain(text)[:MAX_ID_CHARACTERS] if "/" not in text else None)


def _agent_columns(reader: _Reader, user_agent: str | None) -> dict[str, Any]:
    agent = parse_user_agent(user_agent) if user_agent else None
    device = reader.word("device")
    return {
        "device_label": device or (agent.device if agent else None),
        "browser": reader.text("browser") or (agent.browser if agent else None),
        "os": reader.text("os") or (agent.os if agent else None),
        "is_bot_agent": device == "bot" or (agent is not None and agent.is_bot),
    }


def _place_columns(reader: _Reader) -> dict[str, Any]:
    location = reader.value("location")
    inside = _Reader(location) if isinstance(location, Mapping) else None
    country = reader.text("country") or (inside.text("country") if inside else reader.text("location"))
    return {
        "country_label": country,
        "region": reader.text("region") or (inside.text("region") if inside else None),
        "city": reader.text("city") or (inside.text("city") if inside else None),
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


def _properties(metadata: Mapping[str, Any], event_type: str) -> str | None:
    """The scalars no rule knows, masked, as JSON text with sorted keys."""
    kept: dict[str, Any] = {}
    for name, value in metadata.items():
        if name in KNOWN_KEYS or _is_known_snake(name) or isinstance(value, (dict, list)) or value is None:
            continue
        plain = name.lower().replace("_", "").replace("-", "")
        if plain in PERSONAL_KEYS or (event_type != "custom" and plain in MESSAGE_TEXT_KEYS):
            continue
        if plain in _COORDINATES:
            value = round(value, 1) if isinstance(value, (int, float)) else None
        if isinstance(value, str):
            value = mask_text(_without_query(value.replace("\0", ""))[:MAX_TEXT_CHARACTERS])
        if value is not None and len(kept) < MAX_PROPERTIES:
            kept[mask_text(name.replace("\0", "")[:MAX_ID_CHARACTERS])] = value
    if not kept:
        return None
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode("utf-8")


def _without_query(text: str) -> str:
    """A URL or path loses its query string and fragment; any other text stays."""
    is_address = text.startswith("/") or "://" in text
    return re.split(r"[?#]", text, maxsplit=1)[0] if is_address else text


_KNOWN_SNAKE: Final = frozenset(_snake(name) for name in KNOWN_KEYS)


def _is_known_snake(name: str) -> bool:
    return name in _KNOWN_SNAKE
