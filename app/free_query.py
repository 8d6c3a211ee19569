"""A question in SQL over the current publication: what `engagement sql` runs.

The connection is the sandbox (`publications.py`): read-only, no files, no network, locked settings.
Not here: the dashboard's own queries (`queries.py`).
"""

from typing import Any

import duckdb

from app.publications import Publication, open_cursor


class QueryRefused(ValueError):
    """The query is wrong or asks for something a reader may not do."""


def run_query(publication: Publication, query: str) -> list[dict[str, Any]]:
    """Rows of one read-only statement; column names as the statement names them."""
    with open_cursor(publication) as cursor:
        try:
            statements = duckdb.extract_statements(query)
            if len(statements) != 1:
                raise QueryRefused(f"One statement at a time, please; this text holds {len(statements)}.")
            cursor.execute(statements[0])
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except duckdb.Error as error:
            raise QueryRefused(
                f"The query can't be run: {error}. Tables: select table_name from information_schema.tables"
            ) from error
