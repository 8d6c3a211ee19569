"""Hostile personal data through the real command, then every byte of the state folder is searched.

Each row of the table says something of a person in one spelling. Its marker is found in the landed file,
and after the load nowhere: not in the sealed files, the warehouse, the publication, Dagster's runs or logs.
"""

import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.commands import engagement, printed_json
from tests.event_lines import event, lines

# Marker → texts in which it must not be kept. Markers are compared in lower case.
TEXTS: dict[str, tuple[str, ...]] = {
    "203.0.113.77": (
        "203.0.113.77", "at 203.0.113.77, ok", "http://203.0.113.77/x", "203.0.113.77:8080", "ip203.0.113.77",
        "203.0.113.77.", "x=203.0.113.77;", "203%2e0.203.0.113.77",
    ),
    "113.77": ("::ffff:203.0.113.77", "[::ffff:203.0.113.77]:443", "203.0.113.077"),
    "113-77": ("ec2-203-0-113-77.compute.example",),
    "db8:71": (
        "2001:db8:71:2:3:4:5:6", "2001:DB8:71::5", "[2001:db8:71::5]", "x2001:db8:71::5",
        "http://[2001:db8:71::5]:80/x", "2001:0db8:71:0000:0000:0000:0000:0005", "fe2001 2001:db8:71::5%eth0",
    ),
    "cb00:714d": ("::ffff:cb00:714d", "64:ff9b::cb00:714d"),
    "cb00714d": ("0xcb00714d",),
    "3405803853": ("3405803853", "http://3405803853/"),
    "jane.doe": (
        "jane.doe@example.com", "<jane.doe@example.com>", "mailto:jane.doe@example.com",
        "jane.doe%40example.com", "jane.doe%2540example.com", "jane.doe (at) example.com",
        "jane.doe at example dot com", "jane.doe [at] example [dot] com", "jane.doe\uff20example.com",
        "jane.doe @ example.com", "jane.doe&#64;example.com", "jane.doe\\u0040example.com",
        "jane.doe&commat;example.com", '"jane.doe"@example.com', "jane.doe+tag@example.com",
        "JANE.DOE@EXAMPLE.COM", "https://z.com/u/jane.doe@example.com", "jane.doe AT example.com",
        "jane.doe_at_example.com", "jane.doe=40example.com", "jane.doe-at-example-dot-com",
        "https://jane.doe:pw@z.com/a",
    ),
    "79460958": ("+442079460958", "02079460958", "tel:+442079460958", "call02079460958now"),
    "7946 0958": ("+44 20 7946 0958", "(020) 7946 0958"),
    "7946.0958": ("+44.20.7946.0958",),
    "7946-0958": ("+44-20-7946-0958", "020-7946-0958"),
    "46 09 58": ("+44 (0)20 79 46 09 58",),
    "\u0667\u0669\u0664": ("\u0660\u0662\u0660\u0667\u0669\u0664\u0666\u0660\u0669\u0665\u0668",),
    "1111 1111": ("4111 1111 1111 1111",),
    "de893704": ("DE89370400440532013000",),
    "0044 0532": ("DE89 3704 0044 0532 0130 00",),
    "48.8566": (
        "48.8566,2.3522", "48.8566 2.3522", "lat=48.8566&lon=2.3522", "lat: 48.8566, lon: 2.3522",
        "POINT(2.3522 48.8566)", "48.8566N 2.3522E", "N48.8566 E2.3522", "48.8566\u00b0N, 2.3522\u00b0E",
        "geo:48.8566,2.3522", "https://maps.example/@48.8566,2.3522,15z", '{"lat":48.8566,"lng":2.3522}',
        "+48.8566+002.3522/", "48.8566",
    ),
    "48,8566": ("48,8566 2,3522",),
    "51'24": ("48\u00b051'24\"N 2\u00b021'07\"E",),
    "8fw4v9": ("8FW4V92X+2Q",),
    "gecko/2010": ("Mozilla/5.0 (X11; Linux) Gecko/20100101", "Mozilla%2F5.0 (X11) Gecko/20100101"),
    "s3cret": (
        "MyApp/3.2 (s3cret; iPhone14,2)", "okhttp/4.9.3 s3cret", "https://z.com/?a=s3cret", "/x?s3cret",
        "https://z.com/x#s3cret", "z.com?x=s3cret", "https://z.com/x;s=s3cret?y", "Bearer s3crets3cret",
        "access_token=s3cret",
    ),
}  # fmt: skip
# Every free text of METRICS, and keys that nobody knows.
FREE_TEXTS = (
    ("interaction", "action"), ("interaction", "topic"), ("interaction", "query"), ("view", "source"),
    ("view", "referrer"), ("view", "url"), ("view", "utmSource"), ("view", "utmMedium"),
    ("view", "utmCampaign"), ("view", "utmContent"), ("view", "utmTerm"), ("view", "device"),
    ("view", "browser"), ("view", "os"), ("view", "location"), ("view", "country"), ("view", "region"),
    ("view", "city"), ("content_access", "contentTitle"), ("content_access", "contentType"),
    ("interaction", "ctaLabel"), ("interaction", "ctaType"), ("conversion", "conversionType"),
    ("custom", "remark"), ("view", "whatever"), ("interaction", "role"), ("interaction", "feedback"),
)  # fmt: skip
# What is never kept, whatever its form: (event type, metadata), each with "s3cret" in it.
NEVER: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("interaction", {"action": "message", "role": "user", name: "s3cret words"}) for name in (
        "text", "message", "content", "body", "prompt", "answer", "response", "completion", "reply",
        "transcript", "html", "markdown", "Text", "message_text", "userMessage", "messageContent", "raw_text",
        "prompt_text", "assistantReply", "chat_history", "question",
    )),
    *(("custom", {"name": "x", name: "s3cret"}) for name in (
        "firstName", "last_name", "full-name", "E-Mail", "emailAddress", "customer_email", "phoneNumber",
        "ipAddress", "client_ip", "remoteAddr", "x_forwarded_for", "userAgent", "http_user_agent", "userId",
        "customerId", "session_id", "token", "accessToken", "password", "streetAddress", "zip_code",
        "postal_code", "dateOfBirth", "ssn", "iban", "cookie", "deviceId", "advertisingId", "idfa", "gaid",
        "fingerprint", "surname", "nickname", "birth_year_s3cret_token", "email_hash", "hashedEmail",
        "mac_address", "imei", "licensePlate", "userName", "login",
    )),
    ("view", {"someone": {"name": "s3cret", "deep": {"email": "s3cret@x.com"}}, "list": ["s3cret", 7]}),
    ("view", {"location": {"country": "FR", "street": "s3cret", "lat": 48.8566, "ip": "203.0.113.77"}}),
    ("view", {"ip": "s3cret", "userAgent": "s3cret agent"}),
)  # fmt: skip
# Coordinates as numbers, by the name of their key.
NUMBERS: tuple[dict[str, Any], ...] = (
    {"lat": 48.8566}, {"geoLat": 48.8566}, {"latitude_deg": 48.8566}, {"user_lng": 48.8566},
    {"gpsX": 48.8566}, {"coordY": 48.8566}, {"geo": 48.8566}, {"latE7": 488566000},
    {"place": 48.8566}, {"homePoint": 48.8566}, {"location_1": 48.8566},
    {"phone": 442079460958}, {"n": 4111111111111111}, {"mobile_no": 442079460958},
)  # fmt: skip
NUMBER_MARKS = ("48.8566", "488566000", "442079460958", "411111111111")
OWN = {"userId": "user-RAW-9", "sessionId": "sess-RAW-123", "visitorId": "visit-RAW-5"}


