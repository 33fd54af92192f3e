"""Statements of SQL on a store that others use."""

import sqlite3
from contextlib import closing
from typing import Any

import psycopg


def execute(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement on a connection of its own, and return its rows; `?` stands for a value."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)) as file:
            return file.execute(statement, values).fetchall()
    with psycopg.connect(url, autocommit=True) as database:
        cursor = database.execute(statement.replace("?", "%s").encode(), values or None)
        return cursor.fetchall() if cursor.description else []
