"""Connections that read, beside the writer: no read ever waits for a commit."""

import asyncio
import queue
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from app.errors import OutboxUnavailable
from app.outbox.sqlite.database import open_readable
from app.outbox.sqlite.guard import Guard

Answer = TypeVar("Answer")


class Readers:
    """A few connections; each read borrows one in a thread of its own and sees one moment of the store."""

    _idle: queue.SimpleQueue[sqlite3.Connection]

    def __init__(self, path: Path, guard: Guard, *, count: int = 4) -> None:
        self._guard = guard
        self._count = count
        self._idle = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(open_readable(path))
        self._closed = False

    async def read(self, work: Callable[..., Answer], *arguments: Any) -> Answer:
        """Call `work(connection, *arguments)`. Raises OutboxUnavailable where SQLite fails."""
        if self._closed:
            raise OutboxUnavailable("The outbox is closed.")
        return await asyncio.to_thread(self._read, work, arguments)

    def _read(self, work: Callable[..., Answer], arguments: tuple[Any, ...]) -> Answer:
        connection = self._idle.get()
        try:
            with self._guard.border():
                connection.execute("BEGIN")
                try:
                    return work(connection, *arguments)
                finally:
                    connection.execute("COMMIT")
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Wait for the reads that are under way and release the file. Blocks; may be called again."""
        if not self._closed:
            self._closed = True
            for _ in range(self._count):
                self._idle.get().close()
