"""What other people's events and the catalogues say of erased people: their ids are masked there.

Why it exists: a search for an id, a property `invitedBy`, the owner of a capsule name a person whose own rows
are found by keys. Those rows are somebody else's and stay; the id in them goes, from warehouse and archive.
Not here: the person's own rows (`erased_rows.py`), landed files (`erased_originals.py`).
"""

import glob
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.archive import row_groups, write_sealed
from orchestration.catalog import CATALOGUES
from orchestration.erasure_list import WORD_OF_A_TEXT, ErasureList
from orchestration.erasure_requests import ErasureRequest, save_request
from orchestration.event_fields import MAX_ID_CHARACTERS
from orchestration.file_names import name_parts
from orchestration.journal import BatchRecord, put_in_place, write_record
from orchestration.mentions import TELLING_CHARACTERS, Mentions
from orchestration.places import COLUMNS
from orchestration.raw_events import last_batch_id, roll_back
from orchestration.raw_schema import EVENT_COLUMNS
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

# What a sender writes. A capsule's id stays: masked, it would be another capsule than that of later events.
_TEXTS: Final = tuple(
    name
    for name, kind in EVENT_COLUMNS.items()
    if kind == "varchar" and name != "capsule_id" and COLUMNS[name] in ("text", "none")
)
_FILES_A_STATEMENT: Final = 500
_FEW_FORMS: Final = 4
_FILES: Final = "read_parquet(?, hive_partitioning = false, union_by_name = true, filename = true)"
NAMED: Final = "texts of others"


def note_mentions(
    connection: duckdb.DuckDBPyConnection, archive: Path, request: ErasureRequest, ids: Mentions
) -> list[Path]:
    """Notes in a request what others say of its people, after `find_person`; returns such sealed files."""
    told = ids.telling()
    if not told.telling_forms():
        return []
    _find_naming(connection, told)
    _note(connection, request, told)
    return _sealed_with(connection, archive, told)


def mask_mentions(settings: Settings, requests: Sequence[ErasureRequest], ids: Mentions) -> bool:
    """Masks these people's ids in everything that is stored of others; whether figures have to be renewed.

    What is found is noted in the requests first, so that a pass that was killed counts it once. The people's
    own rows are gone already.
    """
    told = ids.telling()
    pattern = _pattern(told)
    if not pattern:
        return False
    with open_warehouse(settings) as connection:
        connection.execute("create or replace temp table erased_stored as from raw.events limit 0")
        count = _find_naming(connection, told) + _catalogue_count(connection, told)
        for request in requests if count else ():
            _note(connection, request, Mentions(request.ids).among(told))
            save_request(settings, request)
        if count:
            record = BatchRecord(last_batch_id(connection) + 1, datetime.now(UTC), ())
            write_record(settings.archive, record)
            _mask_rows(connection, record, pattern)
        sealed = _sealed_with(connection, settings.archive, told)
    for path in sealed:
        if path.parent == settings.archive:
            write_sealed((_masked(part, pattern) for part in row_groups(path)), path, settings.tmp)
        else:
            _write_anew(path, pq.read_table(path), pattern)
    for path in settings.archive.glob("*.catalogue.json"):
        _mask_catalogue(path, told)
    return count > 0 or any(request.counts.get(NAMED) for request in requests)


def ids_met(settings: Settings, erased: ErasureList) -> set[str]:
    """Ids of people on the list that stand in texts or in names of files, as after a backup was restored.

    Every word that is stored is compared with the list, at some seconds a million words: only for returns.
    """
    words: set[str] = set()
    query = f"""select distinct word from (
            select unnest(regexp_extract_all({{}}, '{WORD_OF_A_TEXT}')) as word from {{}}
        ) where length(word) between {TELLING_CHARACTERS} and {MAX_ID_CHARACTERS}"""
    with open_warehouse(settings) as connection:
        sources: list[tuple[str, str, list[list[str]]]] = [(_joined(_TEXTS), "raw.events", [])]
        sources += [(_joined(_texts_of(table)), f"raw.{table}", []) for table in CATALOGUES]
        sources += [
            (_joined(texts), _FILES, [listed]) for listed, texts in _packed(connection, settings.archive)
        ]
        for texts, source, values in sources:
            words |= {word for (word,) in connection.execute(query.format(texts, source), values).fetchall()}
        names = connection.execute("select distinct file_name from raw.event_files").fetchall()
    words |= {part for (name,) in names for part in name_parts(name) if len(part) >= TELLING_CHARACTERS}
    return erased.erased_ids(words)


