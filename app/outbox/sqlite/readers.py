"""Connections for reads beside the writer: no read waits for a commit."""

import asyncio
import queue
from collections.abc import Callable
from pathlib import Path

from app.config.settings import OutboxSettings
from app.errors import OutboxUnavailable
from app.outbox.sqlite.database import Answer, Connection, at_once, open_readable
from app.outbox.sqlite.guard import Guard
from app.outbox.sqlite.writer import Writer
from app.outbox.statements import UsesStore, Work


class Readers:
    """A few connections; each read borrows one in a separate thread and reads a consistent state."""

    #: The free connections, followed by `None` after they are closed.
    _idle: queue.SimpleQueue[Connection | None]

    def __init__(self, path: Path, guard: Guard, *, count: int = 4) -> None:
        self._guard = guard
        self._count = count
        self._idle = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(open_readable(path))
        self._closed = False

    async def read(self, work: Callable[[Connection], Answer]) -> Answer:
        """Run work with a connection. Raises OutboxUnavailable if SQLite fails, or after `close`."""
        return await asyncio.to_thread(self._read, work)

    def _read(self, work: Callable[[Connection], Answer]) -> Answer:
        connection = self._idle.get()
        try:
            if connection is None:
                raise OutboxUnavailable("The outbox is closed: this process is shutting down.")
            with self._guard.translated_errors():
                connection.execute("BEGIN")
                try:
                    return work(connection)
                finally:
                    connection.execute("COMMIT")
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Wait for current reads and release the file. Blocks; idempotent."""
        if not self._closed:
            self._closed = True
            for _ in range(self._count):
                if connection := self._idle.get():
                    connection.close()
            self._idle.put(None)


class UsesFile(UsesStore):
    """A part of the engine: writes go through the single writer, reads run beside it."""

    def __init__(self, path: Path, writer: Writer, readers: Readers, rules: OutboxSettings) -> None:
        self._path = path
        self._writer = writer
        self._readers = readers
        self._rules = rules

    async def _read(self, work: Work[Answer]) -> Answer:
        return await self._readers.read(lambda connection: at_once(work(connection)))

    async def _write(self, work: Work[Answer], *, rows: int = 1, takes_in: bool = False) -> Answer:
        return await self._writer.do(lambda connection: at_once(work(connection)), rows=rows, takes_in=takes_in)
