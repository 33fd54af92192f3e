"""The dependencies of sending, and the report of a call."""

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
    """A call to Pinterest, its response, and the recorded results: also for logs and metrics."""

    claimed: Sequence[Claimed]
    at: float
    duration_s: float
    #: `None` without a response.
    status: int | None
    #: The result of each event; a single Rejected if the call was refused with all its events.
    result: list[CallResult] | Rejected
    #: The recorded settlements. Other calls find the results of a call that was refused whole, and may record these.
    settlements: Sequence[Settlement] = ()
    #: The counts that were recorded in the outbox with the call.
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

        A call that did not reach Pinterest, a requested pause, 401 and 404 have other causes.
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
        """Whether Pinterest judged any of the events individually."""
        return isinstance(self.result, list) and any(isinstance(each, Delivered | Rejected) for each in self.result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The dependencies of sending: clocks, randomness, switches and callbacks."""

    clocks: Clocks
    rng: Random
    #: The check for opt-outs; `None` disables the check.
    consents: ConsentCheck | None = None
    #: Return the current switches.
    switches: Callable[[], Switches]
    #: Remove personal data from the messages of Pinterest before they are stored.
    redact: Callable[[str], str]
    on_call: Callable[[CallReport], None]
    on_settled_unsent: Callable[[Sequence[Settlement], Sequence[CounterRow]], None]
    on_trouble: OnChange
    #: Called for a jump of the clock that this process is the first to report.
    on_jump: Callable[[ClockJump], None]
    on_error: Callable[[Exception], None]
