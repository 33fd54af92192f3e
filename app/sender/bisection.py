"""Finding the refused events in a call that was refused whole, when nobody says which they are.

At first it is not known whether events are refused or everything is. So one call is made after the other: the left half
of what was refused, and of that the left half, down to one event; then, from the smallest to the largest, the other
halves, until one is accepted. Where none is, all were refused in at most 2 log2 n + 1 calls, and nothing is judged.

Once something was accepted, calls are made side by side: what was refused is halved, and what is not known yet is sent
in groups as large as the share of refused events so far makes good to try.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from app.sender.bisection_evidence import BisectionEvidence

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
