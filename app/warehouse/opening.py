"""Which reader the place of rows needs."""

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from app.errors import SettingsError, WarehouseError
from app.warehouse import duckdb_tables
from app.warehouse.row_tables import RowTable

_POSTGRES: Final = ("postgresql://", "postgres://")
#: No shop's order is nested as deeply, and DuckDB crashes on what is nested too deeply.
MAX_JSON_DEPTH: Final = 100
_AT_ONCE: Final = 1 << 20
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_DULL: Final = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_STEPS: Final = {byte: 1 if byte in b"[{" else -1 for byte in b"[]{}"}


@contextmanager
def open_rows(where: str, folder: Path, *, query: str | None = None) -> Iterator[RowTable]:
    """Open the rows of a file, or what a query gives.

    `where` is a path, or an address; "" where the query itself says what it reads. `folder` is for what does not fit
    into memory. Raises WarehouseError, and SettingsError where the extra that reads it is not installed.
    """
    if query is None and (where.startswith(_POSTGRES) or duckdb_tables.names_database(where)):
        raise WarehouseError("a database needs --query")
    if query is not None and where.startswith(_POSTGRES):
        try:
            from app.warehouse.postgres_tables import open_postgres  # noqa: PLC0415 - needs the extra
        except ModuleNotFoundError as exc:
            raise SettingsError("PostgreSQL needs the extra `postgres`: pip install 'pinrelay[postgres]'") from exc
        with open_postgres(where, query) as rows:
            yield rows
        return
    extensions = duckdb_tables.extensions_of(where, query)
    only = Path(where) if query is None and not extensions else None
    read = duckdb_tables.file_query(where) if query is None else query
    if only is not None:
        duckdb_tables.require_file(where)
        require_shallow(where)
    with duckdb_tables.open_duck(folder, extensions=extensions, only=only) as duck:
        yield duckdb_tables.DuckTable(duck, read, catalog=duckdb_tables.attach_database(duck, where))


def require_shallow(where: str) -> None:
    """Raise WarehouseError where a file of JSON is nested deeper than MAX_JSON_DEPTH; other files are not read."""
    suffixes = [suffix.lower() for suffix in Path(where).suffixes[-2:]]
    if not {".json", ".ndjson", ".jsonl"} & set(suffixes):
        return
    try:
        with gzip.open(where, "rb") if suffixes[-1] == ".gz" else Path(where).open("rb") as file:
            _walk(file)
    except (EOFError, gzip.BadGzipFile, OSError) as exc:
        raise WarehouseError(f"the file cannot be read ({type(exc).__name__}): export it again") from None


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
