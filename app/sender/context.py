"""What sending reads and tells, and what is told of a call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from app.core.coordination import Switches
from app.core.deliveries import Claimed, Settlement
from app.core.events import CounterRow
from app.core.shared_values import ClockJump
from app.sender.circuit_breaker import OnChange
from app.sender.clocks import Clocks
from app.sender.consent import ConsentCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """One call to Pinterest and what became of its deliveries: for logs and metrics."""

    ad_account_id: str
    at: float
    duration_s: float
    #: None where no answer came.
    status: int | None
    #: What it carried.
    claimed: Sequence[Claimed]
    #: What was recorded with it. Of a call that was refused whole, what becomes of its deliveries is found out by other
    #: calls, and may be recorded with them.
    settlements: tuple[Settlement, ...]
    #: The counts that were recorded in the outbox with it.
    counters: tuple[CounterRow, ...]

    @property
    def deliveries(self) -> int:
        return len(self.claimed)


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
