"""Rows of files and databases: the choice of a reader by address, and the readers by DuckDB and its extensions."""

import codecs
import gzip
import os
import re
import shutil
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final

import orjson

from app.errors import SettingsError, WarehouseError
from app.warehouse.row_tables import ROWS_AT_ONCE, Batch, RowTable, checked

#: Prefix of an address -> the required extensions. Other addresses are files of this machine.
_READ_BY: Final = {
    "s3://": ("httpfs", "aws"),
    "https://": ("httpfs",),
    "http://": ("httpfs",),
    "mysql://": ("mysql_scanner",),
    "sqlite://": ("sqlite_scanner",),
}
_CATALOG: Final = "warehouse"
_DATABASES: Final = ("mysql://", "sqlite://")


def extensions_of(where: str, query: str | None) -> tuple[str, ...]:
    """Return the extensions for an address, and for a query that contains addresses itself."""
    texts = [where] if query is None else [where, *query.split("'")[1::2]]
    needed = (names for start, names in _READ_BY.items() if any(text.startswith(start) for text in texts))
    return tuple(dict.fromkeys(name for names in needed for name in names))


def names_database(where: str) -> bool:
    """Return whether an address belongs to a database, which needs a query."""
    return where.startswith(_DATABASES)


def require_file(name: str) -> None:
    """Raise WarehouseError if the file is missing or empty, without its name, which may be a mistyped address."""
    if not os.path.isfile(name):  # noqa: PTH113 - a name that is too long is none, and no error that quotes it
        raise WarehouseError("there is no such file")
    if not os.path.getsize(name):  # noqa: PTH202 - as above
        raise WarehouseError("the file is empty and has no columns: export it again")


def load_extension(duck: Any, name: str) -> None:
    """Load an extension from its package. Raises SettingsError if there is none for this version of DuckDB."""
    import duckdb  # noqa: PLC0415 - needs the extra

    package = find_spec(f"duckdb_extension_{name}")
    folders = package.submodule_search_locations if package else None
    files = (Path(each, "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension") for each in folders or ())
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        message = f"this needs the extra `warehouse`, with `{name}` for DuckDB: pip install 'pinrelay[warehouse]'"
        raise SettingsError(message)
    duck.execute(f"LOAD {quoted(str(file))}")
    trusted = ssl.get_default_verify_paths().cafile
    if name == "httpfs" and trusted:
        duck.execute(f"SET GLOBAL ca_cert_file = {quoted(trusted)}")
    if name == "sqlite_scanner":  # a column may have values of any type, regardless of its declaration
        duck.execute("SET GLOBAL sqlite_all_varchar = true")
    if name == "aws":
        with suppress(duckdb.Error):  # credentials may be absent: public data needs none
            duck.execute("CREATE SECRET (TYPE s3, PROVIDER credential_chain)")


def attach_database(duck: Any, where: str) -> str | None:
    """Attach the database of an address, and return its catalog; `None` for other addresses.

    Raises WarehouseError, without the address.
    """
    if not names_database(where):
        return None
    import duckdb  # noqa: PLC0415 - needs the extra

    kind = where.partition("://")[0]
    database = where.removeprefix("sqlite://")
    if kind == "sqlite":
        require_file(database)
    try:
        duck.execute(f"ATTACH {quoted(database)} AS {_CATALOG} (TYPE {kind}, READ_ONLY)")
    except duckdb.Error as exc:
        message = f"the database cannot be opened ({type(exc).__name__}). Check the address and the login"
        raise WarehouseError(message) from None
    return _CATALOG


