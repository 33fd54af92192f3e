"""The connection to NATS: made at the first call, lent to one call at a time, its errors translated here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import nats
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import BadRequestError

from app.errors import OutboxUnavailable
from app.outbox.jetstream.streams import WAKE

CONNECT_S: Final = 5.0
REQUEST_S: Final = 5.0
#: A new cluster chooses a leader for each stream.
ENSURE_S: Final = 15.0
_NAME_IN_USE = 10058


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """What calls are made with."""

    client: Client
    stream: JetStreamContext


class Connection:
    """One connection to whichever server answers; the streams are brought up to date when it is made."""

    def __init__(
        self, servers: Sequence[str], streams: Sequence[StreamConfig], on_wake: Callable[[bytes], None]
    ) -> None:
        self._servers = list(servers)
        self._streams = streams
        self._on_wake = on_wake
        self._opening = asyncio.Lock()
        self._lent: Lent | None = None
        self._closed = False

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Lent]:
        """Lend the connection. Every error of NATS inside leaves as OutboxUnavailable."""
        if self._closed:
            raise OutboxUnavailable("The outbox is closed. Send the events again later.")
        try:
            yield await self._opened()
        except (TimeoutError, nats.errors.Error, OSError) as exc:
            code = getattr(exc, "err_code", None)
            name = type(exc).__name__ + (f" {code}" if code else "")
            message = f"The outbox cannot be used now ({name}): look at the NATS servers. Send the events again later."
            raise OutboxUnavailable(message) from exc

    async def _opened(self) -> Lent:
        async with self._opening:
            if self._lent is None:
                self._lent = await self._connect()
            return self._lent

    async def _connect(self) -> Lent:
        client = Client()
        try:
            await asyncio.wait_for(self._reach(client), CONNECT_S)
            patient = client.jetstream(timeout=ENSURE_S)
            await asyncio.gather(*(_ensure(patient, config) for config in self._streams))
            await client.subscribe(WAKE, cb=self._woken)
            await client.flush()
        except BaseException:
            await client.close()
            raise
        return Lent(client=client, stream=client.jetstream(timeout=REQUEST_S))

    async def _reach(self, client: Client) -> None:
        await client.connect(
            self._servers,
            no_echo=True,  # what this process tells the others, it knows
            connect_timeout=2,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # type: ignore[arg-type] # seconds, given to asyncio.sleep
            error_cb=_quietly,
        )

    async def _woken(self, message: Msg) -> None:
        self._on_wake(message.data)

    async def close(self) -> None:
        """Send what is buffered and leave. May be called again."""
        self._closed = True
        lent, self._lent = self._lent, None
        if lent is not None:
            for leave in (partial(lent.client.flush, 1), lent.client.close):
                # A server that is gone is left too; asyncio answers a write to a dead transport with TypeError.
                with suppress(nats.errors.Error, OSError, asyncio.TimeoutError, TypeError, RuntimeError):
                    await leave()


async def _quietly(_: Exception) -> None:
    """Leave an error of the connection to the call that meets it: the client reconnects by itself."""


async def _ensure(stream: JetStreamContext, config: StreamConfig) -> None:
    """Make a stream, or bring its limits up to date."""
    try:
        await stream.add_stream(config)
    except BadRequestError as exc:
        if exc.err_code != _NAME_IN_USE:
            raise
        await stream.update_stream(config)
