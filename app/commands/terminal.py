"""What commands print: tables and lines in which no text of a stranger is taken for markup or moves the cursor."""

import os
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.core.values.texts import visible, visible_json

#: Wider than any row.
_UNBROKEN: Final = 10_000


def as_is(text: object, *, lines: bool = False) -> Text:
    """Return a text as it is, its hidden characters written out; line ends stay where `lines` says so."""
    return Text(visible(str(text), lines=lines))


def add_row(table: Table, *cells: object) -> None:
    """Add a row of texts, which are shown as they are."""
    table.add_row(*map(as_is, cells))


def print_table(table: Table) -> None:
    """Print a table, as wide as the terminal is, and nothing of it cut off.

    Where there is no terminal no cell is broken, so that programs find it.
    """
    console = Console()
    for column in table.columns:
        column.overflow = "fold"
    width = None if console.is_terminal or "COLUMNS" in os.environ else _UNBROKEN
    console.print(table, width=width, crop=False, overflow="fold")


def time_text(at: float) -> str:
    """Return Unix seconds as people read them, in UTC: 2026-11-26 10:05:00."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def print_json(value: Any) -> None:
    """Print a value as one line of JSON, which reads as the same value though hidden characters are written out."""
    text = orjson.dumps(value, default=lambda other: bytes(other).decode(), option=orjson.OPT_NON_STR_KEYS)
    typer.echo(visible_json(text.decode()))
