"""A load with too little of something: `python -m tests.starved_load WHAT LIMIT`.

`file_bytes`: no file may grow larger, which is how a full disk looks to one who is not root. `address_bytes`:
memory of the process beyond what it has at its start. `duckdb`: DuckDB's own limit. Prints the accounting,
or the error and its kind.
"""

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path

from orchestration import warehouse
from orchestration.micro_batch import load_pending
from orchestration.settings import load_settings


def starve(what: str, limit: str) -> None:
    if what == "duckdb":
        warehouse.MEMORY_LIMIT = limit  # type: ignore[misc]
    elif what == "file_bytes":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    elif what == "address_bytes":
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + int(limit), used + int(limit)))


def main() -> None:
    starve(*sys.argv[1:3])
    try:
        summary = load_pending(load_settings())
    except Exception as error:  # noqa: BLE001 (the test looks at its kind)
        print(json.dumps({"kind": type(error).__name__, "text": str(error)}))
    else:
        figures = asdict(summary.accounting) | {"refused": summary.refused, "peak_bytes": peak_bytes()}
        print(json.dumps(figures))


def peak_bytes() -> int:
    """The most memory this program held; `ru_maxrss` begins with what the parent held when it forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
