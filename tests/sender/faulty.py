"""A real outbox whose methods fail when a test says so."""

from inspect import iscoroutinefunction
from typing import Any

from app.errors import OutboxUnavailable


class Faulty:
    """Hands everything to `outbox`, but raises what `faults[method]` lists for each call; None lets one through."""

    def __init__(self, outbox: Any, **faults: list[Any]) -> None:
        self._outbox = outbox
        self.faults = faults

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._outbox, name)
        if not iscoroutinefunction(method):
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            if self.faults.get(name) and (fault := self.faults[name].pop(0)):
                raise fault
            return await method(*arguments, **named)

        return call


def unavailable(times: int) -> list[Exception]:
    """Return so many failures of an outbox that cannot commit."""
    return [OutboxUnavailable() for _ in range(times)]
