"""The SQL of the engine, read from its files."""

import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from app.outbox.named_queries import named_queries


def statements(script: str) -> Iterator[str]:
    """Split a script into its statements; a trigger is one. `executescript` would commit in between."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def script_of_store() -> str:
    """Read what a connection that enqueues has to be taught."""
    return _read("store.sql")


def schema(version: int) -> str:
    """Read the script that makes `version` of the schema out of the version before."""
    return _read(f"schema/{version}.sql")


#: The statements of queries.sql by name.
SQL: Final = named_queries(
    _read("queries.sql"), **{part: _read(f"{part}.sql") for part in ("counted", "shelves", "apart")}
)
