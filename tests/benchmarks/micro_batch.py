"""What a micro-batch costs with a history in the warehouse, step by step.

The batch goes the real way: landing folder, load, `dbt build`, publication. Its people are as those of the
year: four in five were there before, with about four sessions each, however long the history.
"""

import itertools
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from orchestration.dbt_runner import build
from orchestration.micro_batch import load_pending
from orchestration.publication import PublicationManifest, publish
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse import open_warehouse, writer_lock
from tests.benchmarks.figures import Figure
from tests.benchmarks.homes import home_settings, say
from tests.benchmarks.year import person_count_of

CAPSULE_COUNT = 100
EVENTS_A_SESSION = 8
SLOWEST = 12


def write_batch(settings: Settings, event_count: int, now: datetime, number: int, history: int) -> None:
    """A file as one would land now: sessions of the last hours, one event in fifty up to 40 days late."""
    drawn = random.Random(number)
    lines: list[bytes] = []
    session = 0
    while len(lines) < event_count:
        session += 1
        capsule = f"capsule-{int(CAPSULE_COUNT * drawn.random() ** 2):03d}"
        visitor = drawn.randrange(person_count_of(history) * 5 // 4)
        late = timedelta(days=drawn.uniform(0, 40)) if session % 50 == 0 else timedelta()
        start = now - timedelta(seconds=drawn.uniform(600, 7200)) - late
        for place in range(drawn.randint(1, 2 * EVENTS_A_SESSION - 1)):
            at = start + timedelta(seconds=20 * place)
            kind = drawn.random()
            metadata: dict[str, object] = {
                "device": "mobile",
                "visitorId": f"visitor-{visitor}",
            }
            event_type = "view" if place == 0 else "interaction"
            if place and kind < 0.7:
                metadata |= {"action": "message", "role": "user" if place % 2 else "assistant"}
            elif place and kind < 0.8:
                event_type, metadata["contentId"] = "content_access", f"item-{drawn.randint(0, 29)}"
            elif place and kind < 0.9:
                metadata |= {"action": "cta_click", "ctaId": f"cta-{drawn.randint(0, 2)}", "ctaType": "demo"}
            elif place:
                event_type = "conversion"
                metadata |= {
                    "conversionType": "sale",
                    "value": 10,
                    "currency": "EUR",
                    "orderId": f"o{number}-{session}",
                }
            lines.append(
                orjson.dumps(
                    {
                        "eventId": f"{number}-{session}-{place}",
                        "eventType": event_type,
                        "capsuleId": capsule,
                        "sessionId": f"{number}-{session}",
                        "timestamp": at.isoformat(),
                        "metadata": metadata,
                    }
                )
            )
    content = b"\n".join(lines[:event_count]) + b"\n"
    (settings.landing / f"batch-{number}.ndjson").write_bytes(content)


def publish_marts(settings: Settings) -> PublicationManifest:
    """Publishes as a run does."""
    with writer_lock(settings), open_warehouse(settings) as connection:
        return publish(connection, settings, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one batch by the clock; `models` and `tests`: what dbt says they took, on two threads.

    `computed…`: processor time, which others on the machine disturb less.
    `anew_because`: why nothing of the last publication was taken over, if so.
    """

    load: float
    build: float
    publish: float
    models: float
    tests: float
    computed_load: float
    computed_build: float
    computed_publish: float
    slowest: tuple[tuple[str, float], ...]
    anew_because: str | None

    @property
    def total(self) -> float:
        return self.load + self.build + self.publish

    @property
    def computed(self) -> float:
        return self.computed_load + self.computed_build + self.computed_publish


def run_batch(settings: Settings, event_count: int, number: int, history: int) -> Cost:
    """Lands one batch, then loads, builds, tests and publishes it."""
    write_batch(settings, event_count, datetime.now(UTC), number, history)
    moments, worked = [time.perf_counter()], [time.process_time()]

    def note() -> None:
        moments.append(time.perf_counter())
        worked.append(time.process_time())

    load_pending(settings)
    note()
    outcome = build(settings)
    note()
    if outcome.failures:
        raise RuntimeError(f"The batch was not built: {outcome.failures}")
    manifest = publish_marts(settings)
    note()
    names = {path.stem for path in (PROJECT_ROOT / "models").rglob("*.sql")}
    models = sum(seconds for name, seconds in outcome.node_seconds.items() if name in names)
    return Cost(
        *(after - before for before, after in itertools.pairwise(moments)),
        models,
        sum(outcome.node_seconds.values()) - models,
        *(after - before for before, after in itertools.pairwise(worked)),
        tuple(sorted(outcome.node_seconds.items(), key=lambda one: -one[1])[:SLOWEST]),
        manifest.anew_because,
    )


def measure(home: Path, history: int, event_count: int, batch_count: int) -> Iterator[Figure]:
    """The median batch of some; one before them warms up and builds what a changed model asks for."""
    settings = home_settings(home)
    costs = []
    for number in range(batch_count + 1):
        cost = run_batch(settings, event_count, int(time.time()) + number, history)
        say(
            f"batch {number or 'to warm up'}: load {cost.load:.1f} s, build {cost.build:.1f} s, "
            f"publish {cost.publish:.1f} s" + (f", anew: {cost.anew_because}" if cost.anew_because else "")
        )
        costs.append(cost)
    costs = costs[1:] or costs
    for name, seconds in costs[-1].slowest:
        say(f"  {seconds:6.2f} s  {name}")

    def median(field: str, what: str, budget: float | None = None) -> Figure:
        middle = statistics.median(getattr(cost, field) for cost in costs)
        return Figure("batch", what, middle, "s", history, budget)

    yield median("total", f"{event_count:,} events loaded, built, tested, published")
    yield median("load", "of which load")
    yield median("build", "of which dbt build", 8.0)
    yield median("models", "models of it, both threads together")
    yield median("tests", "tests of it, both threads together")
    yield median("publish", "of which publish")
    yield median("computed", "processor time of all")
    yield median("computed_load", "processor time of load")
    yield median("computed_build", "processor time of dbt build")
    yield median("computed_publish", "processor time of publish")
