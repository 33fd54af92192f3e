"""Rows of a PostgreSQL database, read through a cursor of the server."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.sql import Literal

from app.errors import WarehouseError
from app.warehouse.row_tables import ROWS_AT_ONCE, Batch, checked

_NAME: Final = "pinrelay_rows"
_TIMEOUT_S: Final = "10"


@contextmanager
def open_postgres(url: str, query: str) -> Iterator["PostgresTable"]:
    """Open the result of a query, in a read-only transaction. Raises WarehouseError, without the URL."""
    try:
        with psycopg.connect(url, connect_timeout=_TIMEOUT_S, application_name="pinrelay") as connection:
            connection.read_only = True
            yield PostgresTable(connection, query)
    except psycopg.Error as exc:
        # Other messages may quote a value.
        told = f": {exc.diag.message_primary}" if (exc.sqlstate or "").startswith("42") else ""
        message = f"the database cannot be read ({type(exc).__name__}){told}. Check the address and the query"
        raise WarehouseError(message) from None


class PostgresTable:
    """The `RowTable` of a query. `open_postgres` reports errors as psycopg describes them."""

    def __init__(self, connection: Any, query: str) -> None:
        self._connection = connection
        self._query = query.strip().rstrip(";")
        described = connection.execute(f"SELECT * FROM ({self._query}) AS q LIMIT 0").description or ()  # noqa: S608
        self._types = {column.name: column.type_code for column in described}
        self.columns = tuple(self._types)

    def texts(self, columns: Sequence[str | None]) -> Iterator[Sequence[Sequence[str | None]]]:
        found = ", ".join("NULL" if name is None else f"{checked(name, self.columns)}::text" for name in columns)
        yield from self._some(f"SELECT {found} FROM ({self._query}) AS q", ROWS_AT_ONCE)  # noqa: S608

    def wholes(self, *, limit: int) -> Iterator[list[str]]:
        for rows in self._some(f"SELECT to_jsonb(q)::text FROM ({self._query}) AS q", limit):  # noqa: S608
            yield [row for (row,) in rows]

    def batches(self, cursor: str, since: str | None, *, limit: int) -> Iterator[Batch]:
        by = checked(cursor, self.columns)
        ((kind,),) = self._connection.execute("SELECT format_type(%s, NULL)", [self._types[cursor]]).fetchall()
        asked = f"WHERE {by} IS NOT NULL" if since is None else f"WHERE {by} >= {self._literal(since)}::{kind}"
        sql = f"SELECT to_jsonb(q)::text, {by}::text FROM ({self._query}) AS q {asked} ORDER BY {by}"  # noqa: S608
        for rows in self._some(sql, limit):
            yield Batch([row for row, _ in rows], [at for _, at in rows])

    def _literal(self, text: str) -> str:
        return Literal(text).as_string(self._connection)

    def _some(self, sql: str, limit: int) -> Iterator[list[tuple[Any, ...]]]:
        with self._connection.cursor(name=_NAME) as cursor:
            cursor.itersize = limit
            cursor.execute(sql)
            while rows := cursor.fetchmany(limit):
                yield rows
