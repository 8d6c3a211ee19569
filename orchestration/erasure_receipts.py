"""The end of a pass of erasures: each request is proven, and closed or left open, by itself.

Why it exists: what stands in the way of one person's receipt (a file of others, one that somebody writes to)
must not make everybody else of the pass wait, whom the law gives 30 days too.
Not here: how is looked (`erasure_proof.py`, `erased_mentions.py`), the steps before (`erasure.py`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from orchestration.erased_mentions import capsule_ids_naming, mentions_left
from orchestration.erasure_proof import left_of
from orchestration.erasure_requests import ErasureRequest, close_request
from orchestration.mentions import Mentions
from orchestration.settings import Settings

# What a receipt counts of files, in the pass of all its requests; a dry run says the same of its own.
_REWRITTEN: Final = "landed files rewritten"
_REMOVED: Final = "landed files removed"
ARCHIVED: Final = "archive files rewritten"
NAMES: Final = "names of files rewritten"
PUBLICATIONS: Final = "publications removed"
REPORTS: Final = "reports drawn anew"
LOGS: Final = "logs rewritten"


def landed_counts(originals: Mapping[str, int]) -> dict[str, int]:
    """What `clean_originals` counts, by the names of a receipt."""
    return {_REWRITTEN: originals["rewritten"], _REMOVED: originals["removed"]}


class ErasureIncomplete(RuntimeError):
    """Something of a person is left; the text names requests and places. `receipts`: of the others."""

    def __init__(self, text: str, receipts: Sequence[dict[str, Any]]) -> None:
        super().__init__(text)
        self.receipts = list(receipts)


def close_proven(
    settings: Settings,
    requests: Sequence[ErasureRequest],
    people: Mapping[str, Sequence[str]],
    plain_words: Collection[str],
    files: Mapping[str, int],
    open_count: int,
    started_at: datetime,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Writes the receipt of every request of which nothing is found in any file; returns the receipts.

    `people`: request → keys of the ids that were given; `files`: how many files changed, by the names above;
    `open_count`: landed files that somebody writes to. Raises `ErasureIncomplete` when a request stays open.
    """
    reasons = {}
    if open_count:
        # Which lines are whose is not known of a file that could not be written anew.
        text = f"{open_count} files in {settings.landing} are still open for writing and name them"
        reasons = {request.request_id: text for request in requests if request.keys}
    asked = [request for request in requests if request.request_id not in reasons]
    for request_id, left in _left_by_request(settings, asked, people, plain_words).items():
        listed = ", ".join(f"{place}: {count}" for place, count in left.items())
        reasons[request_id] = f"something of them is left ({listed})"
    receipts = []
    for request in requests:
        if request.request_id not in reasons:
            naming = len(capsule_ids_naming(settings, Mentions(request.ids, plain_words)))
            receipt = _receipt(request, len(requests), files, started_at)
            if naming:
                receipt["capsule_ids_naming"] = naming
                say(
                    f"Request {request.request_id}: {naming} ids of capsules hold an id of theirs and stay. "
                    "Rename these capsules where their events are sent (PRIVACY.md, When somebody asks)"
                )
            close_request(settings, request, receipt)
            receipts.append(receipt)
    if reasons:
        told = "; ".join(f"request {request_id}: {reason}" for request_id, reason in reasons.items())
        raise ErasureIncomplete(
            f"{len(reasons)} of {len(requests)} requests stay open, the others have their receipts. {told}. "
            "Wait until nobody writes to such a file, or remove by hand one that is none of ours; then: "
            "engagement erase --open",
            receipts,
        )
    return receipts


def _left_by_request(
    settings: Settings,
    requests: Sequence[ErasureRequest],
    people: Mapping[str, Sequence[str]],
    plain_words: Collection[str],
) -> dict[str, dict[str, int]]:
    """Request → what is left, by place. All are looked for together, and by halves only if any is found."""
    if not requests:
        return {}
    mentions = Mentions([one for request in requests for one in request.ids], plain_words)
    keys = [key for request in requests for key in (*people[request.request_id], *request.keys)]
    capsule_ids = capsule_ids_naming(settings, mentions)
    left = mentions_left(settings, mentions) | left_of(settings, mentions, keys, capsule_ids)
    if not left:
        return {}
    if len(requests) == 1:
        return {requests[0].request_id: left}
    middle = len(requests) // 2
    return _left_by_request(settings, requests[:middle], people, plain_words) | _left_by_request(
        settings, requests[middle:], people, plain_words
    )


def _receipt(
    request: ErasureRequest, request_count: int, files: Mapping[str, int], started_at: datetime
) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "kind": "erasure" if request.ids else "return",
        "person_count": len(request.ids),
        "requests_in_pass": request_count,
        "requested_at": request.requested_at,
        "due_at": request.due_at.isoformat(),
        "started_at": started_at.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
        "found": request.counts,
        "files": {name: count for name, count in files.items() if count},
        "left": 0,
        "verified": True,
    }