def _events() -> Iterator[dict[str, Any]]:
    moment = datetime.now(UTC) - timedelta(hours=2)
    told: list[tuple[str, dict[str, Any]]] = [*NEVER]
    told += [
        (kind, {"name": "x", name: text}) for texts in TEXTS.values() for text in texts
        for kind, name in FREE_TEXTS
    ]  # fmt: skip
    told += [("custom", {"name": text}) for texts in TEXTS.values() for text in texts]
    told += [("custom", {"name": "x", text: 1}) for texts in TEXTS.values() for text in texts]
    told += [("custom", {"name": "x", **number}) for number in NUMBERS]
    for number, (kind, metadata) in enumerate(told):
        yield event(
            kind,
            eventId=f"evt-RAW-{number}",
            userId=OWN["userId"],
            sessionId=OWN["sessionId"],
            timestamp=(moment + timedelta(milliseconds=number)).isoformat(),
            metadata=metadata | {"visitorId": OWN["visitorId"]},
        )


MARKS = (*TEXTS, *NUMBER_MARKS, "raw-9", "raw-123", "raw-5", "evt-raw", "mary@leak", "owner@leak")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("hostile") / "home"
    landing = home / "landing"
    landing.mkdir(parents=True)
    sent = lines(*_events())
    found = sent.decode("unicode_escape", "replace").lower() + sent.decode().lower()
    assert [mark for mark in (*TEXTS, *NUMBER_MARKS) if mark not in found and mark.isascii()] == []
    (landing / "of mary@leak.com.ndjson").write_bytes(sent)
    capsule = event(capsuleId="owner@leak.com", timestamp=datetime.now(UTC).isoformat())
    refused = [capsule | {"eventId": "r", "timestamp": "never"}, capsule | {"eventType": "jane.doe@x.com"}]
    (landing / "other.ndjson").write_bytes(lines(capsule, *refused, {"jane.doe@x.com": "203.0.113.77"}))
    (landing / "broken mary@leak.com.ndjson.gz").write_bytes(gzip.compress(sent)[:-20])
    (landing / "catalog").mkdir()
    (landing / "catalog" / "capsules.ndjson").write_bytes(
        lines({"capsuleId": "owner@leak.com", "name": "by jane.doe@x.com", "owner": "owner@leak.com"})
    )
    done = engagement(home, "load", settings={"ENGAGEMENT_KEEP_LOADED_DAYS": "0"})
    # The one that is cut short is refused.
    assert done.returncode == 1, done.stderr
    assert "cut short or damaged" in done.stderr
    return home


