"""Small requests that arrive in one turn of the event loop are accepted together, as if one had brought all events.

A thousand senders of one event each then cost little more than one sender of a thousand: one call of the outbox, one
commit, counts that are summed before they are counted.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from app.drafts import receipt_of
from app.errors import EventRefused, OutboxUnavailable
from app.source import Accepts
from app.types import Event, Receipt

#: A request of more events goes alone; and so many go together, so that they commit while the next are mapped.
EVENTS_TOGETHER = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A request whose events wait for the end of the turn."""

    events: Sequence[Event | EventRefused]
    now: float
    receipt: asyncio.Future[Receipt]


class SharedTurns:
    """Hands small requests on together."""

    def __init__(self, accepts: Accepts) -> None:
        self._accepts = accepts
        #: Of the current turn.
        self._waiting: list[_Waiting] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def accept(self, events: Iterable[Event | EventRefused], *, now: float) -> Receipt:
        """Do `Accepts.accept`; the outbox keeps, or cannot keep, the events of all that went together."""
        left = iter(events)
        first = list(islice(left, EVENTS_TOGETHER + 1))
        if len(first) > EVENTS_TOGETHER:
            return await self._accepts.accept(chain(first, left), now=now)
        loop = asyncio.get_running_loop()
        receipt: asyncio.Future[Receipt] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._end_turn)
        self._waiting.append(_Waiting(events=first, now=now, receipt=receipt))
        return await receipt

    def _end_turn(self) -> None:
        waiting, self._waiting = self._waiting, []
        for group in _groups(waiting):
            task = asyncio.create_task(self._accept_together(group))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _accept_together(self, group: Sequence[_Waiting]) -> None:
        """Answer every request of a group. Where one of them is a fault of ours, the others must not suffer from it."""
        try:
            together = chain.from_iterable(each.events for each in group)
            receipt = await self._accepts.accept(together, now=group[0].now)
        except OutboxUnavailable as exc:
            _fail(group, exc)
        except Exception as exc:  # noqa: BLE001 - it is handed to whoever asked
            if len(group) == 1:
                _fail(group, exc)
            else:
                await asyncio.gather(*[self._accept_together([each]) for each in group])
        else:
            events = iter(receipt.events)
            for each in group:
                own = receipt_of(list(islice(events, len(each.events))))
                if not each.receipt.done():  # who asked has gone
                    each.receipt.set_result(own)


def _groups(waiting: Iterable[_Waiting]) -> Iterator[list[_Waiting]]:
    """Divide the requests of a turn, in their order."""
    group: list[_Waiting] = []
    count = 0
    for each in waiting:
        group.append(each)
        count += len(each.events)
        if count >= EVENTS_TOGETHER:
            yield group
            group, count = [], 0
    if group:
        yield group


def _fail(group: Iterable[_Waiting], exc: Exception) -> None:
    for each in group:
        if not each.receipt.done():
            each.receipt.set_exception(exc)
