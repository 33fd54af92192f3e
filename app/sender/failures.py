"""Find the events that make calls fail.

A failed call has a response without a verdict on any event: 500, a closed connection, 422 without details, 403. The
cause is an outage, or one event of the call. An outage makes every call fail, so an event is suspected only if its
calls fail while calls with other events are accepted. A suspected set is halved until the event is alone.

The evidence of a process is in memory. After a restart, and in each other process, an event must fail again before the
event is suspected; meanwhile RETRY_MAX_AGE_HOURS limits its retries.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.core.values.times import HOUR_S

#: The minimum number of failures alone, and their duration in seconds, before a suspected event becomes a dead letter.
FAILURES_ALONE: Final = 10
FAILING_FOR_S: Final = HOUR_S
#: The maximum probability that random failures explain the failures of an event.
MAX_CHANCE: Final = 1e-9
#: The number of failed events beyond which all evidence is dropped.
MAX_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _FailedCall:
    #: The number of the response, in the order of responses.
    moment: int
    events: int
    #: Whether one of the events is suspected to be the cause.
    is_suspected: bool


@dataclass(slots=True, kw_only=True)
class _FailedEvent:
    #: The latest failed call with the event.
    call: _FailedCall
    #: Failed calls with the event.
    failures: int = 0
    #: Failures with no other event in the call, each after an accepted call.
    alone: int = 0
    #: The time of the first failure alone, by the monotonic clock, and `Failures.calls` at that time.
    since: float = 0
    calls_before: tuple[int, int] = (0, 0)


class Failures:
    """Failed calls of a process to an ad account, by delivery ids."""

    def __init__(self) -> None:
        self._events: dict[str, _FailedEvent] = {}
        self._accepted_at = -1
        #: The numbers of accepted calls, and of earlier failures of their events.
        self._calls = (0, 0)

    def accepted(self, events: Iterable[str], *, moment: int) -> None:
        """Note that a call was accepted: its events did not cause their earlier failures."""
        self._accepted_at = moment
        found = [self._events.pop(event, None) for event in events] if self._events else ()
        failures = max((each.failures for each in found if each), default=0)
        self._calls = (self._calls[0] + 1, self._calls[1] + failures)

    def failed(self, events: Sequence[str], *, moment: int, accepted: int, now: float) -> None:
        """Note that a call failed.

        `accepted` is the beginning of the latest call that was accepted before this call began, `now` the monotonic
        clock.
        """
        if len(self._events) > MAX_REMEMBERED:
            self._events.clear()
        before = [self._events.get(event) for event in events]
        is_suspected = all(each and (each.call.is_suspected or each.call.moment < self._accepted_at) for each in before)
        call = _FailedCall(moment=moment, events=len(events), is_suspected=is_suspected)
        is_proof = len(events) == 1 and before[0] is not None and before[0].call.moment < accepted
        for event, known in zip(events, before, strict=True):
            failed = known or _FailedEvent(call=call)
            failed.call = call
            failed.failures += 1
            if is_proof and not failed.alone:
                failed.since, failed.calls_before = now, self._calls
            failed.alone += is_proof
            self._events[event] = failed

    def has_failed(self, event: str) -> bool:
        """Return whether the latest call with the event failed."""
        return event in self._events

    def is_suspected(self, events: Sequence[str]) -> bool:
        """Return whether one of the events is suspected to be the cause of their latest failed call."""
        failed = self._events.get(events[0])
        return failed is not None and failed.call.is_suspected

    def is_alone(self, events: Sequence[str]) -> bool:
        """Return whether this is a single event that failed alone while calls with other events were accepted."""
        failed = self._events.get(events[0])
        return len(events) == 1 and failed is not None and failed.alone > 0

    def is_trusted(self, event: str, *, now: float) -> bool:
        """Return whether the event causes its failures, beyond chance; `now` is the monotonic clock.

        Chance is the share of failures among calls with finally accepted events. With a share of 50%, 30
        consecutive failures alone are expected once in 1e9 events.
        """
        failed = self._events.get(event)
        if failed is None or failed.alone < FAILURES_ALONE or now - failed.since < FAILING_FOR_S:
            return False
        accepted, failures = (after - before for after, before in zip(self._calls, failed.calls_before, strict=True))
        return ((failures + 1) / (accepted + failures + 2)) ** failed.alone < MAX_CHANCE

    def forget(self, event: str) -> None:
        """Drop the evidence about an event that is not sent again."""
        self._events.pop(event, None)

    def sets(self, events: Iterable[str]) -> list[Sequence[str]]:
        """Return the sets to send in separate calls: events without a failure, other events, suspected sets in halves.

        So a failed set makes no call with other events fail.
        """
        usual: list[str] = []
        again: list[str] = []
        suspected: dict[int, list[str]] = {}
        for event in events:
            failed = self._events.get(event)
            if failed is None:
                usual.append(event)
            elif self._is_to_halve(failed):
                suspected.setdefault(failed.call.moment, []).append(event)
            else:
                again.append(event)
        parts = [usual, again, *(half for each in suspected.values() for half in halves(each))]
        return [part for part in parts if part]

    def _is_to_halve(self, failed: _FailedEvent) -> bool:
        is_repeated = failed.failures > 1 and failed.call.events > 1
        return failed.call.is_suspected or (is_repeated and failed.call.moment < self._accepted_at)


def halves(events: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the first and the second half; for one event, the first half is empty."""
    middle = len(events) // 2
    return events[:middle], events[middle:]
