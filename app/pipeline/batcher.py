"""Small requests that arrive in one turn of the event loop are accepted together, as if one had brought all events.

A thousand senders of one event each then cost little more than one sender of a thousand: one call of the outbox, one
commit, counts that are summed before they are counted.
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

#: A request of more events goes alone; and so many go together, so that they commit while the next are mapped.
MAX_BATCH = 64
#: While so many are under way, what arrives is gathered until it is a full group: it would only wait for their commits.
MAX_BATCHES_IN_FLIGHT = 2
#: So many are worth a commit of their own while another one is under way.
MIN_BATCH = MAX_BATCH // 2


class _Waiting(Struct, frozen=True, kw_only=True, eq=False):
    """A request whose events are not under way yet."""

    intake: Intake
    events: Sequence[Event | EventRefused]
    receipt: asyncio.Future[Receipt]


#: Of one group all are alike in these.
_SENDER = attrgetter("intake.source", "intake.is_trusted", "intake.is_relayed")


class RequestBatcher:
    """An `AcceptsIntake` that gathers small requests, and hands those of one source to another one in one call."""

    def __init__(self, accepts: AcceptsIntake) -> None:
        self._accepts = accepts
        self._waiting: list[_Waiting] = []
        #: How many events they bring; a request of none counts as one.
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
        """Begin with what waits, in groups; the last of them may wait for more."""
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
        """Return from which size on a group may begin now."""
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
            each.receipt.cancel()  # where the task was cancelled, nobody has answered

    async def _accept_together(self, group: Sequence[_Waiting]) -> None:
        """Set the receipt, or the error, of every request of a group."""
        try:
            together = chain.from_iterable(each.events for each in group)
            receipt = await self._accepts.accept(replace(group[0].intake, events=together, whole=len(group) > 1))
            events = iter(receipt.events)
            for each in group:
                _answer(each, receipt_of(list(islice(events, len(each.events)))))
        except Exception as exc:  # noqa: BLE001 - it is handed to whoever asked
            if len(group) == 1:
                _answer(group[0], exc)
            else:  # one of them may be the cause, and the others must not suffer from it
                await asyncio.gather(*[self._accept_together([each]) for each in group])


def _groups(waiting: Iterable[_Waiting]) -> Iterator[list[_Waiting]]:
    """Divide the requests of a turn into groups of one source each, which keep their order."""
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
    if waiting.receipt.done():  # who asked has gone
        return
    if isinstance(answer, Exception):
        waiting.receipt.set_exception(answer)
    else:
        waiting.receipt.set_result(answer)