def mentions_left(settings: Settings, ids: Mentions) -> dict[str, int]:
    """Where texts still name somebody, packed or not: place → rows or files; empty when nowhere."""
    told = ids.telling()
    if not told.telling_forms():
        return {}
    with open_warehouse(settings) as connection:
        connection.execute("create or replace temp table erased_stored as from raw.events limit 0")
        left = {
            "warehouse/warehouse.duckdb": _find_naming(connection, told) + _catalogue_count(connection, told),
            "archive/*.parquet": len(_sealed_with(connection, settings.archive, told)),
        }
    return {place: count for place, count in left.items() if count}


def capsule_ids_naming(settings: Settings, ids: Mentions) -> list[str]:
    """The ids of capsules that are or hold an id of these people; nobody here can rename a capsule."""
    with open_warehouse(settings) as connection:
        rows = connection.execute(
            """select capsule_id from raw.event_file_counts where capsule_id is not null
            union select capsule_id from raw.capsules union select capsule_id from raw.content order by 1"""
        ).fetchall()
    return [capsule_id for (capsule_id,) in rows if ids.within_name(capsule_id.encode("utf-8", "replace"))]


def _find_naming(connection: duckdb.DuckDBPyConnection, ids: Mentions) -> int:
    """Leaves the temporary table `naming_events`: rows whose texts name somebody, but for their own."""
    condition, values = _condition(_TEXTS, ids)
    connection.execute(
        f"""create or replace temp table naming_events as
        select file_id, line_number, capsule_id, client_session_key, occurred_at, event_date,
            {_joined(_TEXTS)} as texts
        from raw.events
        where {condition}
            and (file_id, line_number) not in (select (file_id, line_number) from erased_stored)""",
        values,
    )
    return _count(connection, "select count(*) from naming_events", [])


def _catalogue_count(connection: duckdb.DuckDBPyConnection, ids: Mentions) -> int:
    count = 0
    for table in CATALOGUES:
        condition, values = _condition(_texts_of(table), ids)
        count += _count(connection, f"select count(*) from raw.{table} where {condition}", values)
    return count


def _count(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[str]) -> int:
    row = connection.execute(query, list(values)).fetchone()
    return int(row[0]) if row else 0


def _joined(columns: Sequence[str]) -> str:
    return f"concat_ws(chr(10), {', '.join(columns)})"


def _condition(columns: Sequence[str], ids: Mentions) -> tuple[str, list[str]]:
    """SQL and its values: whether any of the columns names somebody. Of few ids plain texts are looked for
    first, at half the cost."""
    pattern, forms = _pattern(ids), ids.telling_forms()
    if len(forms) > _FEW_FORMS:
        return f"regexp_matches({_joined(columns)}, ?)", [pattern]
    contains = " or ".join(f"contains({_joined(columns)}, ?)" for _ in forms) or "false"
    return f"(({contains}) and regexp_matches({_joined(columns)}, ?))", [*forms, pattern]


def _note(connection: duckdb.DuckDBPyConnection, request: ErasureRequest, ids: Mentions) -> None:
    pattern = _pattern(ids)
    if not pattern:
        return
    row = connection.execute(
        """select count(*), list(distinct capsule_id order by capsule_id), min(event_date), max(event_date)
        from naming_events where regexp_matches(texts, ?)""",
        [pattern],
    ).fetchone()
    assert row is not None
    if not (count := row[0] + _catalogue_count(connection, ids)):
        return
    request.counts[NAMED] = max(request.counts.get(NAMED, 0), count)
    request.capsules = sorted({*request.capsules, *(row[1] or [])})
    days = [
        day for day in (request.first_day, request.last_day, *(str(day) for day in row[2:] if day)) if day
    ]
    request.first_day, request.last_day = (min(days), max(days)) if days else (None, None)


