"""Writes dbt's documentation of the models as one page that needs no server and no network.

Run by `make docs`. The column types come from an empty warehouse that is built aside for the purpose: nobody
waits for a load, and no row of a person is near.
Not here: the page of metrics (`app/metric_pages.py`).
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from orchestration import dbt_runner
from orchestration.settings import PROJECT_ROOT, load_settings
from orchestration.warehouse import open_warehouse, writer_lock

SITE: Final = PROJECT_ROOT / "docs" / "site"


def write_site(folder: Path) -> Path:
    """Builds the models over nothing and writes `index.html` into the folder; returns its path."""
    with tempfile.TemporaryDirectory(prefix="engagement-docs-") as home:
        settings = load_settings(home=Path(home), landing=Path(home) / "landing")
        with writer_lock(settings):
            with open_warehouse(settings):
                pass  # Creates schema `raw`, which the staging models read.
            outcome = dbt_runner.build(settings)
            if outcome.failures:
                raise dbt_runner.DbtFailed(f"dbt failed over an empty warehouse: {outcome.failures}")
            page = dbt_runner.generate_docs(settings)
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(page, folder / "index.html"))


if __name__ == "__main__":
    print(write_site(Path(sys.argv[1]) if len(sys.argv) > 1 else SITE))
