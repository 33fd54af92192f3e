"""What a command opens: the outbox of the settings, a file that it is given, and files that it is to write."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TypeVar

import typer

from app.config import Settings, load_settings
from app.errors import OutboxUnavailable, SettingsError
from app.outbox import Outbox, exists, open_outbox
from app.policies import outbox_rules

_Result = TypeVar("_Result")


def opened_file(file: Path) -> AbstractContextManager[IO[bytes]]:
    """Open a file for reading; `-` is standard input. Raises BadParameter where it cannot be read."""
    if str(file) == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return file.open("rb")
    except OSError as exc:
        raise typer.BadParameter(f"{file} cannot be read: {exc.strerror}") from exc


@contextmanager
def writing(option: str) -> Iterator[None]:
    """Say of a file that cannot be written which, and which option or argument names it. Raises SettingsError."""
    try:
        yield
    except OSError as exc:
        message = f"{option}: {exc.filename} cannot be written: {exc.strerror}. Name a place where files can be made"
        raise SettingsError(message) from exc


@asynccontextmanager
async def opened_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """Open the outbox of the settings, and close it at the end."""
    outbox = open_outbox(settings.outbox_url, outbox_rules(settings))
    try:
        yield outbox
    finally:
        await outbox.close()


def require_outbox(url: str) -> None:
    """Raise OutboxUnavailable where there is no such outbox: to open it would make it."""
    if not exists(url):
        message = (
            f"There is no outbox {url}, seen from {Path.cwd()}. `pinrelay serve` makes it; OUTBOX_URL names another."
        )
        raise OutboxUnavailable(message, why="gone")


def with_outbox(use: Callable[[Outbox], Awaitable[_Result]]) -> _Result:
    """Open the outbox of the settings, use it, close it; return what `use` returns.

    Raises OutboxUnavailable where there is none.
    """
    settings = load_settings()

    async def run() -> _Result:
        require_outbox(settings.outbox_url)
        async with opened_outbox(settings) as outbox:
            return await use(outbox)

    return asyncio.run(run())
