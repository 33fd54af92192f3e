"""The connection to NATS. Every call to it goes through here, and every error of it is translated here."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import nats
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, PubAck, RawStreamMsg, StreamConfig
from nats.js.errors import APIError, BadRequestError, NotFoundError

from app.errors import OutboxUnavailable

if TYPE_CHECKING:
    from nats.aio.client import Client

CONNECT_S: Final = 5.0
REQUEST_S: Final = 5.0
#: How long a pull waits for what the consumer has not noticed yet, though its publisher has been told.
PULL_S: Final = 0.02
#: Requests under way at once, for one call of the outbox.
TOGETHER: Final = 256
_NAME_IN_USE = 10058
_WRONG_LAST_SEQUENCE = 10071

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


async def _quietly(_: Exception) -> None:
    """Leave an error of the connection to the call that meets it: the client reconnects by itself."""


class Broker:
    """One connection, made at the first call; the streams are brought up to date then."""

    def __init__(
        self, servers: Sequence[str], streams: Sequence[StreamConfig], on_wake: Callable[[bytes], None]
    ) -> None:
        self._servers = list(servers)
        self._streams = streams
        self._on_wake = on_wake
        self._opening = asyncio.Lock()
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._closed = False

    async def publish(self, subject: str, body: bytes, *, message_id: str = "", **headers: str) -> PubAck:
        """Store a message, and return when as many copies as asked for are written."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if message_id:
            named["Nats-Msg-Id"] = message_id
        async with self._border() as stream:
            return await stream.publish(subject, body, headers=named or None)

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
        async with self._border() as stream:
            try:
                found: RawStreamMsg = await stream.get_msg(stream_name, **which)
            except NotFoundError:
                return None
        return Stored(
            subject=found.subject or "", sequence=found.seq or 0, body=found.data or b"", headers=found.headers or {}
        )

    async def delete(self, stream_name: str, sequence: int) -> None:
        """Delete one message; no matter if it is gone."""
        async with self._border() as stream:
            with suppress(NotFoundError, BadRequestError):
                await stream.delete_msg(stream_name, sequence)

    async def count(self, stream_name: str) -> tuple[int, int, int]:
        """Answer how many messages a stream holds, and its first and last sequence."""
        async with self._border() as stream:
            state = (await stream.stream_info(stream_name)).state
        return state.messages, state.first_seq, state.last_seq

    async def subjects(self, stream_name: str, pattern: str) -> list[str]:
        """List the subjects of a stream that hold messages, at most 100,000 (a limit of NATS)."""
        async with self._border() as stream:
            state = (await stream.stream_info(stream_name, subjects_filter=pattern)).state
        return list(state.subjects or {})

    async def read(self, stream_name: str, pattern: str, *, start: int = 1) -> list[Stored]:
        """Read the messages of a pattern of subjects, from a sequence on, oldest first."""
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=max(1, start),
            filter_subject=pattern,
            inactive_threshold=30,
            mem_storage=True,
            num_replicas=1,
        )
        async with self._border() as stream:
            info = await stream.add_consumer(stream_name, config)
            try:
                found = await self._next(stream_name, info.name, info.num_pending or 0)
            finally:
                with suppress(NotFoundError):
                    await stream.delete_consumer(stream_name, info.name)
        return [Stored(subject=each.subject, sequence=each.metadata.sequence.stream, body=each.data) for each in found]

    async def consumer(self, stream_name: str, config: ConsumerConfig) -> None:
        """Make a durable consumer, or bring it up to date."""
        async with self._border() as stream:
            await stream.add_consumer(stream_name, config)

    async def waiting(self, stream_name: str, consumer: str) -> int:
        """Count the messages that a consumer has not seen acknowledged."""
        async with self._border() as stream:
            info = await stream.consumer_info(stream_name, consumer)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def pull(self, stream_name: str, consumer: str, count: int) -> list[Msg]:
        """Take up to `count` messages that are there now."""
        async with self._border():
            return await self._next(stream_name, consumer, count)

    async def _next(self, stream_name: str, consumer: str, count: int) -> list[Msg]:
        """Pull what is there, then shortly wait for what the consumer has not noticed yet."""
        found: list[Msg] = []
        if self._client is None:
            return found
        inbox = await self._client.subscribe(self._client.new_inbox())
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream_name}.{consumer}"
        try:
            for how in ({"no_wait": True}, {"expires": int(PULL_S * 1e9)}):
                if len(found) < count:
                    request = json.dumps({"batch": count - len(found)} | how).encode()
                    await self._client.publish(subject, request, reply=inbox.subject)
                    await _receive(inbox, found, count)
        finally:
            await inbox.unsubscribe()
        return found

    async def acknowledge(self, message: Msg, verb: bytes) -> None:
        """Tell the server what becomes of a message that was pulled, and return when it knows."""
        async with self._border():
            if self._client is not None:
                await self._client.request(message.reply, verb, timeout=REQUEST_S)

    async def wake(self, body: bytes) -> None:
        """Wake the other processes. Whoever misses it sees by its own timeout."""
        async with self._border():
            if self._client is not None:
                await self._client.publish("pinrelay.wake", body)

    async def open(self) -> None:
        """Connect, unless that is done."""
        async with self._border():
            pass

    async def close(self) -> None:
        """Send what is buffered and leave. May be called again."""
        self._closed = True
        client, self._client, self._stream = self._client, None, None
        if client is not None:
            with suppress(nats.errors.Error, OSError, asyncio.TimeoutError):
                await client.flush(1)
            await client.close()

    @asynccontextmanager
    async def _border(self) -> AsyncIterator[JetStreamContext]:
        """Lend the connection, and translate the errors inside."""
        if self._closed:
            raise OutboxUnavailable("The outbox is closed. Send the events again later.")
        try:
            yield await self._opened()
        except (TimeoutError, nats.errors.Error, OSError) as exc:
            code = getattr(exc, "err_code", None)
            name = type(exc).__name__ + (f" {code}" if code else "")
            message = f"The outbox cannot be used now ({name}): look at the NATS servers. Send the events again later."
            raise OutboxUnavailable(message) from exc

    async def _opened(self) -> JetStreamContext:
        async with self._opening:
            if self._stream is None:
                self._stream = await asyncio.wait_for(self._connect(), CONNECT_S)
            return self._stream

    async def _connect(self) -> JetStreamContext:
        client = await nats.connect(
            self._servers, no_echo=True, connect_timeout=2, max_reconnect_attempts=-1, reconnect_time_wait=0.25,
            error_cb=_quietly,
        )  # fmt: skip
        try:
            stream = client.jetstream(timeout=REQUEST_S)
            await asyncio.gather(*(_ensure(stream, config) for config in self._streams))
            await client.subscribe("pinrelay.wake", cb=self._woken)
            await client.flush()
        except BaseException:
            await client.close()
            raise
        self._client = client
        return stream

    async def _woken(self, message: Msg) -> None:
        self._on_wake(message.data)


async def _receive(inbox: Subscription, found: list[Msg], count: int) -> None:
    """Add messages up to `count`, or until the server says that there are no more."""
    while len(found) < count:
        message = await inbox.next_msg(REQUEST_S)
        if message.headers and "Status" in message.headers:
            return
        found.append(message)


async def _ensure(stream: JetStreamContext, config: StreamConfig) -> None:
    """Make a stream, or bring its limits up to date."""
    try:
        await stream.add_stream(config)
    except BadRequestError as exc:
        if exc.err_code != _NAME_IN_USE:
            raise
        await stream.update_stream(config)
