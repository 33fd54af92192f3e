"""Refused requests of the last day: each process writes its counts to the store, and all surfaces read them there."""

from collections import Counter
from collections.abc import Callable, Mapping

from app.core.metrics import Metrics
from app.core.refusals import REFUSED_REQUEST, RefusedRequest
from app.core.values.times import DAY_S
from app.outbox import Outbox
from app.sender.shutdown import WritingTask


class RefusalKeeper(WritingTask):
    """Writes the refused requests that a process has counted. Counts wait while the outbox is unavailable."""

    def __init__(
        self, metrics: Metrics, outbox: Outbox, *, clock: Callable[[], float], on_error: Callable[[Exception], None]
    ) -> None:
        super().__init__(on_error)
        self._metrics = metrics
        self._outbox = outbox
        self._clock = clock
        self._written: Counter[RefusedRequest] = Counter()

    async def look(self) -> None:
        """Write the counts since the last write."""
        if new := self._metrics.refused_requests - self._written:
            await self._outbox.enqueue([], [], [each.counter(count) for each, count in new.items()], now=self._clock())
            self._written += new


async def read_refused(outbox: Outbox, *, now: float) -> Mapping[RefusedRequest, int]:
    """Return how many requests were refused in the last 24 hours, the most frequent first. Raises OutboxUnavailable."""
    rows = await outbox.counters(since=now - DAY_S, step_s=0, names=[REFUSED_REQUEST])
    found = {RefusedRequest.from_counter(counter): counter.count for _, counter in rows}
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
