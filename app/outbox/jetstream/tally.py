"""Counts by minute: summed in memory, written every second, one message an hour and process."""

import asyncio
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Final

import orjson

from app.errors import OutboxUnavailable
from app.outbox.jetstream.broker import Broker, together
from app.outbox.jetstream.streams import TALLIES
from app.types import Tally

MINUTE_S: Final = 60
HOUR_S: Final = 3_600
FLUSH_S: Final = 1.0
_MAX_HOURS: Final = 2  # kept in memory


class Tallies:
    """The counts of this process. A crash loses those of the last second."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        #: What makes the subject of an hour this process's own; an hour that comes again has another.
        self._names: dict[int, str] = defaultdict(partial(secrets.token_hex, 8))
        #: hour -> (minute, name, preset, label) -> count
        self._hours: dict[int, Counter[tuple[int, str, str, str]]] = defaultdict(Counter)
        self._changed: set[int] = set()
        self._later: asyncio.Task[None] | None = None

    def add(self, tallies: Iterable[Tally], now: float) -> None:
        """Count, and write it within a second."""
        minute = int(now // MINUTE_S) * MINUTE_S
        hour = int(now // HOUR_S) * HOUR_S
        for tally in tallies:
            self._hours[hour][minute, tally.name, tally.preset, tally.label] += tally.count
            self._changed.add(hour)
        if self._changed and (self._later is None or self._later.done()):
            self._later = asyncio.create_task(self._flush_later())

    async def _flush_later(self) -> None:
        await asyncio.sleep(FLUSH_S)
        with suppress(OutboxUnavailable):  # the next ones write what these could not
            await self.flush()

    async def flush(self) -> None:
        """Write what has changed."""
        changed, self._changed = self._changed, set()
        try:
            await together(map(self._write, changed))
        except OutboxUnavailable:
            self._changed |= changed
            raise
        for hour in sorted(self._hours)[:-_MAX_HOURS]:
            if hour not in self._changed:
                del self._hours[hour], self._names[hour]

    async def _write(self, hour: int) -> None:
        rows = [(*key, count) for key, count in self._hours[hour].items()]
        await self._broker.publish(f"pinrelay.tally.{hour}.{self._names[hour]}", orjson.dumps(rows))

    async def read(self, since: float, step_s: int) -> list[tuple[float, Tally]]:
        """Do `Outbox.tallies`."""
        await self.flush()
        stored = await self._broker.read(TALLIES, "pinrelay.tally.>")
        sums: Counter[tuple[float, str, str, str]] = Counter()
        for each in stored:
            if int(each.subject.split(".")[2]) + HOUR_S <= since:
                continue
            for minute, name, preset, label, count in orjson.loads(each.body):
                if minute >= since:
                    start = float(minute // step_s * step_s) if step_s else since
                    sums[start, name, preset, label] += count
        return [
            (start, Tally(name=name, preset=preset, label=label, count=count))
            for (start, name, preset, label), count in sorted(sums.items())
        ]

    async def close(self) -> None:
        """Write what is left."""
        if self._later is not None:
            self._later.cancel()
        await self.flush()