def _mask_rows(connection: duckdb.DuckDBPyConnection, record: BatchRecord, pattern: str) -> None:
    """In one transaction; the models renew the sessions around as if the rows had gone and come again."""
    moment = record.loaded_at.replace(tzinfo=None)
    connection.execute("begin transaction")
    try:
        connection.execute(
            """insert into raw.removed_events
            select ?, capsule_id, client_session_key, occurred_at from naming_events""",
            [record.batch_id],
        )
        connection.execute(
            f"""update raw.events set {_masks(_TEXTS)}
            where (file_id, line_number) in (select (file_id, line_number) from naming_events)""",
            {"pattern": pattern},
        )
        for table in CATALOGUES:
            connection.execute(f"update raw.{table} set {_masks(_texts_of(table))}", {"pattern": pattern})
        connection.execute(
            "insert into raw.load_batches values (?, ?, 0, 0, null)", [record.batch_id, moment]
        )
        connection.execute("commit")
    except BaseException:
        roll_back(connection)
        raise


def _masks(columns: Sequence[str]) -> str:
    # Twice: of two ids with one sign between them the first takes the sign.
    once = "regexp_replace({}, $pattern, '\\1[masked]\\2', 'g')"
    return ", ".join(f"{name} = {once.format(once.format(name))}" for name in columns)


def _texts_of(table: str) -> list[str]:
    columns = CATALOGUES["capsules" if table == "capsules" else "content"].values()
    return [name for name in columns if COLUMNS[name] == "text" or name in ("capsule_name", "content_id")]


def _pattern(ids: Mentions) -> str:
    """For DuckDB and Arrow, whose regular expressions look neither behind nor ahead; empty for nobody."""
    forms = "|".join(map(re.escape, ids.telling_forms()))
    return rf"(^|[^\w-])(?:{forms})($|[^\w-])" if forms else ""


def _sealed_with(connection: duckdb.DuckDBPyConnection, archive: Path, ids: Mentions) -> list[Path]:
    """The sealed files, and the figures of closed days, in which any text names somebody."""
    found: list[Path] = []
    for listed, texts in _packed(connection, archive):
        condition, values = _condition(texts, ids)
        rows = connection.execute(
            f"select distinct filename from {_FILES} where {condition}", [listed, *values]
        ).fetchall()
        found += [Path(name) for (name,) in rows]
    return sorted(found)


def _packed(connection: duckdb.DuckDBPyConnection, archive: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Parquet files of the archive that are alike, some at a time, with their columns of texts."""
    groups: dict[str, list[Path]] = {}
    for path in sorted(archive.rglob("*.parquet")):
        groups.setdefault(path.name if path.parent != archive else "", []).append(path)
    for paths in groups.values():
        for start in range(0, len(paths), _FILES_A_STATEMENT):
            listed = [glob.escape(str(path)) for path in paths[start : start + _FILES_A_STATEMENT]]
            names = [name for name, *_ in connection.execute(f"describe from {_FILES}", [listed]).fetchall()]
            texts = [name for name in names if COLUMNS.get(name) == "text" or name in _TEXTS]
            if texts:
                yield listed, texts


def _masked(table: pa.Table, pattern: str) -> pa.Table:
    for at, column in enumerate(table.schema):
        is_text = COLUMNS.get(column.name) == "text" or column.name in _TEXTS
        if is_text and pa.types.is_string(column.type):
            values = table[column.name]
            for _ in range(2):
                values = pc.replace_substring_regex(values, pattern, r"\1[masked]\2")
            table = table.set_column(at, column, values)
    return table


def _write_anew(path: Path, table: pa.Table, pattern: str) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    pq.write_table(_masked(table, pattern), draft, compression="zstd")
    put_in_place(draft, path)


def _mask_catalogue(path: Path, ids: Mentions) -> None:
    content = path.read_bytes()
    if not ids.within(content):
        return
    archived = orjson.loads(content)
    texts = {*_texts_of("capsules"), *_texts_of("content")}
    for row in archived["rows"]:
        for name in texts & row.keys():
            row[name] = ids.text_without(row[name]) if isinstance(row[name], str) else row[name]
    draft = path.with_suffix(".tmp")
    draft.write_bytes(orjson.dumps(archived))
    put_in_place(draft, path)
