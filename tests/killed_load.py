"""A load that kills itself: `python -m tests.killed_load MODULE:FUNCTION:before|after:NTH [load|publish]`.

The process ends as by `kill -9` at the NTH call of the function, without any cleaning up; with `-` it runs to
its end. A killed call of `publish` works on whatever marts the warehouse has.
"""

import importlib
import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any

from orchestration.micro_batch import load_pending
from orchestration.publication import publish
from orchestration.settings import load_settings
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


def main() -> None:
    if sys.argv[1] != "-":
        arm(sys.argv[1])
    settings = load_settings()
    print("started", flush=True)
    if sys.argv[2:] == ["publish"]:
        with writer_lock(settings), open_warehouse(settings) as connection:
            publish(connection, settings, datetime.now(UTC))
    else:
        load_pending(settings)


if __name__ == "__main__":
    main()
