"""The outbox of the commands under test, for what is to be in it before they run, and what they leave there."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from app.outbox import Outbox, open_outbox
from tests.outbox.build import rules
from tests.outbox.new_store import new_store

Result = TypeVar("Result")


def in_outbox(folder: Path, use: Callable[[Outbox], Awaitable[Result]]) -> Result:
    """Open the outbox that `run` names, of which this is the folder, and use it; return what `use` returns."""

    async def used() -> Result:
        outbox = open_outbox(new_store(folder, "o.db"), rules())
        try:
            return await use(outbox)
        finally:
            await outbox.close()

    return asyncio.run(used())
