"""Which reader the place of rows needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.errors import SettingsError, WarehouseError
from app.warehouse.duckdb_tables import (
    DuckTable,
    attach_database,
    extensions_of,
    file_query,
    names_database,
    open_duck,
    require_file,
)
from app.warehouse.json_depth import require_shallow
from app.warehouse.row_tables import RowTable

_POSTGRES: Final = ("postgresql://", "postgres://")


@contextmanager
def open_rows(where: str, folder: Path, *, query: str | None = None) -> Iterator[RowTable]:
    """Open the rows of a file, or what a query gives.

    `where` is a path, or an address; "" where the query itself says what it reads. `folder` is for what does not fit
    into memory. Raises WarehouseError, and SettingsError where the extra that reads it is not installed.
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
    read = file_query(where) if query is None else query
    if only is not None:
        require_file(where)
        require_shallow(where)
    with open_duck(folder, extensions=extensions, only=only) as duck:
        yield DuckTable(duck, read, catalog=attach_database(duck, where))
