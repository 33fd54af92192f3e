"""gzip undone within bounds: of one request, by what it sent, and of all requests that are under way together."""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Final

from app.source.responses import BROKEN_JSON, NO_ROOM, TOO_LARGE, RequestRefused

#: How gzip begins; no JSON does.
GZIP: Final = b"\x1f\x8b"
#: So much is unpacked, or signed, before other requests get their turn.
PIECE_BYTES: Final = 262_144
#: A body that is sent plain and is no larger waits for nothing: it costs what it sent.
_SMALL_BYTES = 65_536
#: Up to here a body may be packed as tightly as it likes: batches of mobile SDKs pack 28 to 49 to 1.
_ANY_RATIO_BYTES = 1_000_000
#: Beyond it, so many bytes for each that was sent.
_MAX_RATIO = 100
#: gzip ends with the size of what is packed, in so many bytes: https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1
_SIZE_BYTES = 4

_NO_BUDGET_NEEDED: Final = nullcontext()


def unpacked_size(raw: bytes, max_bytes: int) -> int:
    """Return how many bytes a body has without gzip. Nothing is unpacked yet.

    gzip is known by its first bytes, with which no JSON begins, since proxies forget `Content-Encoding` or keep it
    wrongly. Its last bytes say the size; `pieces` refuses what comes to more. Raises RequestRefused where the size is
    more than `max_bytes`, or out of proportion to what was sent.
    """
    size, most = len(raw), max_bytes
    if raw.startswith(GZIP):
        size = int.from_bytes(raw[-_SIZE_BYTES:], "little")
        most = min(max_bytes, max(_ANY_RATIO_BYTES, _MAX_RATIO * len(raw)))
    if size > most:
        raise RequestRefused(TOO_LARGE)
    return size


def is_small(raw: bytes, size: int) -> bool:
    """Return whether a body is small and not packed, so that it needs nothing of the budget."""
    return size <= _SMALL_BYTES and not raw.startswith(GZIP)


def pieces(raw: bytes, size: int) -> Iterator[bytes]:
    """Yield a body of this size without gzip, piece by piece. Raises RequestRefused where it is broken."""
    if not raw.startswith(GZIP):
        yield from (raw[at : at + PIECE_BYTES] for at in range(0, max(1, len(raw)), PIECE_BYTES))
        return
    stream, left, packed = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), size, raw
    while not stream.eof:
        try:
            piece = stream.decompress(packed, PIECE_BYTES)
        except zlib.error:
            raise RequestRefused(BROKEN_JSON) from None
        packed, left = stream.unconsumed_tail, left - len(piece)
        if left < 0 or not (piece or packed or stream.eof):
            raise RequestRefused(BROKEN_JSON)
        yield piece
    if left or stream.unused_data:
        raise RequestRefused(BROKEN_JSON)


async def unpack(raw: bytes, size: int) -> bytes:
    """Return the body without gzip; between two pieces other requests get their turn. Raises RequestRefused."""
    if not raw.startswith(GZIP):
        return raw
    unpacked: list[bytes] = []
    for piece in pieces(raw, size):
        if unpacked:
            await asyncio.sleep(0)
        unpacked.append(piece)
    return b"".join(unpacked)


class MemoryBudget:
    """Bounds how many unpacked bytes are under way at once; further bodies wait in the order in which they came."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._taken_bytes = 0
        #: Held while a body is unpacked and looked through.
        self.opening = asyncio.Lock()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def held(self, raw: bytes, size: int, *, timeout_s: float) -> AbstractAsyncContextManager[None]:
        """Take this size off the budget while the block lasts. Raises RequestRefused where it takes too long to get it.

        A body that is larger than the whole budget gets it once nothing else is under way; a small one needs none.
        """
        return _NO_BUDGET_NEEDED if is_small(raw, size) else self._held(size, timeout_s)

    @asynccontextmanager
    async def _held(self, size: int, timeout_s: float) -> AsyncIterator[None]:
        if self._waiting or not self._fits(size):
            await self._wait(size, timeout_s)
        else:
            self._taken_bytes += size
        try:
            yield
        finally:
            self._taken_bytes -= size
            self._let_in()

    def _fits(self, size: int) -> bool:
        return self._taken_bytes == 0 or self._taken_bytes + size <= self._max_bytes

    async def _wait(self, size: int, timeout_s: float) -> None:
        entry = size, asyncio.get_running_loop().create_future()
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout_s):
                await entry[1]
        except BaseException as exc:
            if entry in self._waiting:
                self._waiting.remove(entry)
            else:  # it was let in at the same moment
                self._taken_bytes -= size
            self._let_in()
            if isinstance(exc, TimeoutError):
                raise RequestRefused(NO_ROOM) from None
            raise

    def _let_in(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            self._taken_bytes += size
            if not turn.done():
                turn.set_result(None)
