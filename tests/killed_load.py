"""A load that kills itself: `python -m tests.killed_load MODULE:FUNCTION:before|after:NTH [WHAT]`.

The process ends as by `kill -9` at the NTH call of the function, without any cleaning up; with `-` it runs to
its end. WHAT is `publish`, `erase` or `retire MOMENT`. A killed call of `publish` works on whatever marts the
warehouse has. `erase` goes on with the open requests; in place of dbt it renews one mart. `retire` removes
what lies before the window of a moment, and compresses nothing.
"""

import importlib
import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any

from orchestration import erasure, warehouse
from orchestration.micro_batch import load_pending
from orchestration.publication import publish
from orchestration.retention import retire
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import open_warehouse, writer_lock


def arm(point: str) -> None:
    """Puts the trap where the function is looked up."""
    module_name, function_name, when, nth = point.split(":")
    module = importlib.import_module(module_name)
    original = getattr(module, function_name)
    calls = 0

    def trapped(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if when == "before" and calls == int(nth):
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **named)
        if when == "after" and calls == int(nth):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(module, function_name, trapped)


class Built:
    """What `dbt_runner.build` says of a good build."""

    is_good = True


def renew_one_mart(settings: Settings) -> Built:
    """Stands in for dbt: `marts.dim_visitors` and the days, from the raw events."""
    with open_warehouse(settings) as connection:
        connection.execute("create schema if not exists marts")
        connection.execute(
            """create or replace table marts.dim_visitors as
            select coalesce(user_key, visitor_id_key, client_session_key) as visitor_key,
                count(*) as event_count
            from raw.events group by all"""
        )
        connection.execute(
            """create or replace table marts.session_activity_hourly as
            select distinct event_date as activity_date from raw.events"""
        )
        connection.execute("delete from raw.removed_events")
    return Built()


def main() -> None:
    if sys.argv[1] != "-":
        arm(sys.argv[1])
    settings = load_settings()
    print("started", flush=True)
    if sys.argv[2:] == ["publish"]:
        with writer_lock(settings), open_warehouse(settings) as connection:
            publish(connection, settings, datetime.now(UTC))
    elif sys.argv[2:] == ["erase"]:
        if "erasure:build:" not in sys.argv[1]:
            erasure.build = renew_one_mart  # type: ignore[assignment]
        erasure.erase_open_requests(settings)
    elif sys.argv[2:3] == ["retire"]:
        config = warehouse.connection_config
        warehouse.connection_config = lambda settings: (  # type: ignore[assignment]
            config(settings) | {"force_compression": "uncompressed"}
        )
        retire(settings, datetime.fromisoformat(sys.argv[3]))
    else:
        load_pending(settings)


if __name__ == "__main__":
    main()
