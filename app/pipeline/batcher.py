"""Batch small requests of a turn of the event loop, as if a single request had contained all events.

A thousand senders of single events then cost little more than a sender of a thousand: a single call of the outbox, a
single commit, and summed counts.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from app.core.events import Event
from app.core.receipts import Receipt
from app.errors import EventRefused
from app.pipeline.receipts import receipt_of
from app.source import AcceptsIntake, Intake

#: A request with more events is not batched; and this is the maximum batch size, so that a batch commits while the next
#: is mapped.
MAX_BATCH = 64
#: While this number of batches is active, further requests are collected up to a full batch, because they would only
#: wait for the commits.
MAX_BATCHES_IN_FLIGHT = 2
#: The minimum size of a batch while another batch is active.
MIN_BATCH = MAX_BATCH // 2


class _Waiting(Struct, frozen=True, kw_only=True, eq=False):
    """A request that has not started yet."""

    intake: Intake
    events: Sequence[Event | EventRefused]
    receipt: asyncio.Future[Receipt]


#: The requests of a batch are equal in these.
_SENDER = attrgetter("intake.source", "intake.is_trusted", "intake.is_relayed")


class RequestBatcher:
    """An `AcceptsIntake` that collects small requests, and passes those of the same source on in a single call."""

    def __init__(self, accepts: AcceptsIntake) -> None:
        self._accepts = accepts
        self._waiting: list[_Waiting] = []
        #: The number of waiting events; a request without events counts as 1.
        self._size = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def accept(self, intake: Intake) -> Receipt:
        left = iter(intake.events)
        first = list(islice(left, MAX_BATCH + 1))
        if len(first) > MAX_BATCH:
            return await self._accepts.accept(replace(intake, events=chain(first, left)))
        loop = asyncio.get_running_loop()
        receipt: asyncio.Future[Receipt] = loop.create_future()
        size = self._size
        self._size += len(first) or 1
        if not self._waiting or size < MAX_BATCH <= self._size:
            loop.call_soon(self._send_off)
        self._waiting.append(_Waiting(intake=intake, events=first, receipt=receipt))
        return await receipt

    def _send_off(self) -> None:
        """Start waiting requests in batches; the last batch may wait for more."""
        if self._size < self._least():
            return
        *full, last = _groups(self._waiting)
        for group in full:
            self._begin(group)
        self._waiting, self._size = last, sum(len(each.events) or 1 for each in last)
        if self._size >= self._least():
            self._waiting, self._size = [], 0
            self._begin(last)

    def _least(self) -> int:
        """Return the minimum size of a batch that may start now."""
        if not self._under_way:
            return 1
        return MIN_BATCH if len(self._under_way) < MAX_BATCHES_IN_FLIGHT else MAX_BATCH

    def _begin(self, group: list[_Waiting]) -> None:
        task = asyncio.create_task(self._accept_together(group))
        self._under_way.add(task)
        task.add_done_callback(partial(self._leave, group))

    def _leave(self, group: Iterable[_Waiting], task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._send_off()
        for each in group:
            each.receipt.cancel()  # if the task was cancelled, there is no result

    async def _accept_together(self, group: Sequence[_Waiting]) -> None:
        """Set the receipt, or the error, of every request of a batch."""
        try:
            together = chain.from_iterable(each.events for each in group)
            receipt = await self._accepts.accept(replace(group[0].intake, events=together, whole=len(group) > 1))
            events = iter(receipt.events)
            for each in group:
                _answer(each, receipt_of(list(islice(events, len(each.events)))))
        except Exception as exc:  # noqa: BLE001 - it is handed to whoever asked
            if len(group) == 1:
                _answer(group[0], exc)
            else:  # a single request may be the cause, and the others must not fail with it
                await asyncio.gather(*[self._accept_together([each]) for each in group])


def _groups(waiting: Iterable[_Waiting]) -> Iterator[list[_Waiting]]:
    """Split the requests of a turn into batches of a single source, in order."""
    group: list[_Waiting] = []
    count = 0
    for each in sorted(waiting, key=_SENDER):
        if group and (count + len(each.events) > MAX_BATCH or _SENDER(each) != _SENDER(group[0])):
            yield group
            group, count = [], 0
        group.append(each)
        count += len(each.events)
    if group:
        yield group


def _answer(waiting: _Waiting, answer: Receipt | Exception) -> None:
    if waiting.receipt.done():  # the client has disconnected
        return
    if isinstance(answer, Exception):
        waiting.receipt.set_exception(answer)
    else:
        waiting.receipt.set_result(answer)
