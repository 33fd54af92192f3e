"""Finding the refused events in a call that was refused whole, when nobody says which they are.

At first it is not known whether events are refused or everything is. So one call is made after the other: the left half
of what was refused, and of that the left half, down to one event; then, from the smallest to the largest, the other
halves, until one is accepted. Where none is, all were refused in at most 2 log2 n + 1 calls, and nothing is judged.

Once something was accepted, calls are made side by side: what was refused is halved, and what is not known yet is sent
in groups as large as the share of refused events so far makes good to try.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.sender.failures import Failures

#: Of so many events something is remembered; beyond, all is forgotten: what is bad is then found out again.
MAX_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """When a call was begun. Moments are counted, not measured: no clock can disturb their order."""

    moment: int
    #: The latest beginning among the calls that had been accepted by then; -1 where none had.
    accepted: int


@dataclass(slots=True, kw_only=True, eq=False)
class _Refused:
    """A call that was refused whole."""

    #: When the refusal came.
    moment: int
    #: Its events that were not accepted since.
    left: set[str]


@dataclass(slots=True, kw_only=True)
class _Suspect:
    """An event that was in a refused call."""

    calls: list[_Refused] = field(default_factory=list)
    #: Of its latest call that was refused with no other in it: `Begun.accepted`; None where there was none.
    alone: int | None = None


class BisectionEvidence:
    """What the calls of one process to one ad account have shown about events, by their delivery ids.

    Pinterest names no event when it refuses a call whole, and a run of refusals may be an outage. So an event that was
    refused alone is held to be bad only where no single run of refusals can explain it:

    - a call with the event in it was refused; then another was made and accepted; then the event was refused alone;
    - and every other event of that first call was accepted by then or later (alone, it has no others).

    Say the event is good. Then the first refusal has no cause among its members and the last has none in the event, so
    both belong to a run, and a run has no acceptance in the midst.
    """

    def __init__(self) -> None:
        self._moment = 0
        self._accepted = -1
        self._suspects: dict[str, _Suspect] = {}
        #: Calls whose answer judged no event.
        self.failures = Failures()

    def begin(self) -> Begun:
        """Note that a call is begun, and return what to tell of it with its answer."""
        self._moment += 1
        return Begun(moment=self._moment, accepted=self._accepted)

    def accepted(self, events: Sequence[str], begun: Begun) -> None:
        """Note that Pinterest took a call and judged its events one by one."""
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
        """Note that a call had an answer that judges no event, at `now` by the monotonic clock."""
        self._moment += 1
        self.failures.failed(events, moment=self._moment, accepted=begun.accepted, now=now)

    def close(self, events: Iterable[str]) -> None:
        """Forget bad events, which are tried no more. They still explain the refused calls that they were in."""
        for event in events:
            self._suspects.pop(event, None)

    def is_bad(self, event: str) -> bool:
        """Return whether what was seen proves that Pinterest refuses this event."""
        suspect = self._suspects.get(event)
        if suspect is None or suspect.alone is None:
            return False
        return any(call.moment < suspect.alone and len(call.left) == 1 for call in suspect.calls)

    def would_tell(self, event: str) -> bool:
        """Return whether one more refusal of the event alone would prove that it is bad."""
        suspect = self._suspects.get(event)
        return suspect is not None and any(
            call.moment < self._accepted and len(call.left) == 1 for call in suspect.calls
        )


class BisectionLock:
    """At most one batch at a time is searched in doubt; the others wait for what becomes of it."""

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


#: So many refused events a group of unknown ones is expected to hold at most. Fewest calls are made between 1 and 1.4,
#: tried with 2 to 100 refused of 1,000.
_EXPECTED_REFUSED = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class BatchPart:
    """What one call carries, by delivery ids."""

    events: tuple[str, ...]
    #: The right half of a refused part whose left half this is: where this is accepted, the refused event is there.
    rest: tuple[str, ...] = ()


class Bisection:
    """The search through one batch: take a part from `next`, send it, and tell what became of it, until none is left.

    `evidence` must have been told of each answer first.
    """

    def __init__(self, events: Sequence[str], evidence: BisectionEvidence) -> None:
        self._evidence = evidence
        self._ready: deque[BatchPart] = deque([BatchPart(tuple(events))] if events else [])
        #: Whether nothing was accepted yet.
        self._in_doubt = True
        #: While in doubt: the right halves above the one that is tried, the smallest last; and whether those are tried.
        self._above: list[tuple[str, ...]] = []
        self._climbs = False
        #: Refused parts that are halved once something is accepted.
        self._refused: list[tuple[str, ...]] = []
        self._unknown: tuple[str, ...] = ()
        #: Refused alone, and not proven bad.
        self._suspects: list[str] = []
        #: Events that were accepted; events that were refused alone; refused parts with no such event found yet.
        self._accepted_count, self._alone_count, self._open_count = 0, 0, 0
        #: Turns True where everything was refused, down to one event and in all other halves.
        self.all_refused = False

    @property
    def is_in_doubt(self) -> bool:
        """Whether something was refused and nothing accepted: it may be everything, so nothing else should be sent."""
        return self._in_doubt and bool(self._above or self._refused or self._suspects)

    def next(self) -> BatchPart | None:
        """Return what to send now; None where nothing is to be sent before another part is told of, or at the end."""
        if self._ready:
            return self._ready.popleft()
        if self._in_doubt:
            return None
        if self._unknown:
            return BatchPart(self._take_unknown())
        return next((self._again(event) for event in self._suspects if self._evidence.would_tell(event)), None)

    def accepted(self, part: BatchPart) -> None:
        """Note that Pinterest took the part and judged its events one by one."""
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
        """Note that Pinterest judged nothing of the part, which leaves the search."""
        if not self._in_doubt:
            self._leave_unknown(part)
        elif self._above:
            self._ready.append(BatchPart(self._above.pop()))

    def take_bad(self) -> list[str]:
        """Return the events that are proven bad since this was last asked."""
        bad = [event for event in self._suspects if self._evidence.is_bad(event)]
        self._suspects = [event for event in self._suspects if event not in bad]
        self._evidence.close(bad)
        return bad

    def _search_on(self, part: BatchPart) -> None:
        """Make the next part ready: half of this one down to one event, then the halves above, the smallest first."""
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
        if accepted.rest:  # which is the last above
            self._refused.append(self._above.pop())
        self._unknown = tuple(event for half in reversed(self._above) for event in half)
        for refused in self._refused:
            self._halve(refused)
        self._above, self._refused = [], []

    def _halve(self, refused: tuple[str, ...]) -> None:
        """Look for the refused event in a part that holds one."""
        if len(refused) == 1:
            self._ready.append(BatchPart(refused))
            return
        middle = len(refused) // 2
        self._open_count += 1
        self._ready.append(BatchPart(refused[:middle], rest=refused[middle:]))

    def _leave_unknown(self, part: BatchPart) -> None:
        """Let nothing be said of the other half of a part that was not accepted."""
        if part.rest:
            self._open_count -= 1
            self._unknown = part.rest + self._unknown

    def _take_unknown(self) -> tuple[str, ...]:
        """Take as many events as hold, by what was seen, a refused one about as likely as not."""
        each_refused = max(1, self._alone_count + self._open_count)
        size = max(1, int(_EXPECTED_REFUSED * (self._accepted_count + 1) / each_refused))
        if 2 * len(self._unknown) <= 3 * size:  # rather all than a small rest
            size = len(self._unknown)
        taken, self._unknown = self._unknown[:size], self._unknown[size:]
        return taken

    def _again(self, event: str) -> BatchPart:
        self._suspects.remove(event)
        return BatchPart((event,))
