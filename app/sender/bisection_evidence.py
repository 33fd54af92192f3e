"""Whether a refused event is bad, or Pinterest refuses everything for a while: two refusals with an acceptance between.

Pinterest names no event when it refuses a call whole, and a run of refusals may be an outage. So an event that was
refused alone is held to be bad only where no single run of refusals can explain it:

- a call with the event in it was refused; then another was made and accepted; then the event was refused alone;
- and every other event of that first call was accepted by then or later (alone, it has no others).

Say the event is good. Then the first refusal has no cause among its members and the last has none in the event, so both
belong to a run, and a run has no acceptance in the midst.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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
    """What the calls of one process to one ad account have shown about events, by their delivery ids."""

    def __init__(self) -> None:
        self._moment = 0
        self._accepted = -1
        self._suspects: dict[str, _Suspect] = {}

    def begin(self) -> Begun:
        """Note that a call is begun, and return what to tell of it with its answer."""
        self._moment += 1
        return Begun(moment=self._moment, accepted=self._accepted)

    def accepted(self, events: Iterable[str], begun: Begun) -> None:
        """Note that Pinterest took a call and judged its events one by one."""
        self._moment += 1
        self._accepted = max(self._accepted, begun.moment)
        for event in events:
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
