"""A question in SQL over the current publication: what `engagement sql` runs.

The connection is the sandbox (`publications.py`): read-only, no files, no network, locked settings.
An answer is held in memory and read by a person or a script, so it has a largest size and a longest
time; whole tables are for `engagement export`, which streams.
Not here: the dashboard's own queries (`queries.py`).
"""

import threading
from typing import Any, Final

import duckdb

from app.publications import Publication, open_cursor
from app.queries import finite

ROWS_LIMIT: Final = 100_000
SECONDS_LIMIT: Final = 60.0


class QueryRefused(ValueError):
    """The query is wrong, too large, too slow, or asks for something a reader may not do."""


def run_query(
    publication: Publication,
    query: str,
    *,
    rows_limit: int = ROWS_LIMIT,
    seconds_limit: float = SECONDS_LIMIT,
) -> list[dict[str, Any]]:
    """Rows of one read-only statement; column names as the statement names them.

    Numbers that are not finite become None, as everywhere. QueryRefused beyond `rows_limit` rows or
    after `seconds_limit` seconds.
    """
    with open_cursor(publication) as cursor:
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            cursor.interrupt()

        timer = threading.Timer(seconds_limit, stop)
        timer.daemon = True
        timer.start()
        try:
            statements = duckdb.extract_statements(query)
            if len(statements) != 1:
                raise QueryRefused(f"One statement at a time, please; this text holds {len(statements)}.")
            cursor.execute(statements[0])
            names = [column[0] for column in cursor.description or ()]
            found = cursor.fetchmany(rows_limit + 1)
        except duckdb.Error as error:
            if is_late.is_set():
                raise QueryRefused(
                    f"The query was stopped after {seconds_limit:g} seconds. Ask for fewer days or "
                    "columns, or for sums instead of rows; whole tables come faster with "
                    "`engagement export`."
                ) from error
            raise QueryRefused(
                f"The query can't be run: {error}. Tables: select table_name from information_schema.tables"
            ) from error
        finally:
            timer.cancel()
            # Alive when Python ends, it would hold the cursor, which DuckDB's module prints as a leak.
            timer.join()
    if len(found) > rows_limit:
        raise QueryRefused(
            f"The answer has more than {rows_limit:,} rows. Aggregate (`group by`), add a `limit`, or "
            "use `engagement export` for whole tables."
        )
    return [{name: _cleaned(value) for name, value in zip(names, row, strict=True)} for row in found]


def _cleaned(value: Any) -> Any:
    """`finite`, also inside lists, structs and maps."""
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    return finite(value)