def quoted(text: str) -> str:
    """Return a text as a string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


#: Above it DuckDB writes to its folder. A CSV file is read in blocks of 32 MB.
_MEMORY: Final = "128MB"
#: `#` starts no comment, because Shopify's order names begin with it.
_CSV: Final = (
    "read_csv({}, all_varchar = true, header = true, null_padding = true, comment = '', encoding = '{encoding}')"
)
#: Values are unchanged: DuckDB's type detection would rewrite an id that looks like a UUID or a date.
_JSON: Final = "read_json({}, maximum_depth = 1, sample_size = -1)"
_LINES: Final = _JSON.replace(")", ", format = 'newline_delimited')")
#: Suffix of the name -> the reader of the file; text files may also have the suffix `.gz`.
_READERS: Final = {
    ".csv": _CSV,
    ".tsv": _CSV,
    ".parquet": "read_parquet({})",
    ".ndjson": _LINES,
    ".jsonl": _LINES,
    ".json": _JSON,
}
#: Longer than any id, amount or time of a shop; a highly compressed file may have texts that exceed all memory.
_MOST_CHARACTERS: Final = 1_000
#: The share of free disk space that a DuckDB may use; there are two, of which one also stores tables.
ROOM_SHARE: Final = 0.25
_IS_FULL: Final = "SELECT total_blocks * block_size > getvariable('room_bytes') FROM pragma_database_size()"
_NO_ROOM: Final = (
    "the rows need more than DuckDB has of memory and of disk in the temporary folder, of which it takes a quarter of "
    "what is free. Split the file, such as by month, or have TMPDIR name a folder with more room"
)
#: The number of rows in a JSON text: with ten thousand, DuckDB needs 40 MB more and the same time.
_APPENDED: Final = 2_000
_TEXTS: Final = frozenset({"VARCHAR", "JSON"})
#: The order of texts: numbers and times by value, then other texts.
_GROWING: Final = """
(coalesce(TRY_CAST({0} AS DOUBLE), epoch(TRY_CAST({0} AS TIMESTAMPTZ)), 'inf'::DOUBLE), CAST({0} AS VARCHAR))
"""
#: DuckDB only loads requested extensions, signed by its makers, and none automatically.
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
    """Open an empty DuckDB with its data in `folder`, which is created.

    `only` is the only file outside of the folder that it may access; then it has no access to other files or the
    network. `room_bytes` is the maximum that it may write, by default ROOM_SHARE of the free space. `extensions` are
    DuckDB's own, of the extra `warehouse`; `config` overrides its usual settings. Raises SettingsError if an extra is
    not installed, and WarehouseError for all errors of DuckDB in the block.
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


def file_query(where: str, *, is_local: bool = False) -> str:
    """Return the query that reads a file, which may be at an address.

    The encoding is only detected for a local file. Raises WarehouseError if neither the name nor the bytes are
    readable.
    """
    # The part after the path of an address, such as a token, does not belong to the name.
    name = re.split("[?#]", where, maxsplit=1)[0] if "://" in where else where
    suffixes = [suffix.lower() for suffix in Path(name).suffixes if suffix.lower() != ".gz"]
    reader = _READERS.get(suffixes[-1] if suffixes else "")
    if reader is None:
        raise WarehouseError(f"the name of the file must end with one of {', '.join(_READERS)}")
    encoding = _encoding(where) if is_local and reader == _CSV else "utf-8"
    return f"SELECT * FROM {reader.format(quoted(where), encoding=encoding)}"  # noqa: S608 - quoted


def _encoding(where: str) -> str:
    """Return the encoding of a local file in DuckDB's notation. Raises WarehouseError for an unknown one."""
    require_file(where)
    with _opened(where) as file:
        begin = file.peek(2)[:2]  # type: ignore[union-attr] # both kinds of files are buffered
        if begin == codecs.BOM_UTF16_LE:
            return "utf-16"
        if begin == _GZIP:
            raise WarehouseError("the file cannot be read as CSV, because gzip compressed it: add .gz to its name")
        decoder = codecs.getincrementaldecoder("utf-8")()
        with suppress(UnicodeDecodeError):
            while chunk := file.read(_AT_ONCE):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
            return "utf-8"
        file.seek(0)
        line = 1
        while chunk := file.read(_AT_ONCE):
            if found := _NOT_LATIN.search(chunk):
                line += chunk.count(b"\n", 0, found.start())
                raise WarehouseError(
                    f"line {line} is neither UTF-8 nor Latin-1, maybe Windows-1252 or UTF-16: save the file as UTF-8"
                )
            line += chunk.count(b"\n")
    return "latin-1"


