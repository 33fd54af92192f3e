"""What a command opens: the outbox of the settings, and files that it is to write."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from app.config import load_settings
from app.errors import SettingsError
from app.outbox import Outbox, open_outbox
from app.policies import outbox_rules

_Result = TypeVar("_Result")


@contextmanager
def writing(option: str) -> Iterator[None]:
    """Say of a file that cannot be written which, and which option or argument names it. Raises SettingsError."""
    try:
        yield
    except OSError as exc:
        message = f"{option}: {exc.filename} cannot be written: {exc.strerror}. Name a place where files can be made"
        raise SettingsError(message) from exc


def with_outbox(use: Callable[[Outbox], Awaitable[_Result]]) -> _Result:
    """Open the outbox of the settings, use it, close it; return what `use` returns."""
    settings = load_settings()

    async def run() -> _Result:
        outbox = open_outbox(settings.outbox_url, outbox_rules(settings))
        try:
            return await use(outbox)
        finally:
            await outbox.close()

    return asyncio.run(run())
