"""Helpers of commands: opening the outbox, reading and writing files, and printing."""

import asyncio
import os
import pwd
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any, Final, TypeVar

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from app.access.users import Person, UserRole
from app.config import Settings, load_settings
from app.core.values.texts import visible, visible_json
from app.errors import OutboxUnavailable, SettingsError
from app.outbox import Outbox, exists, open_outbox

#: Wider than any row.
_UNBROKEN: Final = 10_000


def escaped(text: object, *, lines: bool = False) -> Text:
    """Return a text with visible escapes for hidden characters; line ends stay if `lines` is true."""
    return Text(visible(str(text), lines=lines))


def print_line(text: object, *, err: bool = False) -> None:
    """Print a line with visible escapes for hidden characters, to standard error if `err` is true."""
    typer.echo(visible(str(text)), err=err)


def add_row(table: Table, *cells: object) -> None:
    """Add a row of texts, which are displayed literally."""
    table.add_row(*map(escaped, cells))


def print_table(table: Table) -> None:
    """Print a table that fits the terminal, without breaking ids and times.

    If the terminal is too narrow, print lines `column value`. Without a terminal no cell is broken, so that programs
    can parse it.
    """
    console = Console()
    if isinstance(table.title, str):
        table.title = escaped(table.title)
    for column in table.columns:
        column.overflow = "fold"
    if not console.is_terminal and "COLUMNS" not in os.environ:
        Console(width=_UNBROKEN).print(table)
        return
    if not table.show_header or _widen(table.columns, console.width - 3 * len(table.columns) - 1):
        console.print(table, crop=False, overflow="fold")
        return
    for part in (table.title, *_rows_as_lines(table), table.caption):
        if part:
            console.print(part, crop=False, overflow="fold")


def _widen(columns: Sequence[Column], width: int) -> bool:
    """Distribute a width among columns, each at least as wide as its longest word or time; return whether that fits."""
    texts = [[str(column.header), *map(str, column.cells)] for column in columns]
    widths = [max(map(cell_len, _words(each))) for each in texts]
    most = [max(map(cell_len, each)) for each in texts]
    if sum(widths) > width:
        return False
    while sum(widths) < width and widths != most:
        narrow = [place for place, each in enumerate(widths) if each < most[place]]
        widths[min(narrow, key=widths.__getitem__)] += 1
    for column, each in zip(columns, widths, strict=True):
        column.width = each
    return True


def _words(texts: Sequence[str]) -> list[str]:
    """Return the unbreakable parts of a column with this head: words, and whole times."""
    return [*texts] if texts[0].endswith("(UTC)") else [*" ".join(texts).split(), ""]


def _rows_as_lines(table: Table) -> Iterator[Table]:
    """Yield each row as a table of two columns: the name of the column, and the value."""
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        lines = Table.grid(padding=(0, 2, 0, 0))
        lines.add_column(no_wrap=True)
        lines.add_column(overflow="fold")
        for column, cell in zip(table.columns, cells, strict=True):
            if str(cell):
                lines.add_row(str(column.header), cell)
        lines.add_row()
        yield lines


def time_text(at: float) -> str:
    """Return Unix seconds in a format for people, in UTC: 2026-11-26 10:05:00."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def print_csv(text: str) -> None:
    """Print CSV as written: a program reads it, and a cell may have line breaks."""
    typer.echo(text, nl=False)


def print_json(value: Any) -> None:
    """Print a value as a line of JSON, with JSON escapes for hidden characters."""
    text = orjson.dumps(value, default=lambda other: bytes(other).decode(), option=orjson.OPT_NON_STR_KEYS)
    typer.echo(visible_json(text.decode()))


_Result = TypeVar("_Result")


def opened_file(file: Path) -> AbstractContextManager[IO[bytes]]:
    """Open a file for reading; `-` is standard input. Raises BadParameter if it is unreadable."""
    if str(file) == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return file.open("rb")
    except OSError as exc:
        raise typer.BadParameter(f"cannot read {file}: {exc.strerror}") from exc


@contextmanager
def writing(option: str) -> Iterator[None]:
    """Convert an error about a file in the block to a SettingsError with the path, and the option or argument."""
    try:
        yield
    except OSError as exc:
        message = f"{option}: cannot write {exc.filename}: {exc.strerror}. Name a folder that you can write to"
        raise SettingsError(message) from exc


@asynccontextmanager
async def opened_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """Open the outbox of the settings, and close it at the end."""
    outbox = open_outbox(settings.outbox_url, settings)
    try:
        yield outbox
    finally:
        await outbox.close()


def require_outbox(url: str) -> None:
    """Raise OutboxUnavailable if the outbox does not exist, because opening it would create it."""
    if not exists(url):
        message = (
            f"No outbox at {url}, seen from {Path.cwd()}. Set OUTBOX_URL to the outbox, or run `pinrelay serve` once."
        )
        raise OutboxUnavailable(message, why="gone")


def with_outbox(use: Callable[[Outbox], Awaitable[_Result]]) -> _Result:
    """Open the outbox of the settings, call `use`, and close the outbox; return the result of `use`.

    Raises OutboxUnavailable if the outbox does not exist.
    """
    settings = load_settings()

    async def run() -> _Result:
        require_outbox(settings.outbox_url)
        async with opened_outbox(settings) as outbox:
            return await use(outbox)

    return asyncio.run(run())


def caller() -> Person:
    """Return the person who calls a command: the name of the login, and the machine."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have none
        name = f"uid {os.getuid()}"
    return Person(name=f"{name} (command line)", role=UserRole.OPERATOR, place=socket.gethostname())


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
#: The content of event files, for the help of several commands.
FORMS = "File with an event, an array or a batch, or one of these per line; also gzipped."
