"""The SQL of the engine, read from its files."""

import re
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def named_queries(text: str) -> dict[str, str]:
    """Split the text of a file of queries: each begins with a line `-- name --`, comments follow it."""
    _, *parts = _NAME.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def statements(script: str) -> Iterator[str]:
    """Split a script into its statements; a trigger is one. `executescript` would commit in between."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def schema(version: int) -> str:
    """Read the script that makes `version` of the schema out of the version before."""
    return (files(__package__) / "schema" / f"{version}.sql").read_text(encoding="utf-8")


#: The statements of queries.sql by name.
SQL: Final = named_queries((files(__package__) / "queries.sql").read_text(encoding="utf-8"))
