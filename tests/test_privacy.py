"""Keys, salts, reduction and masking."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.privacy import Keyring, mask_text, reduce_ip, reduce_url
from orchestration.user_agents import parse_user_agent

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("203.0.113.77:443", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("[2001:db8:1::1]", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("999.1.1.1", None),
        ("localhost", None),
    ],
)
def test_an_address_is_reduced_to_its_network(sent: str, kept: str | None) -> None:
    assert reduce_ip(sent) == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("write to jane.doe@example.com today", "write to [masked] today"),
        ("jane%40example.com", "[masked]"),
        ("call +44 20 7946 0958", "call [masked]"),
        ("(415) 555-0123", "[masked]"),
        ("order 123456", "order [masked]"),
        ("order 12345", "order 12345"),
        ("from 203.0.113.77", "from [masked]"),
        ("from 2001:db8::1", "from [masked]"),
        ("at 10:30:45 on 2026-11-22", "at 10:30:45 on 2026-11-22"),
        ("how do I start?", "how do I start?"),
    ],
)
def test_personal_data_in_free_text_is_masked(sent: str, kept: str) -> None:
    assert mask_text(sent) == kept


def test_a_url_keeps_domain_path_and_campaign_and_loses_the_rest_of_its_query() -> None:
    reduced = reduce_url("https://WWW.Example.com/a/b?utm_source=News&token=x&gclid=secret#frag")
    assert (reduced.domain, reduced.path, dict(reduced.utm), reduced.click_id) == (
        "example.com", "/a/b", {"utm_source": "News"}, "gclid",
    )  # fmt: skip


def test_a_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = Keyring(tmp_path, NOW).key("user", "jane")
    assert Keyring(tmp_path, NOW).key("user", "jane") == first
    assert (tmp_path / "identity.key").stat().st_mode & 0o777 == 0o600


def test_another_installation_makes_other_keys(tmp_path: Path) -> None:
    assert Keyring(tmp_path / "a", NOW).key("user", "jane") != Keyring(tmp_path / "b", NOW).key(
        "user", "jane"
    )


def test_a_daily_hash_cannot_be_made_again_after_48_hours(tmp_path: Path) -> None:
    day = date(2026, 11, 22)
    made = Keyring(tmp_path, NOW).daily_key(day, "capsule", "203.0.113.0/24", "agent")
    assert made is not None
    assert (
        Keyring(tmp_path, NOW + timedelta(hours=11)).daily_key(day, "capsule", "203.0.113.0/24", "agent")
        == made
    )
    later = Keyring(tmp_path, datetime(2026, 11, 24, 0, 1, tzinfo=UTC))
    assert later.daily_key(day, "capsule", "203.0.113.0/24", "agent") is None
    assert not (tmp_path / "salts" / "2026-11-22.salt").exists()


@pytest.mark.parametrize(
    ("sent", "device", "browser", "system", "is_bot"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/17.0 Mobile/15E148 Safari/604.1", "mobile", "Mobile Safari", "iOS", False),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 "
         "Safari/537.36", "desktop", "Chrome", "Windows", False),
        ("Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 "
         "Safari/537.36", "tablet", "Chrome", "Android", False),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot", "Googlebot", None,
         True),
        ("curl/8.4.0", "bot", "curl", None, True),
    ],
)  # fmt: skip
def test_a_user_agent_becomes_device_browser_and_system(
    sent: str, device: str, browser: str, system: str | None, is_bot: bool
) -> None:
    assert parse_user_agent(sent) == (device, browser, system, is_bot)
