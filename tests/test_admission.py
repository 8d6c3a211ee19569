"""A line becomes an accepted, rejected or suppressed event."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.admission import (
    REJECTION_REASONS,
    Accepted,
    AdmissionRules,
    Rejected,
    Suppressed,
    admit_line,
    redacted_excerpt,
)
from orchestration.privacy import Keyring
from orchestration.settings import SettingsError, load_settings
from tests.event_lines import event, line

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def rules(tmp_path: Path) -> AdmissionRules:
    return AdmissionRules(Keyring(tmp_path / "secrets", NOW), NOW, NOW - timedelta(days=396))


def accepted(made: dict[str, Any], rules: AdmissionRules) -> dict[str, Any]:
    outcome = admit_line(line(made), rules)
    assert isinstance(outcome, Accepted), outcome
    return outcome.event


DEEP = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
MANY_KEYS = json.dumps({f"k{number}": 1 for number in range(20_000)}).encode()

# What is sent, why it is rejected, which key is at fault.
REJECTED: list[tuple[str, bytes, str, str | None]] = [
    ("bytes that are no UTF-8", b'{"eventType":"\xff\xfe"}', "not_utf8", None),
    ("a line cut in the middle", line(event())[:40], "not_json", None),
    ("a raw NUL byte", b'{"eventType":"vi\0ew"}', "not_json", None),
    ("an array", b"[1, 2]", "not_an_object", None),
    ("null", b"null", "not_an_object", None),
    ("a number", b"17", "not_an_object", None),
    ("NaN", b'{"metadata":{"value":NaN}}', "not_a_number", None),
    ("Infinity", b'{"metadata":{"value":-Infinity}}', "not_a_number", None),
    ("a number beyond a double", b'{"metadata":{"value":1e999}}', "not_a_number", None),
    ("a whole number of 5,000 digits", b'{"metadata":{"value":' + b"9" * 5000 + b"}}", "not_a_number", None),
    ("year 9999, west of it", line(event(timestamp="9999-12-31T23:59-01:00")), "timestamp_in_future",
     "timestamp"),
    ("half a surrogate pair", b'{"userId":"\\ud800"}', "lone_surrogate", None),
    ("one megabyte and a byte", b'{"a":"' + b"x" * (1 << 20) + b'"}', "line_too_long", None),
    ("20,000 levels", DEEP, "nesting_too_deep", None),
    ("101 levels", b'{"a":' * 101 + b"1" + b"}" * 101, "nesting_too_deep", None),
    ("20,000 keys", MANY_KEYS, "too_many_keys", None),
    ("a key twice", b'{"eventType":"view","eventType":"custom"}', "duplicate_key", "eventType"),
    ("a key twice, spaced out", b'{"eventType" :"view","eventType":"custom"}', "duplicate_key", "eventType"),
    ("a key twice, hidden by a text", b'{"eventType" :"x","eventType":"\\":"}', "duplicate_key", "eventType"),
    ("no event type", line(event(eventType=None)), "missing_field", "eventType"),
    ("no capsule", line(event(capsuleId=None)), "missing_field", "capsuleId"),
    ("no session", line(event(sessionId=None)), "missing_field", "sessionId"),
    ("no timestamp", line(event(timestamp=None)), "missing_field", "timestamp"),
    ("a blank capsule", line(event(capsuleId=" \t ")), "blank_field", "capsuleId"),
    ("a capsule that is a number", line(event(capsuleId=7)), "wrong_type", "capsuleId"),
    ("a user that is an object", line(event(userId={"id": 1})), "wrong_type", "userId"),
    ("metadata that is a list", line(event(metadata=[1])), "wrong_type", "metadata"),
    ("an id of 257 characters", line(event(sessionId="s" * 257)), "id_too_long", "sessionId"),
    ("a content id of 257 characters", line(event(metadata={"contentId": "c" * 257})), "id_too_long",
     "metadata.contentId"),
    ("an id with NUL", line(event(capsuleId="a\0b")), "nul_character", "capsuleId"),
    ("an unknown type", line(event("viewed")), "unknown_event_type", "eventType"),
    ("a type in capitals", line(event("View")), "unknown_event_type", "eventType"),
    ("a custom event without a name", line(event("custom")), "custom_without_name", "metadata.name"),
    ("a time without offset", line(event(timestamp="2026-11-20T12:00:00")), "timestamp_without_offset",
     "timestamp"),
    ("day before month", line(event(timestamp="20/11/2026 12:00")), "timestamp_unreadable", "timestamp"),
    ("words", line(event(timestamp="yesterday")), "timestamp_unreadable", "timestamp"),
    ("an epoch number", line(event(timestamp=1_795_000_000)), "timestamp_unreadable", "timestamp"),
    ("an epoch in text", line(event(timestamp="1795000000")), "timestamp_unreadable", "timestamp"),
    ("29 February 2025", line(event(timestamp="2025-02-29T12:00:00Z")), "timestamp_unreadable", "timestamp"),
    ("an offset of 25 hours", line(event(timestamp="2026-11-20T12:00:00+25:00")), "timestamp_unreadable",
     "timestamp"),
    ("year 9999", line(event(timestamp="9999-12-31T23:59:59Z")), "timestamp_in_future", "timestamp"),
    ("six minutes ahead", line(event(timestamp="2026-11-22T12:06:00Z")), "timestamp_in_future", "timestamp"),
    ("year 1", line(event(timestamp="0001-01-01T00:00:00Z")), "timestamp_too_old", "timestamp"),
    ("year 1, east of Greenwich", line(event(timestamp="0001-01-01T00:00:00+09:00")),
     "timestamp_too_old", "timestamp"),
    ("before the window", line(event(timestamp="2025-10-01T00:00:00Z")), "timestamp_too_old", "timestamp"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "reason", "field"), [case[1:] for case in REJECTED], ids=[c[0] for c in REJECTED]
)
def test_a_bad_line_is_rejected_by_name(
    sent: bytes, reason: str, field: str | None, rules: AdmissionRules
) -> None:
    outcome = admit_line(sent, rules)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.field) == (reason, field)


def test_every_reason_of_admission_has_a_case() -> None:
    tested = {reason for _, _, reason, _ in REJECTED}
    # Decided over all lines of a batch (tests/test_raw_events.py), and what nobody foresees.
    assert tested | {"id_conflict", "unexpected_error"} == set(REJECTION_REASONS)


def test_a_mistake_of_ours_about_a_line_rejects_that_line_alone(
    rules: AdmissionRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(value: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("orchestration.event_fields.amount_of", mistaken)
    outcome = admit_line(line(event("conversion", userId="jane")), rules)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "unexpected_error"
    assert "jane" not in outcome.excerpt
    # What this machine lacks is nothing of the line.
    monkeypatch.setattr("orchestration.event_fields.amount_of", lambda value: bytearray(1 << 62))
    with pytest.raises(MemoryError):
        admit_line(line(event("conversion")), rules)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-20T12:00:00Z", "2026-11-20 12:00:00"),
        ("2026-11-20t12:00:00z", "2026-11-20 12:00:00"),
        ("2026-11-20 12:00:00.123456+01:00", "2026-11-20 11:00:00.123000"),
        ("20261120T120000-0530", "2026-11-20 17:30:00"),
        ("2026-11-20T12:00+05:45", "2026-11-20 06:15:00"),
        ("2026-11-20T00:30:00,5+02", "2026-11-19 22:30:00.500000"),
        ("2026-11-20T12:00:00-00:00", "2026-11-20 12:00:00"),
        (" 2026-11-20T12:00:00Z ", "2026-11-20 12:00:00"),
    ],
)
def test_a_timestamp_with_an_offset_becomes_utc(text: str, instant: str, rules: AdmissionRules) -> None:
    assert str(accepted(event(timestamp=text), rules)["occurred_at"]) == instant


def test_a_leap_day_is_a_day(rules: AdmissionRules) -> None:
    any_age = AdmissionRules(rules.keyring, rules.now, None)
    assert str(accepted(event(timestamp="2024-02-29T23:30:00-01:00"), any_age)["event_date"]) == "2024-03-01"


def test_padded_ids_are_the_same_ids(rules: AdmissionRules) -> None:
    plain = accepted(event(userId="u"), rules)
    padded = accepted(
        event(eventId=" e1 ", capsuleId="capsule-a\t", sessionId=" session-1", userId="u "), rules
    )
    keys = ("event_key", "capsule_id", "client_session_key", "user_key")
    assert [plain[key] for key in keys] == [padded[key] for key in keys]


def test_the_order_of_keys_and_the_spelling_of_the_instant_do_not_change_the_content(
    rules: AdmissionRules,
) -> None:
    one = event(metadata={"a": 1, "b": 2}, eventId=None)
    other = dict(reversed(list(event(metadata={"b": 2, "a": 1}, eventId=None).items())))
    other["timestamp"] = "2026-11-20T13:00:00+01:00"
    first, second = accepted(one, rules), accepted(other, rules)
    assert first["content_hash"] == second["content_hash"]
    assert first["event_key"] == second["event_key"]


def test_two_events_without_an_id_that_differ_are_two_events(rules: AdmissionRules) -> None:
    one = accepted(event(eventId=None, metadata={"a": 1}), rules)
    other = accepted(event(eventId=None, metadata={"a": 2}), rules)
    assert one["event_key"] != other["event_key"]


def test_the_same_event_id_on_two_capsules_is_two_events(rules: AdmissionRules) -> None:
    assert accepted(event(), rules)["event_key"] != accepted(event(capsuleId="b"), rules)["event_key"]


def test_no_raw_id_survives(rules: AdmissionRules) -> None:
    kept = accepted(
        event(
            eventId="secret-event", sessionId="secret-session", userId="secret-user",
            metadata={"visitorId": "secret-visitor", "messageId": "secret-message", "ip": "203.0.113.77",
                      "userAgent": "SecretBrowser/1.0", "text": "secret words", "email": "secret@a.org"},
        ),
        rules,
    )  # fmt: skip
    assert "secret" not in str(kept).lower()
    assert "203.0.113" not in str(kept)


def test_a_refused_consent_leaves_no_identity(rules: AdmissionRules) -> None:
    for signal in ({"consent": False}, {"consent": "Denied"}, {"consent": {"analytics": "denied"}},
                   {"dnt": "1"}, {"gpc": True}):  # fmt: skip
        kept = accepted(event(userId="u", metadata={"visitorId": "v", "ip": "203.0.113.7", **signal}), rules)
        assert kept["is_consent_refused"]
        assert (kept["user_key"], kept["visitor_id_key"], kept.get("daily_key")) == (None, None, None)


def test_an_event_says_consent_was_given_or_refused_or_nothing(rules: AdmissionRules) -> None:
    for sent, said in (
        ({"consent": True}, "given"), ({"consent": ["analytics"]}, "given"), ({"Consent": "ok"}, "given"),
        ({"consent": {"analytics": True, "ads": False}}, "given"), ({"consent": "no"}, "refused"),
        ({"consent": True, "dnt": 1}, "refused"), ({"gpc": "1"}, "refused"), ({"consent": []}, "refused"),
        ({}, None), ({"consent": None}, None), ({"consent": ""}, None), ({"consent": {}}, None),
        ({"dnt": 0}, None), ({"gpc": False}, None),
    ):  # fmt: skip
        kept = accepted(event(userId="u", metadata=sent), rules)
        assert (sent, kept["consent"]) == (sent, said)
        # At the top it means the same.
        assert accepted(event(userId="u", **sent), rules)["consent"] == said


def test_an_opt_out_is_suppressed(rules: AdmissionRules) -> None:
    for spelling in ({"optOut": True}, {"opt_out": "yes"}, {"optOut": 1}):
        assert isinstance(admit_line(line(event(metadata=spelling)), rules), Suppressed)


def test_the_daily_identity_needs_a_salt_of_the_events_day(rules: AdmissionRules) -> None:
    today = event(timestamp="2026-11-22T01:00:00Z", metadata={"ip": "203.0.113.7"})
    assert accepted(today, rules)["daily_key"] is not None
    long_ago = event(timestamp="2026-11-20T01:00:00Z", metadata={"ip": "203.0.113.7"})
    assert accepted(long_ago, rules)["daily_key"] is None


def test_an_amount_that_cannot_be_read_leaves_the_conversion_without_a_value(rules: AdmissionRules) -> None:
    readable = {
        "19.9": "19.9000", -5: "-5.0000", 0.1: "0.1000", "1e3": "1000.0000", " 12. ": "12.0000",
        "+.5": "0.5000", 999_999_999_999: "999999999999.0000", 1e-300: "0.0000",
    }  # fmt: skip
    for sent, amount in readable.items():
        kept = accepted(event("conversion", metadata={"value": sent, "currency": "eur"}), rules)
        assert (str(kept["amount"]), kept["currency"]) == (amount, "EUR")
    unreadable = (
        "1,234.50", "free", True, [1], "NaN", 1e300, "1e999999999", "-1e999999", "1_000", "\u0661\u0662",
        "12,50", "12 EUR", "0x10", "1 000", "12\0", "", 10**12, "9" * 5000,
    )  # fmt: skip
    for sent in unreadable:
        assert accepted(event("conversion", metadata={"value": sent}), rules)["amount"] is None


def test_both_spellings_of_a_key_are_read(rules: AdmissionRules) -> None:
    camel = accepted(event("content_access", metadata={"contentId": "doc", "contentTitle": "A"}), rules)
    snake = accepted(event("content_access", metadata={"content_id": "doc", "content_title": "A"}), rules)
    assert (camel["content_id"], camel["content_title"]) == (snake["content_id"], snake["content_title"])


def test_unknown_scalars_are_kept_as_masked_properties(rules: AdmissionRules) -> None:
    kept = accepted(
        event(metadata={"plan": "pro", "note": "mail jane@example.com", "count": 3, "nested": {"a": 1},
                        "lat": 48.858370, "path": "/a?token=b"}),
        rules,
    )  # fmt: skip
    assert json.loads(kept["properties"]) == {
        "plan": "pro", "note": "mail [masked]", "count": 3, "lat": 48.9, "path": "/a",
    }  # fmt: skip


def test_letters_that_only_look_like_those_of_an_account_are_no_mistake(rules: AdmissionRules) -> None:
    kelvins = "\u212a\u212a\u0660\u0660" + "\u212a" * 8
    assert accepted(event(metadata={"topic": kelvins}), rules)["topic"] == kelvins


def test_an_excerpt_shows_the_shape_and_no_value() -> None:
    sent = b'{"eventType":"view","timestamp":"22/11/2026","userId":"jane@example.com"}'
    assert redacted_excerpt(sent) == (
        '{"eventType":"view","timestamp":"99/99/9999","userId":"aaaa@aaaaaaa.aaa"}'
    )


def test_what_a_custom_event_is_measured_by_is_one_of_its_properties(rules: AdmissionRules) -> None:
    kept = accepted(
        event("custom", metadata={"name": "rated", "value": 4, "topic": "price", "tool": "x"}), rules
    )
    assert (kept["event_name"], kept["topic"]) == ("rated", "price")
    assert json.loads(kept["properties"]) == {"value": 4, "topic": "price", "tool": "x"}


@pytest.mark.parametrize(
    "answer",
    [False, 0, "no", "Denied", "not granted", "not_granted", "revoked", "opted-out", "withheld", "f",
     "disagree", "denied_by_user", ["denied"], [], {"status": "denied"}, {"granted": False},
     {"analytics": "denied", "ads": "granted"}],
)  # fmt: skip
def test_an_answer_that_is_no_known_yes_refuses_consent(answer: Any, rules: AdmissionRules) -> None:
    assert accepted(event(userId="u", metadata={"consent": answer}), rules)["user_key"] is None


@pytest.mark.parametrize(
    "signal", ["dnt", "DNT", "doNotTrack", "do_not_track", "gpc", "GPC", "globalPrivacyControl"]
)
def test_a_privacy_signal_refuses_consent_in_any_spelling(signal: str, rules: AdmissionRules) -> None:
    assert accepted(event(userId="u", metadata={signal: "1"}), rules)["user_key"] is None
    assert accepted(event(userId="u", metadata={signal: "0"}), rules)["user_key"] is not None


@pytest.mark.parametrize(
    "answer",
    [
        True,
        1,
        "yes",
        "Granted",
        "accepted",
        "all",
        None,
        "",
        ["analytics", "ads"],
        {"analytics": True, "ads": False},
    ],
)
def test_a_known_yes_or_no_answer_keeps_the_identity(answer: Any, rules: AdmissionRules) -> None:
    assert accepted(event(userId="u", metadata={"consent": answer}), rules)["user_key"] is not None


def test_no_property_repeats_a_person_an_agent_a_place_or_a_query(rules: AdmissionRules) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
    made = event(
        userId="raw-user", sessionId="raw-session", eventId="raw-event",
        metadata={
            "visitorId": "raw-visitor", "userAgent": agent, "ip": "203.0.113.77",
            "user": "somebody", "uid": "somebody", "customerId": "somebody", "client_id": "somebody",
            "http_user_agent": "x", "ua": "x", "clientIp": "x", "device_id": "somebody",
            "note": "of raw-user", "trace": ["raw-session"], "echo": "raw-session", "agent_text": agent,
            "geo_lat": 52.123456, "link": "c.io/?q=secret", "plan": "pro",
        },
    )  # fmt: skip
    assert json.loads(accepted(made, rules)["properties"]) == {
        "geo_lat": 52.1,
        "link": "c.io/",
        "plan": "pro",
    }


def test_only_a_plain_no_to_opting_out_is_an_opt_in(rules: AdmissionRules) -> None:
    for answer, is_opt_in in ((False, True), ("no", True), ("denied", False), ("", False), (None, False)):
        outcome = admit_line(line(event(userId="u", metadata={"optOut": answer})), rules)
        assert isinstance(outcome, Accepted)
        assert outcome.is_opt_in is is_opt_in


def test_as_many_levels_as_the_setting_allows_are_admitted(rules: AdmissionRules) -> None:
    deepest = 250
    with pytest.raises(SettingsError, match="2 to 250"):
        load_settings(max_nesting=deepest + 1)
    ruled = AdmissionRules(rules.keyring, NOW, None, limits=load_settings(max_nesting=deepest).limits)
    for made in (
        event(extra="@"),
        event(metadata={"extra": "@"}),
    ):
        levels = deepest - 1 - ("metadata" in made and bool(made["metadata"]))
        sent = line(made).replace(b'"@"', b"[" * levels + b"]" * levels)
        assert isinstance(admit_line(sent, ruled), Accepted)
        assert isinstance(admit_line(sent, rules), Rejected)
