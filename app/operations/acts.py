"""All acts of a process that serves, for the console, the interface and SIGHUP."""

from dataclasses import dataclass

from app.access.audit import Audit
from app.access.users import Person
from app.core.coordination import Coordination
from app.core.pages import AuditAction
from app.core.values.times import at_second
from app.operations.dead_letters import DeadLetterActs
from app.operations.forget import ForgetActs
from app.operations.publish import CatalogActs
from app.operations.quarantine import QuarantineActs
from app.operations.reconcile import OrderActs
from app.operations.sending import SendTestActs, SwitchActs
from app.pipeline.tail import MAX_TAIL_S, Tail


class TailActs:
    """Switches the live tail of every process. May raise OutboxUnavailable."""

    def __init__(self, tail: Tail, coordination: Coordination, audit: Audit) -> None:
        #: Shows what arrives at this process.
        self.tail = tail
        self._coordination = coordination
        self._audit = audit

    async def watch(self, person: Person, *, for_s: float) -> None:
        """Show what arrives to operators for so long, at most MAX_TAIL_S, in all processes; 0: no longer."""
        until = self._audit.clock() + min(for_s, MAX_TAIL_S) if for_s > 0 else 0.0
        was = self._coordination.tail_until
        await self._audit.note(person, AuditAction.TAIL, before=self._told(was), after=self._told(until))
        await self._coordination.want_tail(until)
        self.follow()

    def _told(self, until: float) -> str:
        return f"on until {at_second(until)}" if until > self._audit.clock() else "off"

    def follow(self) -> None:
        """Have the live tail be on for as long as it is wanted, and let go of what it holds once somebody is erased."""
        self.tail.follow(self._coordination.tail_until, now=self._audit.clock())
        self.tail.obey(self._coordination.tail_emptied)

    async def empty(self) -> None:
        """Have every process let go of what its live tail holds."""
        self.tail.clear()
        await self._coordination.empty_tails(now=self._audit.clock())


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """Whatever an operator can do, by subject. Commands make what they need alone."""

    catalog: CatalogActs
    dead_letters: DeadLetterActs
    orders: OrderActs
    people: ForgetActs
    quarantine: QuarantineActs
    sending: SwitchActs
    tail: TailActs
    tests: SendTestActs
