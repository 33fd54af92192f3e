"""The SQL of the engine, read from its files."""

from importlib.resources import files
from typing import Final

from psycopg import sql

from app.outbox.named_queries import named_queries


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


_PARTS: Final = {part: _read(f"{part}.sql") for part in ("sums", "named", "asked", "counted", "apart")}
_QUERIES: Final = named_queries(_read("queries.sql"), **_PARTS)

#: The statements of queries.sql by name.
SQL: Final = {name: text.encode() for name, text in _QUERIES.items()}


def about_table(name: str, *, start: int = 0, end: int = 0, **tables: str) -> sql.Composed:
    """Fill the names of tables, and the borders of a day, into the named statement: no parameter can stand for them."""
    identifiers = {place: sql.Identifier(table) for place, table in tables.items()}
    return sql.SQL(_QUERIES[name]).format(start=sql.Literal(start), end=sql.Literal(end), **identifiers)


def schema(version: int) -> bytes:
    """Read the script that makes `version` of the schema out of the version before."""
    return (files(__package__) / "schema" / f"{version}.sql").read_bytes()
