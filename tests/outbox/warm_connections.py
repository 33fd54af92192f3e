"""Connections to stores that are lent to one test after the other: closed by one, they are given to the next.

A new session of PostgreSQL reads the catalog anew, which takes most of what a test takes of the server.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self
from unittest.mock import patch

from psycopg.pq import ExecStatus, PGconn
from psycopg.pq import abc as pq

from app.outbox.postgres.connections import Connection

#: What a connection has that was given away.
_ENDED: Final = PGconn.connect_start(b"")
_ENDED.finish()


class WarmConnections:
    """Sessions of one server that nobody uses, by what they were made with."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, list[pq.PGconn]] = defaultdict(list)
        self._warm = _warm_connection(self._kept)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let outboxes take them, and give them back."""
        with patch("app.outbox.postgres.connections.Connection", self._warm):
            yield

    @property
    def pids(self) -> list[int]:
        """The processes of the server that serve them."""
        return [each.backend_pid for kept in self._kept.values() for each in kept]

    def close(self) -> None:
        """End them."""
        for kept in self._kept.values():
            while kept:
                kept.pop().finish()


def _warm_connection(kept: defaultdict[str, list[pq.PGconn]]) -> type[Connection]:
    class WarmConnection(Connection):
        made_with = ""

        @classmethod
        async def connect(cls, conninfo: str = "", **options: Any) -> Self:
            connection = None
            while kept[conninfo] and not connection:
                found = cls(kept[conninfo].pop())
                connection = found if found.is_usable else None
            connection = connection or await super().connect(conninfo)
            connection.made_with = conninfo
            connection._autocommit = options["autocommit"]
            connection.prepare_threshold = options["prepare_threshold"]
            return connection

        async def close(self) -> None:
            if not self.is_usable or self.pgconn.exec_(b"DISCARD ALL").status != ExecStatus.COMMAND_OK:
                await super().close()
                return
            while self.pgconn.notifies():
                pass
            kept[self.made_with].append(self.pgconn)
            self.pgconn, self._closed = _ENDED, True

    return WarmConnection
