"""Who visits the sample capsules: countries, devices, sources and the persons themselves.

Why it exists: the truth needs to know channel, country and device of every session, so each value
here stands beside the spelling that is sent for it.
Not here: what a person does on a capsule (`journeys.py`).
"""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final, Generic, Literal, TypeVar

Metadata = dict[str, object]
Tier = Literal["user", "visitor", "session"]
Choice = TypeVar("Choice")

HOST: Final = "https://capsules.example"


class Mix(Generic[Choice]):
    """Weighted choice with one random number."""

    def __init__(self, choices: Sequence[Choice], weights: Sequence[float]) -> None:
        self._choices = list(choices)
        self._edges = list(accumulate(weights))

    def draw(self, rng: Random) -> Choice:
        return self._choices[bisect(self._edges, rng.random() * self._edges[-1])]


@dataclass(frozen=True, slots=True)
class Country:
    code: str
    name: str
    city: str
    region: str
    offset_minutes: int
    weight: float


COUNTRIES: Final = (
    Country("US", "United States", "Chicago", "america", -300, 26),
    Country("DE", "Germany", "Berlin", "europe", 60, 18),
    Country("GB", "United Kingdom", "Leeds", "europe", 0, 12),
    Country("IN", "India", "Pune", "asia", 330, 10),
    Country("FR", "France", "Lyon", "europe", 60, 8),
    Country("BR", "Brazil", "São Paulo", "america", -180, 6),
    Country("CA", "Canada", "Toronto", "america", -300, 5),
    Country("ES", "Spain", "Valencia", "europe", 60, 4),
    Country("NL", "Netherlands", "Utrecht", "europe", 60, 4),
    Country("JP", "Japan", "Osaka", "asia", 540, 3),
    Country("AU", "Australia", "Perth", "asia", 480, 2),
    Country("ZA", "South Africa", "Durban", "africa", 120, 2),
)


@dataclass(frozen=True, slots=True)
class Agent:
    """A device with its browser: the ready labels, and the user-agent string that says the same."""

    device: str
    browser: str
    os: str
    user_agent: str


_BLINK: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
_WEBKIT: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_WINDOWS: Final = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_BLINK} Safari/537.36"
_MAC: Final = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_PIXEL: Final = f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {_BLINK} Mobile Safari/537.36"
_IPHONE: Final = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)"
_IPAD: Final = "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X)"
_FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
_MOBILE_SAFARI: Final = "Mobile/15E148 Safari/604.1"
AGENTS: Final = (
    (Agent("desktop", "Chrome", "Windows", _WINDOWS), 26),
    (Agent("desktop", "Edge", "Windows", f"{_WINDOWS} Edg/126.0.0.0"), 7),
    (Agent("desktop", "Safari", "Mac OS X", f"{_MAC} {_WEBKIT} Version/17.5 Safari/605.1.15"), 10),
    (Agent("desktop", "Firefox", "Linux", _FIREFOX), 5),
    (Agent("mobile", "Chrome Mobile", "Android", _PIXEL), 23),
    (Agent("mobile", "Mobile Safari", "iOS", f"{_IPHONE} {_WEBKIT} Version/17.5 {_MOBILE_SAFARI}"), 21),
    (Agent("tablet", "Mobile Safari", "iOS", f"{_IPAD} {_WEBKIT} Version/16.6 {_MOBILE_SAFARI}"), 5),
)
AGENT_MIX: Final = Mix([agent for agent, _ in AGENTS], [weight for _, weight in AGENTS])

CRAWLERS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
)


@dataclass(frozen=True, slots=True)
class Source:
    """How a session was reached: its channel, what the event says, the query string of its URL."""

    channel: str
    metadata: tuple[tuple[str, str], ...] = ()
    url_query: str = ""


def _referred(channel: str, referrer: str, url_query: str = "") -> Source:
    return Source(channel, (("referrer", referrer),), url_query)


