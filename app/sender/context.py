"""What sending reads and tells, and the report of a call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from app.core.coordination import Switches
from app.core.deliveries import Blocked, CallResult, Claimed, Delivered, Rejected, Retry, Settlement
from app.core.events import CounterRow
from app.core.shared_values import ClockJump
from app.sender.circuit_breaker import FORBIDDEN, TOO_MANY_REQUESTS, OnChange
from app.sender.clocks import Clocks
from app.sender.consent import ConsentCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """A call to Pinterest, its answer, and what was recorded with it: for logs and metrics too."""

    claimed: Sequence[Claimed]
    at: float
    duration_s: float
    #: None where no answer came.
    status: int | None
    #: The result of each event; a single Rejected if the call was refused with all its events.
    result: list[CallResult] | Rejected
    #: What was recorded with it. Of a call that was refused whole, what becomes of its deliveries is found out by other
    #: calls, and may be recorded with them.
    settlements: Sequence[Settlement] = ()
    #: The counts that were recorded in the outbox with it.
    counters: Sequence[CounterRow] = ()

    @property
    def ad_account_id(self) -> str:
        return self.claimed[0].ad_account_id

    @property
    def deliveries(self) -> int:
        return len(self.claimed)

    @property
    def failure(self) -> Blocked | Retry | None:
        """The result of each event if no event was judged and one of them may be the cause; else `None`.

        A call that did not reach Pinterest, an answer that asks for a pause, 401 and 404 have other causes.
        """
        if isinstance(self.result, Rejected) or self.has_verdict:
            return None
        first = self.result[0]
        if isinstance(first, Retry):
            was_sent = first.ambiguous or first.status is not None
            return first if was_sent and first.retry_after_s is None and first.status != TOO_MANY_REQUESTS else None
        return first if isinstance(first, Blocked) and first.status == FORBIDDEN else None

    @property
    def has_verdict(self) -> bool:
        """Whether Pinterest judged any of the events by itself."""
        return isinstance(self.result, list) and any(isinstance(each, Delivered | Rejected) for each in self.result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What sending needs of the rest: clocks, chance and switches, and whom it tells what happens."""

    clocks: Clocks
    rng: Random
    #: Asks whether people said no since; None: that is not asked.
    consents: ConsentCheck | None = None
    #: Returns what is switched off now.
    switches: Callable[[], Switches]
    #: Takes personal data out of Pinterest's words before they are stored.
    redact: Callable[[str], str]
    on_call: Callable[[CallReport], None]
    on_settled_unsent: Callable[[Sequence[Settlement], Sequence[CounterRow]], None]
    on_trouble: OnChange
    #: The clock of the machine was set, and this process is the first to say so.
    on_jump: Callable[[ClockJump], None]
    on_error: Callable[[Exception], None]
