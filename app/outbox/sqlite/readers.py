"""Connections that read, beside the writer: no read ever waits for a commit."""

import asyncio
import queue
import sqlite3
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from app.config.settings import OutboxSettings
from app.errors import OutboxUnavailable
from app.outbox.sqlite.database import open_readable
from app.outbox.sqlite.guard import Guard
from app.outbox.sqlite.writer import Writer

Answer = TypeVar("Answer")
Given = ParamSpec("Given")
Part = TypeVar("Part", bound="UsesFile")


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

    async def read(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do work with a connection. Raises OutboxUnavailable where SQLite fails."""
        if self._closed:
            raise OutboxUnavailable("The outbox is closed: this process is shutting down.")
        return await asyncio.to_thread(self._read, work)

    def _read(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        connection = self._idle.get()
        try:
            with self._guard.translated_errors():
                connection.execute("BEGIN")
                try:
                    return work(connection)
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


class UsesFile:
    """A part of the engine: it writes through the one writer, and reads beside it."""

    def __init__(self, path: Path, writer: Writer, readers: Readers, rules: OutboxSettings) -> None:
        self._path = path
        self._writer = writer
        self._readers = readers
        self._rules = rules


def reads(
    work: Callable[Concatenate[Part, sqlite3.Connection, Given], Answer],
) -> Callable[Concatenate[Part, Given], Coroutine[Any, Any, Answer]]:
    """Make a method async: its body runs in a thread, with a connection that reads."""

    @wraps(work)
    async def method(part: Part, /, *given: Given.args, **named: Given.kwargs) -> Answer:
        return await part._readers.read(lambda connection: work(part, connection, *given, **named))  # noqa: SLF001 - it is a method

    return method


def writes(
    work: Callable[Concatenate[Part, sqlite3.Connection, Given], Answer],
) -> Callable[Concatenate[Part, Given], Coroutine[Any, Any, Answer]]:
    """Make a method async: its body runs in the thread that writes, within a transaction."""

    @wraps(work)
    async def method(part: Part, /, *given: Given.args, **named: Given.kwargs) -> Answer:
        return await part._writer.do(lambda connection: work(part, connection, *given, **named))  # noqa: SLF001 - it is a method

    return method
