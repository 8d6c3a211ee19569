"""A landed name says which file it is, and not who is in it."""

import json
from typing import Any

from orchestration.micro_batch import load_pending
from orchestration.originals import delete_loaded
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse, writer_lock
from tests.event_lines import event, lines


def kept_names(settings: Settings) -> list[str]:
    with writer_lock(settings), open_warehouse(settings) as connection:
        found = connection.execute("select file_name from raw.event_files order by file_id").fetchall()
    return [name for (name,) in found]


NAMES: list[tuple[str, dict[str, Any], str]] = [
    ("userId-abc123.ndjson", {"userId": "abc123"}, "userId-[masked].ndjson"),
    ("abc123.ndjson", {"userId": "abc123"}, "[masked].ndjson"),
    ("ABC123_2026-11-20.ndjson", {"userId": "abc123"}, "[masked]_2026-11-20.ndjson"),
    ("u7.ndjson", {"userId": "u7"}, "[masked].ndjson"),
    ("by user/jane.doe.v2.ndjson", {"userId": "jane.doe"}, "by user/[masked].v2.ndjson"),
    ("jane-doe/events.ndjson", {"userId": " jane-doe "}, "[masked]/events.ndjson"),
    ("Zoë.ndjson", {"userId": "Zoë"}, "[masked].ndjson"),
    ("export v-99-x.ndjson", {"metadata": {"visitorId": "v-99-x"}}, "export [masked].ndjson"),
    ("sess-5f.ndjson", {"sessionId": "sess-5f"}, "[masked].ndjson"),
    # Whatever becomes of the line: consent refused, opted out, rejected.
    ("anna77.ndjson", {"userId": "anna77", "metadata": {"consent": False}}, "[masked].ndjson"),
    ("bert78.ndjson", {"userId": "bert78", "metadata": {"optOut": True}}, "[masked].ndjson"),
    ("carl79.ndjson", {"userId": "carl79", "timestamp": "yesterday"}, "[masked].ndjson"),
    # Nobody is named: neither a part of a word, nor a day, nor a capsule, nor somebody of another file.
    ("abc1234.ndjson", {"userId": "abc123"}, "abc1234.ndjson"),
    ("capsule-a-2026-11-20.ndjson", {"userId": "20"}, "capsule-a-2026-11-20.ndjson"),
    ("jane.ndjson", {"userId": "joan"}, "jane.ndjson"),
]
IDS = (
    "abc123",
    "ABC123",
    "u7",
    "jane.doe",
    "jane-doe",
    "Zoë",
    "v-99-x",
    "sess-5f",
    "anna77",
    "bert78",
    "carl79",
)


def land_all(settings: Settings) -> None:
    for number, (name, changes, _) in enumerate(NAMES, start=1):
        path = settings.landing / f"{number}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sent = {"eventId": f"e{number}", "sessionId": f"s{number}"} | changes
        path.write_bytes(lines(event(eventId=f"other {number}"), event(**sent)))


def test_a_name_is_kept_without_the_id_of_a_person_in_the_file(settings: Settings) -> None:
    land_all(settings)
    summary = load_pending(settings)
    kept = sorted(f"{number}/{name}" for number, (_, _, name) in enumerate(NAMES, start=1))
    assert sorted(kept_names(settings)) == kept
    # What was loaded before is named in the same way.
    land_all(settings)
    again = load_pending(settings)
    assert sorted(again.repeated) == kept
    said = json.dumps([summary.as_json(), again.as_json()], ensure_ascii=False)
    journal = "".join(path.read_text("utf-8") for path in (settings.archive / "batches").iterdir())
    said = (said + journal).replace("abc1234.ndjson", "")
    assert [own for own in IDS if own in said] == []


def test_an_id_that_comes_late_in_a_long_file_is_found_by_its_key(settings: Settings) -> None:
    many = [event(eventId=f"e{number}", userId=f"user {number}") for number in range(1000)]
    content = lines(*many, event(eventId="last", userId="abc123"))
    assert content.index(b"abc123") > 64 << 10
    (settings.landing / "abc123.ndjson").write_bytes(content)
    load_pending(settings)
    assert kept_names(settings) == ["[masked].ndjson"]


def test_an_original_is_found_again_by_its_masked_name(settings: Settings) -> None:
    for name, user in (("userId-abc123.ndjson", "abc123"), ("other.ndjson", "jane")):
        (settings.landing / name).write_bytes(lines(event(eventId=name, userId=user)))
    load_pending(settings)
    assert delete_loaded(settings, []) == 0
    assert delete_loaded(settings, ["userId-[masked].ndjson"]) == 1
    assert [path.name for path in (settings.landing / "loaded").iterdir()] == ["other.ndjson"]
