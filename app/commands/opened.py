"""The outbox of the settings, opened for one command."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.config import load_settings
from app.outbox import Outbox, open_outbox
from app.policies import outbox_rules

_Result = TypeVar("_Result")


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
