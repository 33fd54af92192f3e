"""What the ledger shows: deliveries, messages, the backlog. Reading only."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import orjson

from app.outbox.jetstream.broker import Broker, together
from app.outbox.jetstream.queue import Queue
from app.outbox.jetstream.record import decode
from app.outbox.jetstream.streams import (
    DEAD,
    HELD,
    KEPT,
    LEDGER,
    NOTES,
    QUEUE,
    address,
    addresses,
    is_delivery_id,
    token,
)
from app.types import Backlog, Delivery, Exit, Message, Note, Page, Query, State

#: Records looked at, the last that changed, where no subject leads to what is asked for.
SCAN_RECORDS: Final = 5_000
_STEP = 200


class Ledger:
    """Reads the streams; what this process holds claimed is shown so, what others hold is shown as pending."""

    def __init__(self, broker: Broker, queue: Queue) -> None:
        self._broker = broker
        self._queue = queue

    async def search(self, query: Query, *, limit: int, cursor: str | None) -> Page:
        """Do `Outbox.search`. The cursor is the id below which the next page begins."""
        if query.delivery_id is not None and not is_delivery_id(query.delivery_id):
            return Page(deliveries=())
        before = cursor if cursor and is_delivery_id(cursor) else "~"  # behind every id
        scanned = None
        if query.state is State.DEAD:
            found = [each async for each in self._some_dead(query, before, limit + 1)]
        else:
            found, scanned = await self._records(query, before)
        page = tuple(replace(each, history=(), payload=None) for each in found[:limit])
        return Page(
            deliveries=page,
            next_cursor=page[-1].delivery_id if len(found) > limit else None,
            scanned=scanned,
        )

    async def _records(self, query: Query, before: str) -> tuple[list[Delivery], int | None]:
        """Read the records that match, newest first, and how many were looked at where not all were."""
        _, first, last = await self._broker.count(LEDGER)
        exact = any((query.delivery_id, query.message_id, query.event_id))
        start = 1 if exact else max(1, last - SCAN_RECORDS + 1)
        stored = await self._broker.read(LEDGER, f"pinrelay.ledger.{addresses(query)}", start=start)
        found = [self._queue.shown(decode(each.body).delivery) for each in stored]
        matching = [each for each in found if each.delivery_id < before and matches(each, query)]
        newest_first = sorted(matching, key=lambda each: each.delivery_id, reverse=True)
        return newest_first, SCAN_RECORDS if start > max(1, first) else None

    async def _some_dead(self, query: Query, before: str, count: int) -> AsyncIterator[Delivery]:
        async for each in self.dead(query, before):
            yield each
            count -= 1
            if count == 0:
                return

    async def dead(self, query: Query, before: str = "~") -> AsyncIterator[Delivery]:
        """Look up the dead deliveries that match, newest first, by their subjects."""
        subjects = await self._broker.subjects(DEAD, f"pinrelay.dead.{addresses(query)}")
        places = sorted((each.split(".")[3], each.removeprefix("pinrelay.dead.")) for each in subjects)
        below = [place for delivery_id, place in reversed(places) if delivery_id < before]
        for begin in range(0, len(below), _STEP):
            for each in await together(map(self._by_address, below[begin : begin + _STEP])):
                if each is not None and matches(each, replace(query, state=State.DEAD)):
                    yield each

    async def _by_address(self, place: str) -> Delivery | None:
        stored = await self._broker.last(LEDGER, f"pinrelay.ledger.{place}")
        if stored is None:  # the process that stored it ended before it wrote the ledger
            stored = await self._broker.last(QUEUE, f"pinrelay.queue.{place}")
        return self._queue.shown(decode(stored.body).delivery) if stored else None

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """Do `Outbox.delivery`."""
        if not is_delivery_id(delivery_id):
            return None
        found = await self._by_address(addresses(Query(delivery_id=delivery_id)))
        return await self._whole(found) if found else None

    async def _whole(self, delivery: Delivery) -> Delivery:
        """Add the payload, where it is kept."""
        place = address(delivery)
        if delivery.state is State.DELIVERED:
            kept = await self._broker.last(KEPT, f"pinrelay.kept.{place}")
            return replace(delivery, payload=kept.body if kept else None)
        stream, subject = (DEAD, "dead") if delivery.state is State.DEAD else (QUEUE, "queue")
        stored = await self._broker.last(stream, f"pinrelay.{subject}.{place}")
        if stored is None:
            stored = await self._broker.last(HELD, f"pinrelay.held.{place}")
        return replace(delivery, payload=decode(stored.body).delivery.payload if stored else None)

    async def message(self, message_id: str) -> Message:
        """Do `Outbox.message`, oldest first."""
        stored = await self._broker.read(NOTES, f"pinrelay.note.{token(message_id)}")
        found, _ = await self._records(Query(message_id=message_id), "~")
        return Message(
            message_id=message_id,
            notes=tuple(map(_note, (each.body for each in stored))),
            deliveries=tuple(await together(map(self._whole, reversed(found)))),
        )

    async def backlog(self, ad_account_id: str) -> Backlog:
        """Do `Outbox.backlog`.

        `claimed` counts what this process has claimed, `dead` at most 100,000; what is held of switched-off presets is
        counted for all ad accounts together.
        """
        account = token(ad_account_id)
        held, _, _ = await self._broker.count(HELD)
        consumer = await self._queue.subscribe(ad_account_id)
        unsettled = await self._broker.waiting(QUEUE, consumer)
        claimed = self._queue.claimed_of(ad_account_id)
        held = max(held, (await self._broker.count(HELD))[0])  # some may have moved to or from the queue meanwhile
        oldest = [
            await self._broker.first(QUEUE, f"pinrelay.queue.{account}.>"),
            await self._broker.first(HELD, f"pinrelay.held.{account}.>") if held else None,
        ]
        return Backlog(
            pending=max(0, unsettled - claimed) + held,
            claimed=claimed,
            dead=len(await self._broker.subjects(DEAD, f"pinrelay.dead.{account}.>")),
            oldest_at=min((decode(each.body).delivery.enqueued_at for each in oldest if each), default=None),
        )


def matches(delivery: Delivery, query: Query) -> bool:
    """Tell whether all conditions hold; hashes of subjects may collide, so that all are compared."""
    exact = ("delivery_id", "message_id", "event_id", "preset", "state")
    for name in exact:
        asked = getattr(query, name)
        if asked is not None and getattr(delivery, name) != asked:
            return False
    return query.reason is None or query.reason.lower() in delivery.reason.lower()


def _note(body: bytes) -> tuple[float, Note]:
    at, note = orjson.loads(body)
    return at, Note(**{**note, "exit": Exit(note["exit"]), "warnings": tuple(note["warnings"])})
