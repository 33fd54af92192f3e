"""Find the bad events of a call that was refused whole, without details.

At first the cause is unknown: bad events, or an outage. So calls are made in sequence: the left half of the refused
part, then the left half of that half, down to one event; then the other halves, from the smallest to the largest, until
one is accepted. If none is accepted, all calls were refused, at most 2 log2 n + 1 of them, and nothing is judged.

After the first accepted call, calls run in parallel: refused parts are halved, and untested events are sent in groups.
The share of refused events so far determines the size of a group.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.sender.failures import Failures

#: The number of remembered events. Beyond, all evidence is dropped, and bad events are found again.
MAX_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The beginning of a call. Moments are counted, so that no clock can disturb their order."""

    moment: int
    #: The latest beginning among the calls that were accepted before; -1 if there were none.
    accepted: int


@dataclass(slots=True, kw_only=True, eq=False)
class _Refused:
    """A call that was refused whole."""

    #: The moment of the refusal.
    moment: int
    #: The events of the call that were not accepted later.
    left: set[str]


@dataclass(slots=True, kw_only=True)
class _Suspect:
    """An event of a refused call."""

    calls: list[_Refused] = field(default_factory=list)
    #: `Begun.accepted` of the latest refused call with this event alone; `None` if there is none.
    alone: int | None = None


class BisectionEvidence:
    """Evidence from the calls of a process to an ad account, by delivery ids.

    Pinterest names no event when a call is refused whole, and a run of refusals may be an outage. So an event that was
    refused alone is bad only if no single run of refusals explains the evidence:

    - a call with the event was refused; then a later call was accepted; then the event was refused alone;
    - every other event of the first call was accepted later. A call with one event has no other events.

    Proof: suppose that the event is good. Then neither refusal has a cause among its events, so both belong to one run.
    But a run contains no accepted call.
    """

    def __init__(self) -> None:
        self._moment = 0
        self._accepted = -1
        self._suspects: dict[str, _Suspect] = {}
        #: Evidence from calls without a verdict on any event.
        self.failures = Failures()

    def begin(self) -> Begun:
        """Note the beginning of a call; return it, to be passed with the response."""
        self._moment += 1
        return Begun(moment=self._moment, accepted=self._accepted)

    def accepted(self, events: Sequence[str], begun: Begun) -> None:
        """Note that Pinterest accepted a call and judged its events individually."""
        self._moment += 1
        self._accepted = max(self._accepted, begun.moment)
        self.failures.accepted(events, moment=self._moment)
        for event in events if self._suspects else ():
            if suspect := self._suspects.pop(event, None):
                for call in suspect.calls:
                    call.left.discard(event)

    def refused(self, events: Sequence[str], begun: Begun) -> None:
        """Note that Pinterest refused a call whole."""
        self._moment += 1
        if len(self._suspects) > MAX_REMEMBERED:
            self._suspects.clear()
        call = _Refused(moment=self._moment, left=set(events))
        for event in events:
            suspect = self._suspects.setdefault(event, _Suspect())
            suspect.calls.append(call)
            if len(events) == 1:
                suspect.alone = begun.accepted

    def failed(self, events: Sequence[str], begun: Begun, *, now: float) -> None:
        """Note a response without a verdict on any event, at `now` by the monotonic clock."""
        self._moment += 1
        self.failures.failed(events, moment=self._moment, accepted=begun.accepted, now=now)

    def close(self, events: Iterable[str]) -> None:
        """Forget bad events, which are not sent again. They still explain their refused calls."""
        for event in events:
            self._suspects.pop(event, None)

    def is_bad(self, event: str) -> bool:
        """Return whether the evidence proves that Pinterest refuses this event."""
        suspect = self._suspects.get(event)
        if suspect is None or suspect.alone is None:
            return False
        return any(call.moment < suspect.alone and len(call.left) == 1 for call in suspect.calls)

    def would_tell(self, event: str) -> bool:
        """Return whether another refusal of the event alone would prove that the event is bad."""
        suspect = self._suspects.get(event)
        return suspect is not None and any(
            call.moment < self._accepted and len(call.left) == 1 for call in suspect.calls
        )


class BisectionLock:
    """A lock: at most one batch is searched in doubt; other batches wait for its result."""

    def __init__(self) -> None:
        self._of: object | None = None
        self._is_over = asyncio.Event()
        self._is_over.set()

    def is_about_another(self, search: object) -> bool:
        return self._of not in (None, search)

    async def over_for(self, search: object) -> None:
        """Wait until no other batch is searched in doubt."""
        while self.is_about_another(search):
            await self._is_over.wait()

    def update(self, search: object, *, is_in_doubt: bool) -> None:
        """Note whether this batch is searched in doubt; ignored while another is."""
        if self.is_about_another(search):
            return
        if is_in_doubt:
            self._of = search
            self._is_over.clear()
        else:
            self._of = None
            self._is_over.set()


#: The expected number of refused events in a group of untested events. Values between 1 and 1.4 need the fewest calls,
#: measured with 2 to 100 refused events of 1,000.
_EXPECTED_REFUSED = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class BatchPart:
    """The events of one call, by delivery ids."""

    events: tuple[str, ...]
    #: The right half of a refused part, if this is its left half: after an accepted left half, the right half contains
    #: the refused event.
    rest: tuple[str, ...] = ()


