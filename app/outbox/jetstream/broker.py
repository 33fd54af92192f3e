"""The calls of NATS, each waiting for its answer."""

import asyncio
import json
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, PubAck, RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from app.errors import OutboxUnavailable
from app.outbox.jetstream.connection import REQUEST_S, Connection
from app.outbox.jetstream.streams import WAKE

#: How long a pull waits for what the consumer has not noticed yet, though its publisher has been told.
PULL_S: Final = 0.02
#: Requests under way at once, for one call of the outbox.
TOGETHER: Final = 256
_WRONG_LAST_SEQUENCE = 10071
#: No message has this sequence; its deletion failed, for somebody was faster.
_ALREADY_GONE = (10037, 10057)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A message of a stream."""

    subject: str
    sequence: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


async def together(calls: Iterable[Awaitable[Answer]]) -> list[Answer]:
    """Await calls at once, some of them at a time, and answer in order; all have ended before one's error is raised."""
    gate = asyncio.Semaphore(TOGETHER)

    async def one(call: Awaitable[Answer]) -> Answer:
        async with gate:
            return await call

    answers = await asyncio.gather(*map(one, calls), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers  # type: ignore[return-value] # the exceptions are gone


class Broker:
    """The calls of NATS that this engine makes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def publish(self, subject: str, body: bytes, *, message_id: str = "", **headers: str) -> PubAck:
        """Store a message, and return when as many copies as asked for are written."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if message_id:
            named["Nats-Msg-Id"] = message_id
        async with self._connection.lend() as lent:
            return await lent.stream.publish(subject, body, headers=named or None)

    async def replace(self, subject: str, body: bytes, *, after: int, **headers: str) -> int | None:
        """Store a message if `after` is the last one of its subject (0: there is none); None where it is not."""
        headers["Nats_Expected_Last_Subject_Sequence"] = str(after)
        try:
            return (await self.publish(subject, body, **headers)).seq
        except OutboxUnavailable as exc:
            if isinstance(exc.__cause__, APIError) and exc.__cause__.err_code == _WRONG_LAST_SEQUENCE:
                return None
            raise

    async def last(self, stream_name: str, subject: str) -> Stored | None:
        """Read the newest message of a subject, which may hold wildcards."""
        return await self._get(stream_name, subject=subject)

    async def first(self, stream_name: str, subject: str) -> Stored | None:
        """Read the oldest message of a subject, which may hold wildcards."""
        return await self._get(stream_name, seq=1, subject=subject, next=True)

    async def at(self, stream_name: str, sequence: int) -> Stored | None:
        """Read the message with this sequence."""
        return await self._get(stream_name, seq=sequence)

    async def _get(self, stream_name: str, **which: Any) -> Stored | None:
        async with self._connection.lend() as lent:
            try:
                found: RawStreamMsg = await lent.stream.get_msg(stream_name, **which)
            except NotFoundError:
                return None
        return Stored(
            subject=found.subject or "", sequence=found.seq or 0, body=found.data or b"", headers=found.headers or {}
        )

    async def delete(self, stream_name: str, sequence: int) -> None:
        """Delete one message; no matter if it is gone."""
        async with self._connection.lend() as lent:
            try:
                await lent.stream.delete_msg(stream_name, sequence)
            except APIError as exc:
                if exc.err_code not in _ALREADY_GONE:
                    raise

    async def purge(self, stream_name: str, subject: str, *, up_to: int) -> None:
        """Delete the messages of a subject, up to a sequence."""
        async with self._connection.lend() as lent:
            await lent.stream.purge_stream(stream_name, seq=up_to + 1, subject=subject)

    async def count(self, stream_name: str) -> tuple[int, int, int]:
        """Answer how many messages a stream holds, and its first and last sequence."""
        async with self._connection.lend() as lent:
            state = (await lent.stream.stream_info(stream_name)).state
        return state.messages, state.first_seq, state.last_seq

    async def subjects(self, stream_name: str, pattern: str) -> list[str]:
        """List the subjects of a stream that hold messages, at most 100,000 (a limit of NATS)."""
        async with self._connection.lend() as lent:
            state = (await lent.stream.stream_info(stream_name, subjects_filter=pattern)).state
        return list(state.subjects or {})

    async def read(self, stream_name: str, pattern: str, *, start: int = 1, limit: int | None = None) -> list[Stored]:
        """Read the messages of a pattern of subjects, from a sequence on, oldest first, all or `limit` at most."""
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=max(1, start),
            filter_subject=pattern,
            inactive_threshold=30,
            mem_storage=True,
            num_replicas=1,
        )
        async with self._connection.lend() as lent:
            info = await lent.stream.add_consumer(stream_name, config)
            try:
                pending = info.num_pending or 0
                count = pending if limit is None else min(limit, pending)
                found = await self._next(lent.client, stream_name, info.name, count)
            finally:
                with suppress(NotFoundError):
                    await lent.stream.delete_consumer(stream_name, info.name)
        return [Stored(subject=each.subject, sequence=each.metadata.sequence.stream, body=each.data) for each in found]

    async def consumer(self, stream_name: str, config: ConsumerConfig) -> None:
        """Make a durable consumer, or bring it up to date."""
        async with self._connection.lend() as lent:
            await lent.stream.add_consumer(stream_name, config)

    async def waiting(self, stream_name: str, consumer: str) -> int:
        """Count the messages that a consumer has not seen acknowledged."""
        async with self._connection.lend() as lent:
            info = await lent.stream.consumer_info(stream_name, consumer)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def pull(self, stream_name: str, consumer: str, count: int) -> list[Msg]:
        """Take up to `count` messages that are there now."""
        async with self._connection.lend() as lent:
            return await self._next(lent.client, stream_name, consumer, count)

    async def _next(self, client: Client, stream_name: str, consumer: str, count: int) -> list[Msg]:
        """Pull what is there, then shortly wait for what the consumer has not noticed yet."""
        found: list[Msg] = []
        inbox = await client.subscribe(client.new_inbox())
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream_name}.{consumer}"
        try:
            for how in ({"no_wait": True}, {"expires": int(PULL_S * 1e9)}):
                if len(found) < count:
                    request = json.dumps({"batch": count - len(found)} | how).encode()
                    await client.publish(subject, request, reply=inbox.subject)
                    await _receive(inbox, found, count)
        finally:
            await inbox.unsubscribe()
        return found

    async def acknowledge(self, message: Msg, verb: bytes) -> None:
        """Tell the server what becomes of a message that was pulled, and return when it knows."""
        async with self._connection.lend() as lent:
            await lent.client.request(message.reply, verb, timeout=REQUEST_S)

    async def wake(self, body: bytes) -> None:
        """Wake the other processes. Whoever misses it sees by its own timeout."""
        async with self._connection.lend() as lent:
            await lent.client.publish(WAKE, body)

    async def open(self) -> None:
        """Connect, unless that is done."""
        async with self._connection.lend():
            pass

    async def close(self) -> None:
        """Leave. May be called again."""
        await self._connection.close()


async def _receive(inbox: Subscription, found: list[Msg], count: int) -> None:
    """Add messages up to `count`, or until the server says that there are no more."""
    while len(found) < count:
        message = await inbox.next_msg(REQUEST_S)
        if message.headers and "Status" in message.headers:
            return
        found.append(message)
