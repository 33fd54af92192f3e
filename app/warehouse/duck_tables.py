"""Rows that DuckDB reads: files of CSV, Parquet, NDJSON and JSON, and what its extensions reach.

DuckDB's own words about a fault may quote what stands in a file, so only its kind is told.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import orjson

from app.errors import SettingsError, WarehouseError
from app.warehouse.duck_extensions import load_extension, name_of_file, quoted
from app.warehouse.row_tables import ROWS_AT_ONCE, Batch, checked

#: Beyond it DuckDB writes into its folder. A file of CSV is read in blocks of 32 MB.
_MEMORY: Final = "128MB"
#: `#` begins no comment: Shopify's orders are named so.
_CSV: Final = "read_csv({}, all_varchar = true, header = true, null_padding = true, comment = '')"
#: Values stay as they stand there: DuckDB's guesses would write an id that looks like a UUID or a date otherwise.
_JSON: Final = "read_json({}, maximum_depth = 1, sample_size = -1)"
_LINES: Final = _JSON.replace(")", ", format = 'newline_delimited')")
#: The end of a name -> what reads the file; `.gz` may stand behind those of texts.
_READERS: Final = {
    ".csv": _CSV,
    ".tsv": _CSV,
    ".parquet": "read_parquet({})",
    ".ndjson": _LINES,
    ".jsonl": _LINES,
    ".json": _JSON,
}
#: No shop's id, amount or time is longer; a file that packs well may hold texts that no memory does.
_MOST_CHARACTERS: Final = 1_000
#: Of the free disk of its folder, what one DuckDB may write; there are two, of which one also keeps tables.
ROOM_SHARE: Final = 0.25
_IS_FULL: Final = "SELECT total_blocks * block_size > getvariable('room_bytes') FROM pragma_database_size()"
_NO_ROOM: Final = (
    "the rows need more than DuckDB has of memory and of disk in the temporary folder, of which it takes a quarter of "
    "what is free. Split the file, such as by month, or have TMPDIR name a folder with more room"
)
#: So many rows are one JSON: of ten thousand DuckDB takes 40 MB more, and no less time.
_APPENDED: Final = 2_000
_TEXTS: Final = frozenset({"VARCHAR", "JSON"})
#: What texts are ordered by: numbers and moments as such, other texts behind them.
_GROWING: Final = """
(coalesce(TRY_CAST({0} AS DOUBLE), epoch(TRY_CAST({0} AS TIMESTAMPTZ)), 'inf'::DOUBLE), CAST({0} AS VARCHAR))
"""
#: DuckDB loads what it is told to, signed by its makers, and nothing by itself.
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": 2,
    "memory_limit": _MEMORY,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "preserve_insertion_order": True,
}


@contextmanager
def open_duck(
    folder: Path,
    *,
    extensions: Sequence[str] = (),
    only: Path | None = None,
    room_bytes: int | None = None,
    config: Mapping[str, str | int] = MappingProxyType({}),
) -> Iterator[Any]:
    """Open DuckDB with nothing in it; what it comes to hold lies in `folder`, which is made.

    `only` is the one file beside the folder that it may touch, and then it reaches nothing else, nor the network.
    `room_bytes` is the most that it may write, else as much as ROOM_SHARE of what is free there.
    `extensions` are DuckDB's own, of the extra `warehouse`; `config` overrules its usual settings.
    Raises SettingsError where an extra is not installed, WarehouseError for whatever DuckDB raises meanwhile.
    """
    try:
        import duckdb  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as exc:
        raise SettingsError("this needs the extra `files`: pip install 'pinrelay[files]'") from exc
    folder.mkdir(exist_ok=True)
    duck = duckdb.connect(folder / "database", config={**_CONFIG, **config})
    try:
        duck.execute("SET GLOBAL TimeZone = 'UTC'")
        duck.execute(f"SET temp_directory = {quoted(str(folder))}")
        room = int(shutil.disk_usage(folder).free * ROOM_SHARE) if room_bytes is None else room_bytes
        duck.execute(f"SET max_temp_directory_size = '{room} bytes'")
        duck.execute(f"SET VARIABLE room_bytes = {room}")
        for name in extensions:
            load_extension(duck, name)
        if only is not None:
            duck.execute(f"SET allowed_paths = [{quoted(str(only))}]")
            duck.execute(f"SET allowed_directories = [{quoted(str(folder))}]")
            duck.execute("SET enable_external_access = false")
        duck.execute("SET lock_configuration = true")
        yield duck
    except duckdb.Error as exc:
        raise _unreadable(exc) from None
    finally:
        duck.close()


def file_query(where: str) -> str:
    """Return what reads a file, be it at an address. Raises WarehouseError where its name does not say how."""
    suffixes = [suffix.lower() for suffix in Path(name_of_file(where)).suffixes if suffix.lower() != ".gz"]
    reader = _READERS.get(suffixes[-1] if suffixes else "")
    if reader is None:
        raise WarehouseError(f"the name of the file must end with one of {', '.join(_READERS)}")
    return f"SELECT * FROM {reader.format(quoted(where))}"  # noqa: S608 - quoted


class DuckTable:
    """The `RowTable` of a query. What fails is told by `open_duck`, within which it is used."""

    def __init__(self, duck: Any, query: str, *, catalog: str | None = None) -> None:
        """Take what the query reads: tables of `catalog`, if it names some without one."""
        self._duck = duck
        self._catalog = catalog
        self._query = query.strip().rstrip(";")
        described = self._cursor().execute(f"DESCRIBE SELECT * FROM ({self._query})")  # noqa: S608 - the operator's own
        self._types = {name: kind for name, kind, *_ in described.fetchall()}
        self.columns = tuple(self._types)

    def texts(self, columns: Sequence[str | None]) -> Iterator[Sequence[Sequence[str | None]]]:
        """Do `RowTable.texts`."""
        found = ", ".join("NULL" if name is None else self._clipped(name) for name in columns)
        cursor = self._cursor().execute(f"SELECT {found} FROM ({self._query})")  # noqa: S608
        yield from _some(cursor, ROWS_AT_ONCE)

    def wholes(self, *, limit: int) -> Iterator[list[str]]:
        """Do `RowTable.wholes`."""
        cursor = self._cursor().execute(f"SELECT to_json(q)::VARCHAR FROM ({self._query}) AS q")  # noqa: S608
        for rows in _some(cursor, limit):
            yield [row for (row,) in rows]

    def batches(self, cursor: str, since: str | None, *, limit: int) -> Iterator[Batch]:
        """Do `RowTable.batches`."""
        at = self._text(cursor)
        kind = self._types[cursor]
        if kind in _TEXTS:
            by, begin = _GROWING.format(at), _GROWING.format("$since")
        else:
            by, begin = checked(cursor, self.columns), f"CAST($since AS {kind})"
        asked = f"{at} IS NOT NULL" if since is None else f"{at} IS NOT NULL AND {by} >= {begin}"
        sql = f"SELECT to_json(q)::VARCHAR, {at} FROM ({self._query}) AS q WHERE {asked} ORDER BY {by}"  # noqa: S608
        found = self._cursor().execute(sql, {} if since is None else {"since": since})
        for rows in _some(found, limit):
            yield Batch([row for row, _ in rows], [at for _, at in rows])

    def _cursor(self) -> Any:
        cursor = self._duck.cursor()
        if self._catalog is not None:
            cursor.execute(f"USE {self._catalog}")
        return cursor

    def _clipped(self, column: str) -> str:
        return f"left({self._text(column)}, {_MOST_CHARACTERS})"

    def _text(self, column: str) -> str:
        """Return what has a column as text. Raises WarehouseError where there is none."""
        name = checked(column, self.columns)
        return f"({name} ->> '$')" if self._types[column] == "JSON" else f"{name}::VARCHAR"


def append_rows(duck: Any, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    """Append rows to a table of DuckDB's own; `columns` are its columns with their types.

    They travel as JSON: one by one it takes a hundred times as long. Raises WarehouseError where no room is left.
    """
    shape = orjson.dumps([columns]).decode()
    sql = f"INSERT INTO {table} SELECT unnest(from_json(?, {quoted(shape)}), recursive := true)"
    for start in range(0, len(rows), _APPENDED):
        some = rows[start : start + _APPENDED]
        given = orjson.dumps([dict(zip(columns, row, strict=True)) for row in some]).decode()
        duck.execute(sql, [given]).fetchall()
        if duck.execute(_IS_FULL).fetchall() == [(True,)]:
            raise WarehouseError(_NO_ROOM)


def _some(cursor: Any, limit: int) -> Iterator[list[tuple[Any, ...]]]:
    while rows := cursor.fetchmany(limit):
        yield rows


def _unreadable(exc: Exception) -> WarehouseError:
    """Return what is told of a fault: its kind, and of a query that cannot be understood also why.

    Where that quotes an address, which may hold a password or a token, it is left out.
    """
    kind = type(exc).__name__.removesuffix("Exception")
    if kind == "OutOfMemory":
        return WarehouseError(_NO_ROOM)
    if status := getattr(exc, "status_code", None):
        kind += f" {status}"
    why = str(exc).splitlines()[0]
    told = f": {why}" if kind in ("Parser", "Binder", "Catalog") and "://" not in why else ""
    where = (
        "the address, and who may read it" if kind.startswith(("HTTP", "IO")) else "the file's form, or at the query"
    )
    return WarehouseError(f"the rows cannot be read ({kind}){told}. Look at {where}")