@contextmanager
def _opened(where: str) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open a local file and decompress it. Raises WarehouseError if it is unreadable."""
    try:
        with gzip.open(where, "rb") if where.lower().endswith(".gz") else Path(where).open("rb") as file:
            yield file
    except (EOFError, gzip.BadGzipFile, OSError) as exc:
        raise WarehouseError(f"the file cannot be read ({type(exc).__name__}): export it again") from None


class DuckTable:
    """The `RowTable` of a query. `open_duck`, in whose block it is used, reports errors."""

    def __init__(self, duck: Any, query: str, *, catalog: str | None = None) -> None:
        """Use the query; tables without a catalog are those of `catalog`."""
        self._duck = duck
        self._catalog = catalog
        self._query = query.strip().rstrip(";")
        described = self._cursor().execute(f"DESCRIBE SELECT * FROM ({self._query})")  # noqa: S608 - the operator's own
        self._types = {name: kind for name, kind, *_ in described.fetchall()}
        self.columns = tuple(self._types)

    def texts(self, columns: Sequence[str | None]) -> Iterator[Sequence[Sequence[str | None]]]:
        found = ", ".join(
            "NULL" if name is None else f"left({self._text(name)}, {_MOST_CHARACTERS})" for name in columns
        )
        cursor = self._cursor().execute(f"SELECT {found} FROM ({self._query})")  # noqa: S608
        yield from _some(cursor, ROWS_AT_ONCE)

    def wholes(self, *, limit: int) -> Iterator[list[str]]:
        cursor = self._cursor().execute(f"SELECT to_json(q)::VARCHAR FROM ({self._query}) AS q")  # noqa: S608
        for rows in _some(cursor, limit):
            yield [row for (row,) in rows]

    def batches(self, cursor: str, since: str | None, *, limit: int) -> Iterator[Batch]:
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

    def _text(self, column: str) -> str:
        """Return the expression of a column as text. Raises WarehouseError if the column does not exist."""
        name = checked(column, self.columns)
        return f"({name} ->> '$')" if self._types[column] == "JSON" else f"{name}::VARCHAR"


def append_rows(duck: Any, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    """Append rows to a table of DuckDB; `columns` are its columns with their types.

    Rows are passed as JSON, because single inserts take a hundred times as long. Raises WarehouseError if the disk is
    full.
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
    """Return the error for a fault: its type, and for an invalid query also the reason.

    A reason with an address, which may contain a password or a token, is omitted.
    """
    kind = type(exc).__name__.removesuffix("Exception")
    if kind == "OutOfMemory":
        return WarehouseError(_NO_ROOM)
    if status := getattr(exc, "status_code", None):
        kind += f" {status}"
    why = str(exc).splitlines()[0]
    told = f": {why}" if kind in ("Parser", "Binder", "Catalog") and "://" not in why else ""
    where = (
        "the address and the permission to read it"
        if kind.startswith(("HTTP", "IO"))
        else "the file's format or the query"
    )
    return WarehouseError(f"the rows cannot be read ({kind}){told}. Look at {where}")


#: First bytes of data that gzip compressed (RFC 1952, section 2.3.1).
_GZIP: Final = b"\x1f\x8b"
#: Control characters of Latin-1, which also distinguish it from UTF-16.
_NOT_LATIN: Final = re.compile(rb"[\x00\x80-\x9f]")
_POSTGRES: Final = ("postgresql://", "postgres://")
#: Deeper than any order of a shop; DuckDB crashes at excessive nesting.
MAX_JSON_DEPTH: Final = 100
_AT_ONCE: Final = 1 << 20
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_DULL: Final = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_STEPS: Final = {byte: 1 if byte in b"[{" else -1 for byte in b"[]{}"}


@contextmanager
def open_rows(where: str, folder: Path, *, query: str | None = None) -> Iterator[RowTable]:
    """Open the rows of a file or a query.

    `where` is a path or an address; "" if the query itself has it. `folder` is for data that exceeds memory. Raises
    WarehouseError, and SettingsError if the extra for the reader is not installed.
    """
    if query is None and (where.startswith(_POSTGRES) or names_database(where)):
        raise WarehouseError("a database needs --query")
    if query is not None and where.startswith(_POSTGRES):
        try:
            from app.warehouse.postgres_tables import open_postgres  # noqa: PLC0415 - needs the extra
        except ModuleNotFoundError as exc:
            raise SettingsError("PostgreSQL needs the extra `postgres`: pip install 'pinrelay[postgres]'") from exc
        with open_postgres(where, query) as rows:
            yield rows
        return
    extensions = extensions_of(where, query)
    only = Path(where) if query is None and not extensions else None
    read = file_query(where, is_local=only is not None) if query is None else query
    if only is not None:
        require_file(where)
        require_shallow(where)
    with open_duck(folder, extensions=extensions, only=only) as duck:
        yield DuckTable(duck, read, catalog=attach_database(duck, where))


def require_shallow(where: str) -> None:
    """Raise WarehouseError if a JSON file is nested deeper than MAX_JSON_DEPTH; other files are not read."""
    suffixes = [suffix.lower() for suffix in Path(where).suffixes[-2:]]
    if not {".json", ".ndjson", ".jsonl"} & set(suffixes):
        return
    with _opened(where) as file:
        _walk(file)


def _walk(file: IO[bytes] | gzip.GzipFile) -> None:
    depth, is_in_text, rest = 0, False, b""
    while chunk := file.read(_AT_ONCE):
        read = _ESCAPED.sub(b"", rest + chunk)
        rest = b"\\" if read.endswith(b"\\") else b""  # the first half of an escape
        pieces = read.translate(None, _DULL).split(b'"')
        for byte in b"".join(pieces[is_in_text::2]):
            depth = max(0, depth + _STEPS[byte])
            if depth > MAX_JSON_DEPTH:
                raise WarehouseError(
                    f"the file is nested deeper than {MAX_JSON_DEPTH} levels, or has unclosed brackets: "
                    "export only orders"
                )
        is_in_text ^= len(pieces) % 2 == 0
