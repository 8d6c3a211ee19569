"""A user agent becomes device, browser, operating system and a bot flag; then it is dropped.

Not here: labels a capsule sends ready-made (`admission.py`) and what they are called in reports (the
seed `device_types`). Parsing costs about 15 microseconds, so answers are remembered per text.
"""

import functools
import re
from typing import Final, NamedTuple

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser import parse

# One alternation is 100 times faster than asking pattern by pattern.
_CRAWLERS: Final = re.compile("|".join(f"(?:{crawler['pattern']})" for crawler in CRAWLER_USER_AGENTS_DATA))
_PROGRAMS: Final = re.compile(
    r"bot\b|crawl|spider|slurp|fetch|monitor|preview|headless|curl|wget|python|java/|go-http|httpclient|"
    r"feed|rss|libwww|scrapy|phantomjs|lighthouse",
    re.IGNORECASE,
)
_TABLET: Final = re.compile(r"ipad|tablet|kindle|silk/|playbook", re.IGNORECASE)
_MOBILE: Final = re.compile(
    r"mobi|iphone|ipod|android.*mobile|windows phone|blackberry|opera mini", re.IGNORECASE
)
_DESKTOP: Final = re.compile(r"windows nt|macintosh|x11|cros |linux x86", re.IGNORECASE)


class Agent(NamedTuple):
    """`device` is desktop, mobile, tablet, bot or other; families are null when unknown."""

    device: str
    browser: str | None
    os: str | None
    is_bot: bool


@functools.lru_cache(maxsize=50_000)
def parse_user_agent(text: str) -> Agent:
    """What a user agent says. Rules: ua-parser's families, the crawler-user-agents list for bots."""
    parsed = parse(text[:1000])
    browser = parsed.user_agent.family if parsed.user_agent else None
    system = parsed.os.family if parsed.os else None
    is_spider = parsed.device is not None and parsed.device.family == "Spider"
    is_bot = is_spider or bool(_CRAWLERS.search(text)) or bool(_PROGRAMS.search(text))
    return Agent("bot" if is_bot else _device(text), browser, system, is_bot)


def _device(text: str) -> str:
    if _TABLET.search(text) or ("Android" in text and "Mobile" not in text):
        return "tablet"
    if _MOBILE.search(text):
        return "mobile"
    return "desktop" if _DESKTOP.search(text) else "other"