class Bisection:
    """The search through one batch.

    Take a part from `next`, send the part and report its result, until there are no more parts. Update `evidence` with
    each response first.
    """

    def __init__(self, events: Sequence[str], evidence: BisectionEvidence) -> None:
        self._evidence = evidence
        self._ready: deque[BatchPart] = deque([BatchPart(tuple(events))] if events else [])
        #: Whether no event was accepted yet.
        self._in_doubt = True
        #: While in doubt: the right halves above the current part, the smallest last; and whether the search has
        #: reached these.
        self._above: list[tuple[str, ...]] = []
        self._climbs = False
        #: Refused parts to halve after the first accepted call.
        self._refused: list[tuple[str, ...]] = []
        self._unknown: tuple[str, ...] = ()
        #: Events that were refused alone, without proof.
        self._suspects: list[str] = []
        #: The numbers of accepted events, of events that were refused alone, and of refused parts without a found
        #: cause.
        self._accepted_count, self._alone_count, self._open_count = 0, 0, 0
        #: Whether all calls were refused, down to one event and in all other halves.
        self.all_refused = False

    @property
    def is_in_doubt(self) -> bool:
        """Whether events were refused and none was accepted: an outage is possible, so nothing else should be sent."""
        return self._in_doubt and bool(self._above or self._refused or self._suspects)

    def next(self) -> BatchPart | None:
        """Return the next part; `None` at the end, or if the result of another part must come first."""
        if self._ready:
            return self._ready.popleft()
        if self._in_doubt:
            return None
        if self._unknown:
            return BatchPart(self._take_unknown())
        return next((self._again(event) for event in self._suspects if self._evidence.would_tell(event)), None)

    def accepted(self, part: BatchPart) -> None:
        """Note that Pinterest accepted the part and judged its events individually."""
        self._accepted_count += len(part.events)
        if self._in_doubt:
            self._end_doubt(part)
        elif part.rest:
            self._open_count -= 1
            self._halve(part.rest)

    def refused(self, part: BatchPart) -> None:
        """Note that Pinterest refused the part whole."""
        if len(part.events) == 1:
            self._alone_count += 1
            self._suspects.append(part.events[0])
        if self._in_doubt:
            self._search_on(part)
            return
        self._leave_unknown(part)
        if len(part.events) > 1:
            self._halve(part.events)

    def unanswered(self, part: BatchPart) -> None:
        """Remove a part from the search after a response without a verdict."""
        if not self._in_doubt:
            self._leave_unknown(part)
        elif self._above:
            self._ready.append(BatchPart(self._above.pop()))

    def take_bad(self) -> list[str]:
        """Return the events that were proven bad since the last call."""
        bad = [event for event in self._suspects if self._evidence.is_bad(event)]
        self._suspects = [event for event in self._suspects if event not in bad]
        self._evidence.close(bad)
        return bad

    def _search_on(self, part: BatchPart) -> None:
        """Add the next part: a half of this part, down to one event; then the halves above, the smallest first."""
        if len(part.events) > 1 and not self._climbs:
            middle = len(part.events) // 2
            self._above.append(part.events[middle:])
            self._ready.append(BatchPart(part.events[:middle], rest=part.events[middle:]))
            return
        self._climbs = True
        if len(part.events) > 1:
            self._refused.append(part.events)
        if self._above:
            self._ready.append(BatchPart(self._above.pop()))
        else:
            self.all_refused = True

    def _end_doubt(self, accepted: BatchPart) -> None:
        self._in_doubt = False
        if accepted.rest:  # the last part above
            self._refused.append(self._above.pop())
        self._unknown = tuple(event for half in reversed(self._above) for event in half)
        for refused in self._refused:
            self._halve(refused)
        self._above, self._refused = [], []

    def _halve(self, refused: tuple[str, ...]) -> None:
        """Search for the refused event in a part that contains one."""
        if len(refused) == 1:
            self._ready.append(BatchPart(refused))
            return
        middle = len(refused) // 2
        self._open_count += 1
        self._ready.append(BatchPart(refused[:middle], rest=refused[middle:]))

    def _leave_unknown(self, part: BatchPart) -> None:
        """Move the other half of a part that was not accepted to the untested events."""
        if part.rest:
            self._open_count -= 1
            self._unknown = part.rest + self._unknown

    def _take_unknown(self) -> tuple[str, ...]:
        """Take a group of untested events that contains a refused event with a probability of about 50%."""
        each_refused = max(1, self._alone_count + self._open_count)
        size = max(1, int(_EXPECTED_REFUSED * (self._accepted_count + 1) / each_refused))
        if 2 * len(self._unknown) <= 3 * size:  # the whole rest, if the rest would be small
            size = len(self._unknown)
        taken, self._unknown = self._unknown[:size], self._unknown[size:]
        return taken

    def _again(self, event: str) -> BatchPart:
        self._suspects.remove(event)
        return BatchPart((event,))