_SOURCES: Final[dict[str, tuple[float, tuple[Source, ...]]]] = {
    "direct": (24, (_referred("direct", ""), _referred("direct", ""),
                    Source("direct", (("source", "direct"),)))),
    "search": (26, (_referred("search", "https://www.google.com/"),
                    _referred("search", "https://www.google.com/"),
                    _referred("search", "https://www.bing.com/search?q=capsule"),
                    _referred("search", "https://duckduckgo.com/"),
                    Source("search", (("source", "google"),)))),
    "social": (10, (_referred("social", "https://www.linkedin.com/feed/"),
                    _referred("social", "https://t.co/9fQ2"),
                    _referred("social", "https://www.facebook.com/"),
                    _referred("social", "https://www.reddit.com/r/learnprogramming/"))),
    "referral": (8, (_referred("referral", "https://blog.tidewater-labs.example/ai-capsules"),
                     _referred("referral", "https://www.edu-weekly.example/picks/42"),
                     Source("referral", (("source", "https://docs.partner-academy.example/guide"),)))),
    "email": (9, (Source("email", (("utmSource", "newsletter"), ("utmMedium", "email"),
                                   ("utmCampaign", "weekly-digest"))),
                  Source("email", (), "utm_source=newsletter&utm_medium=email&utm_campaign=weekly-digest"),
                  Source("email", (("source", "newsletter"),)))),
    "paid_search": (5, (_referred("paid_search", "https://www.google.com/",
                                  "gclid=Cj0KCQjwsample&utm_source=google&utm_medium=cpc&utm_campaign=always-on"),
                        _referred("paid_search", "https://www.google.com/", "gclid=EAIaIQobsample"))),
    "paid_social": (2, (Source("paid_social", (("utmSource", "linkedin"), ("utmMedium", "paid_social"),
                                               ("utmCampaign", "autumn-launch"))),)),
    "paid_other": (1, (Source("paid_other", (("utmSource", "adnetwork"), ("utmMedium", "display"),
                                             ("utmCampaign", "autumn-launch"))),)),
    "ai_assistant": (6, (_referred("ai_assistant", "https://chatgpt.com/"),
                         _referred("ai_assistant", "https://chatgpt.com/", "utm_source=chatgpt.com"),
                         _referred("ai_assistant", "https://www.perplexity.ai/"))),
    "campaign_link": (3, (Source("campaign_link", (("utmSource", "partner-kit"),
                                                   ("utmCampaign", "autumn-launch"))),
                          Source("campaign_link", (), "utm_source=partner-kit&utm_campaign=autumn-launch"))),
    "internal": (3, (_referred("internal", f"{HOST}/gallery"),)),
    "unknown": (3, (Source("unknown"),)),
}  # fmt: skip
CHANNELS: Final = tuple(_SOURCES)
INTERNAL_SOURCE: Final = _SOURCES["internal"][1][0]
DIRECT_SOURCE: Final = _SOURCES["direct"][1][0]


def source_mix(tilt: dict[str, float]) -> Mix[Source]:
    """Sources by weight of their channel, multiplied by `tilt` where it names the channel."""
    sources: list[Source] = []
    weights: list[float] = []
    for channel, (weight, variants) in _SOURCES.items():
        for variant in variants:
            sources.append(variant)
            weights.append(weight * tilt.get(channel, 1.0) / len(variants))
    return Mix(sources, weights)


def country_mix(region: str) -> Mix[Country]:
    """Countries by weight, those of the capsule's home region three times as likely."""
    weights = [c.weight * (3.0 if c.region == region else 1.0) for c in COUNTRIES]
    return Mix(COUNTRIES, weights)


@dataclass(frozen=True, slots=True)
class Person:
    """One visitor. `tier` is the best identity a session of theirs has under METRICS, "Visitors".

    Anonymous persons send an IP address of a network of their own when they send one: whether the
    pipeline still has the day's salt (tier `daily`) or not (tier `session`), they stay one visitor
    a session, so the truth does not depend on when the stream is loaded.
    """

    tier: Tier
    identity: str
    country: Country
    agent: Agent
    is_located: bool
    entry: tuple[tuple[str, object], ...]
    ambient: tuple[tuple[str, object], ...]
    device: str


_REFUSALS: Final[tuple[tuple[str, object], ...]] = (
    ("consent", False), ("consent", "denied"), ("dnt", True), ("gpc", True),
)  # fmt: skip


def network_address(number: int) -> str:
    """An IPv4 address whose /24 no other number below 16 million shares."""
    return f"{11 + (number >> 16) % 80}.{(number >> 8) & 255}.{number & 255}.{7 + number % 200}"


def _location(country: Country, rng: Random) -> tuple[str, object]:
    kind = rng.random()
    if kind < 0.5:
        return ("location", country.code)
    if kind < 0.7:
        return ("location", country.name)
    if kind < 0.85:
        return ("location", {"country": country.code, "city": country.city})
    return ("country", country.code)


def make_person(rng: Random, tier: Tier, country: Country, number: int) -> Person:
    """A new person; `number` is unique in the stream and makes identity and network unique."""
    agent = AGENT_MIX.draw(rng)
    identity = f"{'v' if tier == 'session' else tier[0]}-{number:06d}{rng.getrandbits(24):06x}"
    is_located = rng.random() < 0.96
    entry: list[tuple[str, object]] = []
    if is_located:
        entry.append(_location(country, rng))
    device = agent.device
    spelling = rng.random()
    if spelling < 0.35 and is_located:
        # Never the user agent alone: on a fresh day it would make one visitor of many sessions.
        entry += [("userAgent", agent.user_agent), ("ip", network_address(number))]
    elif spelling < 0.97:
        entry += [("device", agent.device), ("browser", agent.browser), ("os", agent.os)]
    else:
        device = "unknown"
    ambient: list[tuple[str, object]] = []
    if tier == "visitor":
        ambient += [("visitorId", identity), ("consent", "granted")]
    elif tier == "session" and rng.random() < 0.18:
        # Refused: the identity that is sent all the same must not be used.
        ambient += [("visitorId", identity), _REFUSALS[rng.randrange(len(_REFUSALS))]]
    return Person(tier, identity, country, agent, is_located, tuple(entry), tuple(ambient), device)
