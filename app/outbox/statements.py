"""Methods of both engines: each is written once, over the named statements of both.

    @reads
    async def revenue(self, store: Statements, *, first_day: int, last_day: int) -> list[Revenue]:
        return [revenue_of(row) for row in await store.rows("revenue", first_day=first_day, last_day=last_day)]

PostgreSQL lets other work run until each response. SQLite returns at once: there such a method runs in a thread without
waiting.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, cast

from app.config.settings import OutboxSettings
from app.core.deliveries import StoredDelivery
from app.core.pages import Query
from app.outbox.rows import stored_deliveries

Answer = TypeVar("Answer")
Given = ParamSpec("Given")
Part = TypeVar("Part", bound="UsesStore")
#: The connection of one engine, or of either.
Store = TypeVar("Store", bound="Statements")


class Statements(Protocol):
    """Run named statements on one connection. A list represents a set, which each engine converts."""

    async def rows(self, name: str, /, **parameters: Any) -> Sequence[tuple[Any, ...]]: ...

    async def count(self, name: str, /, **parameters: Any) -> int:
        """Run a statement; return how many rows it changed."""
        ...

    async def matching(
        self, name: str, query: Query, *, before: int, floor: int = 0, limit: int | None, oldest_first: bool = False
    ) -> Sequence[tuple[Any, ...]]:
        """Run a statement that selects by a query, newest first; return at most `limit` rows (`None`: all rows).

        Ids are from `floor` to below `before`.
        """
        ...

    def together(self) -> AbstractAsyncContextManager[object]:
        """Commit all writes within, or none."""
        ...

    def one_moment(self) -> AbstractAsyncContextManager[object]:
        """Read all within from one consistent state."""
        ...


async def read_deliveries(store: Statements, ids: Collection[int]) -> list[StoredDelivery]:
    """Read deliveries in the order of their ids in `ids`; skip ids that are no longer stored."""
    found = stored_deliveries(await store.rows("deliveries", ids=list(ids))) if ids else ()
    by_id = {each.delivery_id: each for each in found}
    return [by_id[id_] for id_ in ids if id_ in by_id]


#: Work on a connection of the engine.
Work: TypeAlias = Callable[[Any], Coroutine[Any, Any, Answer]]


class UsesStore(ABC):
    """A part of an engine."""

    _rules: OutboxSettings

    @abstractmethod
    async def _read(self, work: Work[Answer]) -> Answer:
        """Run work on a connection."""

    async def _write(self, work: Work[Answer], *, rows: int = 1, takes_in: bool = False) -> Answer:  # noqa: ARG002 - for the engine that has one writer
        """Run work that changes about `rows` rows; `takes_in` is whether it promises to store new data."""
        return await self._read(work)

    async def _change(self, work: Work[Answer | None], *, rows: int = 1) -> Answer:
        """Run work in a transaction; if it returns `None` or another process interferes, roll back and repeat it.

        SQLite has one writer at a time, so no other process interferes.
        """
        return cast("Answer", await self._write(work, rows=rows))

    async def _by_server(self, now: float) -> float:
        """Return the time of the store's clock when this machine's clock shows `now`, the present. Opens the store."""
        return self._by_store(now)

    def _by_store(self, now: float) -> float:
        """Return the time of the store's clock when this machine's clock shows `now`. The store must be open."""
        return now


def reads(
    work: Callable[Concatenate[Part, Store, Given], Coroutine[Any, Any, Answer]],
) -> Callable[Concatenate[Part, Given], Coroutine[Any, Any, Answer]]:
    """Return a method with a first argument that runs read-only statements."""

    @wraps(work)
    async def method(part: Part, /, *given: Given.args, **named: Given.kwargs) -> Answer:
        return await part._read(lambda store: work(part, store, *given, **named))  # noqa: SLF001 - it is a method

    return method


def writes(
    work: Callable[Concatenate[Part, Store, Given], Coroutine[Any, Any, Answer]],
) -> Callable[Concatenate[Part, Given], Coroutine[Any, Any, Answer]]:
    """Return a method with a first argument that runs statements; they are committed when it returns."""

    @wraps(work)
    async def method(part: Part, /, *given: Given.args, **named: Given.kwargs) -> Answer:
        return await part._write(lambda store: work(part, store, *given, **named))  # noqa: SLF001 - it is a method

    return method
