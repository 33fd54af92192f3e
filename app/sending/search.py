"""One batch on its way: what is left of it, and what a call that was refused whole means for its events."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.deliveries import Claimed, Delivered, Outcome, Rejected, Retry, Settlement, State
from app.core.events import Tally
from app.delivery import BatchPart, Begun, Evidence, Halving, Sign, sign_of
from app.destination.outcomes import RefusedWhole
from app.sending.surroundings import CallReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A call that was made, with what Pinterest answered."""

    claimed: Sequence[Claimed]
    at: float
    duration_s: float
    #: None where no answer came.
    status: int | None
    result: list[Outcome] | RefusedWhole

    @property
    def has_verdict(self) -> bool:
        """Whether Pinterest judged any of the events by itself."""
        return isinstance(self.result, list) and any(isinstance(each, Delivered | Rejected) for each in self.result)

    def report(self, settlements: Sequence[Settlement], counts: Sequence[Tally]) -> CallReport:
        """Return what is told of the call, given what it settled and what was counted with it."""
        return CallReport(
            ad_account_id=self.claimed[0].ad_account_id,
            at=self.at,
            duration_s=self.duration_s,
            status=self.status,
            claimed=self.claimed,
            settlements=tuple(settlements),
            tallies=tuple(counts),
        )


class Search:
    """Knows which part of a batch to send next, and what is still to be settled of it."""

    def __init__(self, batch: Sequence[Claimed], evidence: Evidence) -> None:
        self._evidence = evidence
        #: What is not settled, by delivery id.
        self.left = {claimed.delivery_id: claimed for claimed in batch}
        self._halving = Halving(list(self.left), evidence)
        #: Pinterest's words, by the delivery ids of the events that were refused with no other in their call.
        self._refused_alone: dict[str, Rejected] = {}
        self._refusals = 0
        #: Turns True where nothing more of the batch may be sent now.
        self.is_stopped = False

    def next(self) -> BatchPart | None:
        """Return what to send now; None where nothing is."""
        return None if self.is_stopped else self._halving.next()

    @property
    def is_in_doubt(self) -> bool:
        """Whether something was refused and nothing accepted yet."""
        return self._halving.is_in_doubt

    def note(self, part: BatchPart, begun: Begun, answered: Answered) -> list[Settlement]:
        """Note what became of a part; return the settlements of events that are proven bad by now."""
        if isinstance(answered.result, RefusedWhole):
            self._refusals += 1
            self._evidence.refused(part.events, begun)
            self._halving.refused(part)
            if len(part.events) == 1:
                self._refused_alone[part.events[0]] = answered.result.rejected()
        elif answered.has_verdict:
            self._evidence.accepted(part.events, begun)
            self._halving.accepted(part)
        else:
            self._halving.unanswered(part)
        return [
            Settlement(claimed=self.left[event], outcome=self._refused_alone[event], state=State.DEAD)
            for event in self._halving.take_bad()
        ]

    def sign(self, answered: Answered, *, now: float) -> Sign | None:
        """Return what the answer is a sign of; None where Pinterest judged something, or the search goes on."""
        if isinstance(answered.result, RefusedWhole):
            return sign_of(answered.result.rejected(), now=now) if self._halving.all_refused else None
        first = answered.result[0]
        return None if answered.has_verdict or isinstance(first, Delivered) else sign_of(first, now=now)

    @property
    def calls_in_a_row(self) -> int:
        """How many calls count where the last judged nothing: all that were refused, where there was nothing else."""
        return self._refusals if self._halving.all_refused else 1

    def unproven(self) -> list[tuple[Claimed, Retry]]:
        """Return the events that were refused alone, and are not proven bad, with what is to be said of them."""
        return [
            (self.left[event], Retry(reason=words.reason, status=words.status))
            for event, words in self._refused_alone.items()
            if event in self.left
        ]

    @property
    def why_left(self) -> str:
        """Why what is left was not settled."""
        if self._halving.all_refused and self._refused_alone:
            return f"Pinterest refused all that was sent: {next(iter(self._refused_alone.values())).reason}"
        return "not sent yet"

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Note that these are settled, or wait for another time."""
        for settlement in settlements:
            self.left.pop(settlement.claimed.delivery_id, None)
