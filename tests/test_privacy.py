"""Keys, salts, reduction and masking."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.admission import Accepted, AdmissionRules, Rejected, admit_line
from orchestration.admission_workers import admitted_blocks
from orchestration.event_files import view_landing
from orchestration.line_blocks import LineBlock
from orchestration.masking import mask_id, mask_text
from orchestration.privacy import Keyring, reduce_ip, reduce_url
from orchestration.settings import Settings
from orchestration.state_folder import destroy_old_salts
from orchestration.user_agents import parse_user_agent
from tests.event_lines import event, lines

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


def test_salts_go_by_the_clock_also_when_nothing_is_loaded(settings: Settings) -> None:
    salts = settings.secrets / "salts"
    salts.mkdir(exist_ok=True)
    (salts / "2026-01-01.salt").write_bytes(b"x" * 32)
    today = datetime.now(UTC).date()
    Keyring(settings.secrets, datetime.now(UTC)).daily_key(today, "capsule", "203.0.113.0/24")
    (salts / "2026-01-02.salt").write_bytes(b"x" * 32)
    destroy_old_salts(settings)
    assert [path.name for path in salts.iterdir()] == [f"{today}.salt"]


def test_an_event_that_comes_after_its_salt_is_gone_has_no_daily_identity(tmp_path: Path) -> None:
    line = lines(event(timestamp=NOW.isoformat(), metadata={"ip": "203.0.113.77", "userAgent": "a"})).strip()
    found = []
    for moment in (NOW, NOW + timedelta(days=2)):
        admitted = admit_line(line, AdmissionRules(Keyring(tmp_path, moment), moment, None))
        assert isinstance(admitted, Accepted)
        found.append([admitted.event[key] for key in ("user_key", "visitor_id_key", "daily_key")])
    # With none of the three the visitor is known by the session alone: tier `session`.
    assert found[0][2] is not None
    assert found[1] == [None, None, None]


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


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("see https://z.com/a?t=secret now", "see https://z.com/a now"),
        ("/pricing?session=secret", "/pricing"),
        ("newsletter?t=secret", "newsletter"),
        ("https:\\\\[bad?t=secret", "https:\\\\[bad"),
        ("example.com/a#secret", "example.com/a"),
        ("https://me:secret@z.com/a", "https://z.com/a"),
        ("learn C#", "learn C#"),
        ("why? because", "why? because"),
        ("dave\uff20x.com", "[masked]"),
        ("eve(at)x.com", "[masked]"),
        ("jane%2540x.com", "[masked]"),
        ("Authorization: Bearer secretsecret", "Authorization: [masked]"),
        ("eyJhbGciOi.c2VjcmV0.sig here", "[masked] here"),
        ("access_token=secret", "[masked]"),
        ("at 48.8566,2.3522", "at 48.8,2.3"),
        ("Mozilla/5.0 (X11; secret) Firefox/1", "[masked]"),
    ],
)
def test_addresses_tokens_agents_and_places_in_free_text_are_masked(sent: str, kept: str) -> None:
    assert mask_text(sent) == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("doc-1234567", "doc-1234567"),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("john%40x.com", "[masked]"),
        ("203.0.113.77", "[masked]"),
        ("capsule +33612345699", "capsule [masked]"),
        ("https://z.com/d?t=secret", "https://z.com/d"),
    ],
)
def test_the_id_of_a_thing_keeps_its_digits_and_loses_what_is_personal(sent: str, kept: str) -> None:
    assert mask_id(sent) == kept


# What each event tells of a person; every value holds "secret", an id of the event or one of `NUMBERS`.
HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("view", {"source": "/pricing?session=secret"}),
    ("view", {"source": "https://[bad/?t=secret"}),
    ("view", {"source": "https://ex.com/?t=secret&" + "&".join(f"a{n}=1" for n in range(250))}),
    ("view", {"referrer": "t=secret"}),
    ("view", {"referrer": "example?t=secret"}),
    ("view", {"referrer": "https:\\\\[bad?t=secret"}),
    ("view", {"url": "https://ex.com/c/sess-RAW-123;jsessionid=secret?x=1"}),
    ("view", {"url": "https://ex.com/u/USER%2Draw-9/home"}),
    ("view", {"utmContent": "user-RAW-9", "utmTerm": "https://z.com/?t=secret"}),
    ("view", {"url": "https://ex.com/a?utm_content=https%3A%2F%2Fz.com%2F%3Ft%3Dsecret"}),
    ("view", {"device": "Mozilla/5.0 (secret)", "browser": "Mozilla/5.0 (secret)"}),
    ("view", {"os": "AppleWebKit/secret"}),
    ("view", {"location": "48.8566,2.3522", "city": "48.8566 2.3522"}),
    ("view", {"geo": "48.8566,2.3522", "geo_lat_deg": 48.8566, "latE7": 488566000}),
    ("interaction", {"action": "Mozilla/5.0 (secret)"}),
    ("interaction", {"action": "message", "role": "user", "topic": "about user-raw-9"}),
    ("interaction", {"action": "search", "query": "https://z.com/?t=secret for visit-RAW-5"}),
    ("interaction", {"action": "cta_click", "ctaId": "https://z.com/d?t=secret", "ctaLabel": "user-raw-9"}),
    ("content_access", {"contentId": "https://z.com/d?t=secret", "contentTitle": "https://z.com/?t=secret"}),
    ("conversion", {"conversionType": "user-raw-9", "value": "1", "currency": "EUR"}),
    ("custom", {"name": "by user-RAW-9", "owner": "USER-raw-9", "user-raw-9": True}),
    ("custom", {"name": "x", "tel": 33612345678, "mobile": 33612345678, "card": 4111111111111111}),
    ("custom", {"name": "x", "n": 4111111111111111, "whatsapp": "+33612345678"}),
    ("custom", {"name": "x", "auth": "a.secret", "authorization": "Bearer secretsecret", "apiKey": "secret"}),
    ("custom", {"name": "x", "sessionToken": "secret", "access_token": "secret", "client-secret": "secret"}),
]  # fmt: skip
TRACES = (
    "secret",
    "raw-9",
    "raw-123",
    "raw-5",
    "evt-raw",
    "8.8566",
    "88566",
    "2.3522",
    "33612345678",
    "411111",
)


def test_hostile_personal_data_reaches_no_column(tmp_path: Path) -> None:
    rules = AdmissionRules(Keyring(tmp_path, NOW), NOW, None)
    own = {"userId": "user-RAW-9", "sessionId": "sess-RAW-123"}
    sent = [
        event(
            eventType=kind, eventId=f"evt-RAW-{number}", metadata=told | {"visitorId": "visit-RAW-5"}, **own
        )
        for number, (kind, told) in enumerate(HOSTILE)
    ]
    # Three of a kind, so that the shapes are read by column where that is possible.
    tables = admitted_blocks([LineBlock(1, lines(*sent, *sent, *sent))], rules)
    rows = [row for table in tables for row in table.to_pylist()]
    assert [row["outcome"] for row in rows] == ["accepted"] * 3 * len(HOSTILE)
    for row in rows:
        kept = " ".join(str(value) for value in row.values() if isinstance(value, str)).lower()
        assert [trace for trace in TRACES if trace in kept] == [], row


def test_counts_are_kept_and_words_with_a_meaning_survive_an_id_of_that_name(tmp_path: Path) -> None:
    rules = AdmissionRules(Keyring(tmp_path, NOW), NOW, None)
    told = {"name": "played", "views": 12_000_000, "prompt_tokens": 1_234_567, "role": "user"}
    (table,) = admitted_blocks(
        [LineBlock(1, lines(event(eventType="custom", userId="user", metadata=told)))], rules
    )
    (row,) = table.to_pylist()
    assert row["role"] == "user"
    assert json.loads(row["properties"])["views"] == 12_000_000
    assert json.loads(row["properties"])["prompt_tokens"] == 1_234_567


def test_the_capsule_of_a_rejected_line_and_an_ignored_name_are_masked(tmp_path: Path) -> None:
    rules = AdmissionRules(Keyring(tmp_path / "secrets", NOW), NOW, None)
    (line,) = [lines(event(capsuleId="of ivan@x.com +33612345699", timestamp="never"))]
    rejected = admit_line(line.strip(), rules)
    assert isinstance(rejected, Rejected)
    assert re.fullmatch("capsule-[0-9a-f]{24}", str(rejected.capsule_id))
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "x mary@leak.com.csv").write_text("x")
    assert view_landing(tmp_path / "landing", 0, 0).ignored == ["x [masked]"]