def _texts(home: Path) -> Iterator[tuple[str, str]]:
    """Every file of the state folder as text, sealed files and tables decompressed, but what was landed."""
    for path in sorted(home.rglob("*")):
        where = str(path.relative_to(home))
        # What was refused waits, as sent, for the operator.
        if path.is_file() and (not where.startswith("landing/refused/") or where.endswith(".reason")):
            yield where, path.read_bytes().decode("latin-1") + path.read_bytes().decode("utf-8", "ignore")
        if path.suffix == ".parquet":
            for row in pq.read_table(path).to_pylist():
                yield where, " ".join(str(value) for value in row.values() if isinstance(value, str))
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                tables = connection.execute(
                    """select schema_name, table_name from duckdb_tables()
                    where database_name = current_database()"""
                ).fetchall()
                for schema, table in tables:
                    for row in connection.execute(f'select * from "{schema}"."{table}"').fetchall():
                        kept = " ".join(value for value in row if isinstance(value, str))
                        yield f"{where} {schema}.{table}", kept


def test_no_marker_is_in_any_byte_of_the_state_folder(home: Path) -> None:
    any_mark = re.compile("|".join(map(re.escape, MARKS)))
    found = set()
    for where, text in _texts(home):
        for hit in any_mark.finditer(text.lower()):
            found.add(f"{where}: {text[max(0, hit.start() - 60) : hit.end() + 20]!r}")
    assert sorted(found) == []


def test_every_event_counts_and_a_capsule_named_by_an_address_stays_itself(home: Path) -> None:
    counting = "select sum(accepted_count) as accepted_count from marts.ingestion_daily"
    (counted,) = printed_json(home, "sql", counting)
    # And the one of the other file.
    assert counted["accepted_count"] == sum(1 for _ in _events()) + 1
    asked = "select capsule_id, capsule_name from marts.dim_capsules order by capsule_id"
    rows = printed_json(home, "sql", asked)
    named, _ = sorted(rows, key=lambda row: row["capsule_id"] == "capsule-a")
    assert re.fullmatch(r"capsule-[0-9a-f]{24}", named["capsule_id"])
    assert named["capsule_name"] == "by [masked]"
