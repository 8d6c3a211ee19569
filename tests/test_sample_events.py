"""The sample stream: deterministic, lively, dirty in every promised way, and its truth is right.

The recount below reads the landed lines back with its own few rules and shares nothing with the
generator but METRICS.md; where the two agree, both the plan and its spelling are right.
"""

import gzip
import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from orchestration.masking import mask_text
from orchestration.sample_events.arguments import SampleError
from orchestration.sample_events.live import live_batch, live_file_name, write_live
from orchestration.sample_events.stream import SampleSummary, write_sample

NOW = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Sample:
    summary: SampleSummary
    truth: dict[str, Any]

    def lines(self) -> Iterator[bytes]:
        for path in sorted(self.summary.landing.glob("events-*")):
            content = path.read_bytes()
            yield from (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()

    def events(self) -> Iterator[dict[str, Any]]:
        for line in self.lines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


def _write(folder: Path, **arguments: Any) -> Sample:
    arguments = {
        "capsule_count": 3,
        "day_count": 35,
        "events_per_day": 120,
        "seed": 7,
        "now": NOW,
    } | arguments
    summary = write_sample(folder / "landing", folder / "truth.json", **arguments)
    return Sample(summary, json.loads((folder / "truth.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return _write(tmp_path_factory.mktemp("sample"), events_per_day=400)


def _digests(sample: Sample) -> dict[str, str]:
    paths = [path for path in sample.summary.landing.rglob("*") if path.is_file()]
    paths.append(sample.summary.truth_file)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


# --- determinism ---------------------------------------------------------------------------------


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    first, second = _write(tmp_path / "a", day_count=10), _write(tmp_path / "b", day_count=10)
    assert _digests(first) == _digests(second)
    assert len(_digests(first)) == 10 + 2 + 1  # event files, catalogues, truth


def test_another_seed_gives_another_stream(tmp_path: Path) -> None:
    first, second = _write(tmp_path / "a", day_count=3), _write(tmp_path / "b", day_count=3, seed=8)
    assert first.truth["metrics"] != second.truth["metrics"]


def test_a_later_hour_of_the_same_day_changes_the_file_of_today_and_the_truth_only(
    tmp_path: Path,
) -> None:
    early = _digests(_write(tmp_path / "a", day_count=10))
    late = _digests(_write(tmp_path / "b", day_count=10, now=NOW + timedelta(hours=5)))
    changed = {name for name in early if early[name] != late[name]}
    assert changed == {"events-2026-03-18.ndjson", "truth.json"}


def test_nothing_hidden_or_half_written_is_left_behind(sample: Sample) -> None:
    names = {path.name for path in sample.summary.landing.rglob("*") if path.is_file()}
    assert not [name for name in names if name.startswith(".") or name.endswith(".tmp")]
    assert "events-2026-03-18.ndjson" in names
    assert "events-2026-03-17.ndjson.gz" in names


# --- the truth agrees with itself ----------------------------------------------------------------


def test_received_lines_are_accepted_duplicate_rejected_or_suppressed(sample: Sample) -> None:
    accounting = sample.truth["accounting"]
    assert accounting["received_count"] == sum(1 for _ in sample.lines())
    assert accounting["received_count"] == sum(sample.truth["files"].values())
    assert accounting["received_count"] == (
        accounting["accepted_count"]
        + accounting["duplicate_count"]
        + accounting["rejected_count"]
        + accounting["suppressed_count"]
    )
    assert accounting["rejected_count"] == sum(accounting["rejected_by_reason"].values())
    assert accounting["received_count"] == sample.summary.received_count


@pytest.mark.parametrize("with_bots", [False, True])
@pytest.mark.parametrize("grouping", ["by_day", "by_capsule", "by_channel", "by_country", "by_device"])
def test_every_grouping_adds_up_to_the_total(sample: Sample, grouping: str, with_bots: bool) -> None:
    block = sample.truth["bots_included"] if with_bots else sample.truth
    additive = ("view_count", "session_count", "turn_count", "conversion_count", "bounce_count", "lead_count")
    for metric in additive:
        assert sum(row[metric] for row in block[grouping].values()) == block["metrics"][metric]


def test_new_returning_and_unknown_visitors_are_all_visitors(sample: Sample) -> None:
    rows = [sample.truth["metrics"], *sample.truth["by_day"].values(), *sample.truth["by_capsule"].values()]
    for row in rows:
        parts = row["new_visitor_count"] + row["returning_visitor_count"] + row["unknown_visitor_count"]
        assert parts == row["visitor_count"]


def test_bots_add_sessions_and_never_identified_visitors(sample: Sample) -> None:
    people, everyone = sample.truth["metrics"], sample.truth["bots_included"]["metrics"]
    assert everyone["session_count"] > people["session_count"]
    assert everyone["new_visitor_count"] == people["new_visitor_count"]
    assert everyone["turn_count"] == people["turn_count"]
    assert set(sample.truth["bots_included"]["by_device"]) - set(sample.truth["by_device"]) == {"bot"}


# --- it looks like life --------------------------------------------------------------------------


def test_the_volume_is_what_was_asked_for(sample: Sample) -> None:
    assert sample.truth["events"] == pytest.approx(3 * 35 * 400, rel=0.10)


def test_rates_are_those_of_a_living_product(sample: Sample) -> None:
    metrics = sample.truth["metrics"]
    assert 0.2 < metrics["bounce_rate"] < 0.5
    assert 0.4 < metrics["engagement_rate"] < 0.9
    assert 0.02 < metrics["conversion_rate"] < 0.2
    assert 0.05 < metrics["zero_result_rate"] < 0.3
    assert 0.05 < metrics["video_completion_rate"] < 0.5
    assert 0.2 < metrics["return_visit_rate"] < 0.6
    assert 3 < metrics["turns_per_conversation_avg"] < 8
    assert metrics["turns_per_conversation_median"] < metrics["turns_per_conversation_avg"]
    assert set(metrics["revenue"]) == {"EUR", "USD"}
    assert all(amount > 0 for amount in metrics["revenue"].values())


def test_every_channel_and_device_and_many_countries_occur(sample: Sample) -> None:
    assert set(sample.truth["by_channel"]) == {
        "direct", "search", "social", "referral", "email", "paid_search", "paid_social", "paid_other",
        "ai_assistant", "campaign_link", "internal", "unknown",
    }  # fmt: skip
    assert set(sample.truth["by_device"]) == {"desktop", "mobile", "tablet", "unknown"}
    assert {"US", "DE", "IN", "BR", "unknown"} < set(sample.truth["by_country"])


def test_weekends_are_quieter_and_the_last_weeks_busier(sample: Sample) -> None:
    by_weekday: dict[int, list[int]] = defaultdict(list)
    sessions = {day: row["session_count"] for day, row in sample.truth["by_day"].items()}
    for day, count in list(sessions.items())[:28]:
        by_weekday[datetime.fromisoformat(day).weekday()].append(count)
    assert sum(by_weekday[6]) < 0.8 * sum(by_weekday[1])
    counts = list(sessions.values())
    assert sum(counts[-15:-1]) > 1.1 * sum(counts[:14])


def test_the_incident_is_significant(sample: Sample) -> None:
    incident = sample.truth["incident"]
    before, during = incident["before"], incident["during"]
    assert min(before["session_count"], during["session_count"]) >= 30
    # Two-proportion z-test; 4.5 is beyond 1 % even after correcting for a thousand tests.
    sessions = before["session_count"] + during["session_count"]
    pooled = (before["bounce_count"] + during["bounce_count"]) / sessions
    spread = math.sqrt(pooled * (1 - pooled) * (1 / before["session_count"] + 1 / during["session_count"]))
    difference = (
        during["bounce_count"] / during["session_count"] - before["bounce_count"] / before["session_count"]
    )
    assert difference / spread > 4.5
    assert (incident["from"], incident["to"]) == ("2026-03-12", "2026-03-18")


def test_a_short_stream_has_no_incident(tmp_path: Path) -> None:
    assert _write(tmp_path, day_count=20).truth["incident"] is None


# --- every kind of dirt --------------------------------------------------------------------------


@pytest.mark.parametrize("day_count", [1, 35])
def test_every_reason_of_rejection_occurs_even_in_one_day(tmp_path: Path, day_count: int) -> None:
    rejected = _write(tmp_path, day_count=day_count).truth["accounting"]["rejected_by_reason"]
    assert set(rejected) == {
        "not_utf8", "not_json", "not_an_object", "missing_field", "blank_field", "wrong_type",
        "unknown_event_type", "timestamp_unreadable", "timestamp_without_offset", "timestamp_in_future",
        "custom_without_name", "id_conflict", "not_a_number", "duplicate_key",
    }  # fmt: skip


def test_some_lines_are_resent_in_the_same_file_and_in_another(sample: Sample) -> None:
    files: dict[bytes, list[str]] = defaultdict(list)
    for path in sample.summary.landing.glob("events-*"):
        content = path.read_bytes()
        for line in (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines():
            files[line].append(path.name)
    resent = [names for names in files.values() if len(names) == 2]
    assert any(first == second for first, second in resent)
    assert any(first != second for first, second in resent)
    assert 0 < len(resent) <= sample.truth["accounting"]["duplicate_count"]


def test_events_come_late_by_up_to_twenty_days(sample: Sample) -> None:
    days_late: Counter[int] = Counter()
    for path in sample.summary.landing.glob("events-*.gz"):
        arrived = datetime.fromisoformat(path.name[7:17]).date()
        for line in gzip.decompress(path.read_bytes()).splitlines():
            event = _readable(line)
            if event is not None and event["timestamp"][:4] == "2026":
                days_late[(arrived - _instant(event).date()).days] += 1
    assert days_late[1] > 0
    assert days_late[5] > 0
    assert days_late[20] == 1
    assert max(days_late) == 20
    assert sample.truth["late_event_count"] > 100


def test_senders_spell_the_same_things_differently(sample: Sample) -> None:
    events = [event for event in sample.events() if "metadata" in event]
    stamps = {str(event.get("timestamp", ""))[19:] for event in events}
    assert "Z" in stamps
    assert any(stamp.endswith("+01:00") for stamp in stamps)
    assert any(stamp.endswith("-05:00") for stamp in stamps)
    keys = {key for event in events for key in event["metadata"]}
    assert {"messageId", "message_id", "ctaType", "cta_type", "userAgent", "user_agent", "ip"} <= keys
    assert {"visitorId", "consent", "dnt", "gpc", "optOut", "utmSource", "referrer", "playId"} <= keys
    assert any("eventId" not in event for event in events)


def test_some_queries_carry_what_must_be_masked(tmp_path: Path) -> None:
    events = _write(tmp_path, events_per_day=900).events()
    queries = {str(event.get("metadata", {}).get("query", "")) for event in events}
    assert any("@" in query for query in queries)
    assert any("+49 30" in query for query in queries)


def test_anonymous_sessions_with_a_user_agent_have_a_network_of_their_own(sample: Sample) -> None:
    events = _admitted(sample)
    identified = {event["sessionId"] for event in events if _persons(event)[1:]}
    sessions: dict[str, set[str]] = defaultdict(set)
    for event in events:
        metadata = event["metadata"]
        if event["sessionId"] not in identified and "userAgent" in metadata:
            sessions[metadata["ip"].rsplit(".", 1)[0]].add(event["sessionId"])
    assert len(sessions) > 500
    assert {len(own) for own in sessions.values()} == {1}


# --- the recount ---------------------------------------------------------------------------------


def _readable(line: bytes) -> dict[str, Any] | None:
    """The event of a line that METRICS accepts, judged by a few rules of this file's own."""

    def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key twice")
        return dict(pairs)

    def no_constant(name: str) -> float:
        raise ValueError(name)

    try:
        event = json.loads(line, object_pairs_hook=unique_keys, parse_constant=no_constant)
        ids = (event["capsuleId"], event["sessionId"])
        instant = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
    except (ValueError, KeyError, TypeError):
        return None
    if any(not isinstance(text, str) or not text.strip() for text in ids):
        return None
    if instant.tzinfo is None or instant > NOW + timedelta(minutes=5):
        return None
    if event["eventType"] not in ("view", "interaction", "conversion", "content_access", "custom"):
        return None
    if event["eventType"] == "custom" and "name" not in event["metadata"]:
        return None
    return event


def _instant(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")).astimezone(UTC)


def _camel(metadata: dict[str, Any]) -> dict[str, Any]:
    def name(key: str) -> str:
        head, *rest = key.split("_")
        return head + "".join(part.title() for part in rest)

    return {name(key): value for key, value in metadata.items()}


def _admitted(sample: Sample) -> list[dict[str, Any]]:
    """Accepted events: each identity once (the earliest instant), without persons after opting out."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for line in sample.lines():
        event = _readable(line)
        if event is None:
            continue
        event["at"] = _instant(event)
        event["metadata"] = _camel(event["metadata"])
        content = json.dumps({**event, "timestamp": "", "at": event["at"].isoformat()}, sort_keys=True)
        key = (event["capsuleId"], event.get("eventId", content))
        if key not in best or event["at"] < best[key]["at"]:
            best[key] = event
    opted_out: dict[str, datetime] = {}
    for event in best.values():
        if event["metadata"].get("optOut"):
            for person in _persons(event):
                opted_out[person] = event["at"]
    return [
        event
        for event in best.values()
        if not any(
            event["at"] >= opted_out.get(person, event["at"] + timedelta(1)) for person in _persons(event)
        )
    ]


def _persons(event: dict[str, Any]) -> list[str]:
    ids = (event.get("userId"), event["metadata"].get("visitorId"), event["sessionId"])
    return [str(each) for each in ids if each]


def _sessions(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Events of one session id on one capsule, cut by silence and by another signed-in user."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(events, key=lambda each: each["at"]):
        grouped[(event["capsuleId"], event["sessionId"])].append(event)
    sessions = []
    for group in grouped.values():
        user = None
        for event in group:
            last = sessions[-1][-1] if sessions and event is not group[0] else None
            other_user = user is not None and event.get("userId") not in (None, user)
            if last is None or event["at"] - last["at"] > timedelta(minutes=30) or other_user:
                sessions.append([])
                user = None
            user = event.get("userId") or user
            sessions[-1].append(event)
    return sessions


def _is_bot(session: list[dict[str, Any]]) -> bool:
    per_minute = Counter(event["at"].replace(second=0, microsecond=0) for event in session)
    return (
        max(per_minute.values()) > 300
        or session[-1]["at"] - session[0]["at"] > timedelta(hours=24)
        or any("bot" in str(e["metadata"].get("userAgent", "")).lower() for e in session)
        or any(e["metadata"].get("device") == "bot" for e in session)
    )


def _visitor(session: list[dict[str, Any]]) -> str:
    first = session[0]
    users = [event["userId"] for event in session if "userId" in event]
    metadata = first["metadata"]
    refused = metadata.get("consent") in (False, "denied") or metadata.get("dnt") or metadata.get("gpc")
    if users:
        return f"user {users[0]}"
    if "visitorId" in metadata and not refused:
        return f"visitor {metadata['visitorId']}"
    return f"session {first['capsuleId']} {first['sessionId']}"


def _says(event: dict[str, Any], role: str) -> bool:
    return event["metadata"].get("action") == "message" and event["metadata"].get("role") == role


def _is_access(event: dict[str, Any]) -> bool:
    action = event["metadata"].get("action", "open")
    return event["eventType"] == "content_access" and action in ("open", "download", "play")


def _recount(sessions: list[list[dict[str, Any]]]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    visitors: dict[str, list[list[dict[str, Any]]]] = defaultdict(list)
    revenue: Counter[str] = Counter()
    converting, seconds, engaged_seconds = set(), [], 0.0
    for session in sorted(sessions, key=lambda each: each[0]["at"]):
        visitors[_visitor(session)].append(session)
        views = sum(event["eventType"] == "view" for event in session)
        turns = len({e["metadata"].get("messageId", id(e)) for e in session if _says(e, "user")})
        replies = sum(_says(event, "assistant") for event in session)
        accesses = sum(_is_access(event) for event in session)
        clicks = sum(event["metadata"].get("action") == "cta_click" for event in session)
        orders = {
            (e["metadata"]["conversionType"], e["metadata"].get("orderId", id(e))): e["metadata"]
            for e in session
            if e["eventType"] == "conversion"
        }
        for metadata in orders.values():
            if isinstance(metadata.get("value"), int | float):
                revenue[metadata["currency"]] += round(metadata["value"] * 100)
        quiet = ("message", "heartbeat", "cta_impression", "cite")
        deeds = turns + sum(
            e["eventType"] != "view" and e["metadata"].get("action") not in quiet for e in session
        )
        gaps = [(b["at"] - a["at"]).total_seconds() for a, b in pairwise(session)]
        engaged = sum(min(gap, 60.0) for gap in gaps)
        seconds.append(sum(gaps))
        engaged_seconds += engaged
        if clicks or orders:
            converting.add(_visitor(session))
        counts["view_count"] += views
        counts["turn_count"] += turns
        counts["message_count"] += turns + replies
        counts["conversation_count"] += turns > 0
        counts["content_access_count"] += accesses
        counts["search_count"] += sum(e["metadata"].get("action") == "search" for e in session)
        counts["cta_click_count"] += clicks
        counts["conversion_count"] += clicks + len(orders)
        counts["bounce_count"] += views == 1 and deeds == 0
        counts["engaged_session_count"] += bool(
            turns or accesses or clicks or orders or views > 1 or engaged >= 10
        )
    identified = {name: own for name, own in visitors.items() if not name.startswith("session ")}
    returning = sum(
        len(own) > len({session[0]["capsuleId"] for session in own}) for own in identified.values()
    )
    return dict(counts) | {
        "session_count": len(sessions),
        "session_seconds_avg": round(sum(seconds) / len(seconds), 6),
        "engaged_seconds_total": round(engaged_seconds, 3),
        "visitor_count": len(visitors),
        "returning_visitor_count": returning,
        "unknown_visitor_count": len(visitors) - len(identified),
        "converting_visitor_count": len(converting),
        "revenue": {currency: cents / 100 for currency, cents in sorted(revenue.items())},
    }


def test_the_truth_equals_a_recount_of_the_written_lines(tmp_path: Path) -> None:
    sample = _write(tmp_path, day_count=30)
    events = _admitted(sample)
    assert len(events) == sample.truth["accounting"]["accepted_count"]
    sessions = _sessions(events)
    people = [session for session in sessions if not _is_bot(session)]
    for block, recounted in (
        (sample.truth["metrics"], _recount(people)),
        (sample.truth["bots_included"]["metrics"], _recount(sessions)),
    ):
        assert {metric: block[metric] for metric in recounted} == recounted


def test_channels_of_the_truth_are_those_the_lines_tell(tmp_path: Path) -> None:
    sample = _write(tmp_path, day_count=5)
    social = sum(
        any(
            "linkedin" in host or host in ("t.co", "www.facebook.com", "www.reddit.com") for host in _hosts(s)
        )
        for s in _sessions(_admitted(sample))
    )
    assert social == sample.truth["by_channel"]["social"]["session_count"] > 0


def _hosts(session: list[dict[str, Any]]) -> list[str]:
    return [urlsplit(str(event["metadata"].get("referrer", ""))).netloc for event in session]


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("capsule_count", 0, "from 1 to 64"),
        ("day_count", 391, "from 1 to 390"),
        ("events_per_day", -5, "from 1 to 1000000"),
        ("seed", 1.5, "from 0"),
    ],
)
def test_an_argument_out_of_range_is_named_with_its_range(
    tmp_path: Path, argument: str, value: object, allowed: str
) -> None:
    with pytest.raises(SampleError, match=f"{argument} is {value}.*{allowed}"):
        _write(tmp_path, **{argument: value})
    assert not list(tmp_path.iterdir())


def test_a_clock_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="without a time zone"):
        _write(tmp_path, now=datetime(2026, 3, 18, 15, 30))  # noqa: DTZ001


def test_the_smallest_stream_is_written_too(tmp_path: Path) -> None:
    sample = _write(tmp_path, capsule_count=1, day_count=1, events_per_day=1)
    assert sample.truth["accounting"]["received_count"] == sum(1 for _ in sample.lines())
    assert sample.truth["from"] == sample.truth["to"] == "2026-03-18"


def test_sixty_four_capsules_have_names_of_their_own(tmp_path: Path) -> None:
    sample = _write(tmp_path, capsule_count=64, day_count=1, events_per_day=5)
    lines = (sample.summary.landing / "catalog" / "capsules.ndjson").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["name"] for line in lines}) == 64
    assert len({json.loads(line)["capsuleId"] for line in lines}) == 64


def test_the_catalogue_lists_content_that_nobody_opens(sample: Sample) -> None:
    text = (sample.summary.landing / "catalog" / "content.ndjson").read_text(encoding="utf-8")
    listed = {(row["capsuleId"], row["contentId"]) for row in map(json.loads, text.splitlines())}
    opened = {
        (event.get("capsuleId"), event["metadata"]["contentId"])
        for event in sample.events()
        if "contentId" in event.get("metadata", {})
    }
    assert ("pricing-explained", "doc-legacy") in listed - opened
    assert len(listed - opened) >= 3


# --- live ----------------------------------------------------------------------------------------


def test_a_live_batch_depends_on_seed_index_and_instant_alone() -> None:
    assert live_batch(7, 3, NOW) == live_batch(7, 3, NOW)
    assert live_batch(7, 3, NOW) != live_batch(8, 3, NOW)


def test_live_batches_have_five_to_forty_events_of_the_last_seconds() -> None:
    event_ids = set()
    for index in range(300):
        now = NOW + timedelta(seconds=5 * index)
        batch = live_batch(7, index, now)
        assert 5 <= len(batch) <= 40
        instants = [_instant(event) for event in batch]
        assert instants == sorted(instants)
        assert now - timedelta(seconds=5) <= instants[0] <= instants[-1] <= now
        event_ids |= {event["eventId"] for event in batch}
    assert len(event_ids) == sum(
        len(live_batch(7, index, NOW + timedelta(seconds=5 * index))) for index in range(300)
    )


def test_a_live_visit_goes_on_in_the_next_batch() -> None:
    sessions = [
        {event["sessionId"] for event in live_batch(7, index, NOW + timedelta(seconds=5 * index))}
        for index in range(6)
    ]
    assert sessions[2] & sessions[3]


def test_live_files_sort_by_time_and_never_share_a_name(tmp_path: Path) -> None:
    instants = [NOW + timedelta(seconds=5 * index) for index in range(8)]
    ticks = iter([NOW, NOW, *instants])
    asked = iter([False] * 1000)
    written: list[Path] = []
    summary = write_live(
        tmp_path,
        seed=7,
        stop=lambda: len(written) == 8 or next(asked),
        clock=lambda: next(ticks),
        sleep=lambda seconds: None,
        on_file=lambda path, count: written.append(path),
    )
    assert summary.file_count == 8
    assert [path.name for path in written] == sorted({path.name for path in tmp_path.iterdir()})
    assert summary.event_count == sum(len(path.read_bytes().splitlines()) for path in written)
    assert live_file_name(NOW, 1) != live_file_name(NOW, 2)
    # People find the file of a line by its name.
    assert mask_text(live_file_name(NOW, 1_764_077)) == live_file_name(NOW, 1_764_077)


def test_an_interval_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"interval_seconds is 0; use seconds from 0\.2 to 3600"):
        write_live(tmp_path, seed=7, interval_seconds=0, stop=lambda: True)
