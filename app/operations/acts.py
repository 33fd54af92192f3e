"""All acts of a process that serves, for the console, the interface and SIGHUP."""

from dataclasses import dataclass

from app.access.audit import Audit
from app.access.users import Person
from app.core.coordination import Coordination, Switches
from app.core.pages import AuditAction
from app.core.shared_values import SharedValues
from app.core.values.times import at_second
from app.destination.client import Answer, Failure, PinterestClient
from app.errors import FeatureOff
from app.insights.alerts.watcher import AlertWebhook
from app.operations.dead_letters import DeadLetterActs
from app.operations.forget import ForgetActs
from app.operations.publish import CatalogActs
from app.operations.quarantine import QuarantineActs
from app.operations.reconcile import OrderActs
from app.pipeline.tail import MAX_TAIL_S, Tail


class SwitchActs:
    """Switches all sending, ad accounts and presets, for every process. May raise OutboxUnavailable."""

    def __init__(self, shared: SharedValues, coordination: Coordination, audit: Audit) -> None:
        self._shared = shared
        self._coordination = coordination
        self._audit = audit

    async def switch(self, person: Person, preset: str | None, *, on: bool, ad_account_id: str | None = None) -> None:
        """Switch a preset, or else an ad account, or all sending where both are None. Raises UnknownName."""
        switches = await Switches.read(self._shared)
        if preset is not None:
            target, was_off = f"preset {preset}", preset in switches.presets_off
        elif ad_account_id is not None:
            target, was_off = f"ad account {ad_account_id}", ad_account_id in switches.accounts_off
        else:
            target, was_off = "all sending", switches.destination_off
        await self._coordination.switch(preset, on=on, ad_account_id=ad_account_id)
        before, after = "off" if was_off else "on", "on" if on else "off"
        await self._audit.note(person, AuditAction.SWITCH, target=target, before=before, after=after)


class SendTestActs:
    """Sends tests. Every act may raise OutboxUnavailable."""

    def __init__(self, webhook: AlertWebhook | None, audit: Audit) -> None:
        """Take where alerts go; None: nowhere."""
        self._webhook = webhook
        self._audit = audit

    @property
    def has_webhook(self) -> bool:
        return self._webhook is not None

    async def send_event(
        self, person: Person, client: PinterestClient, payload: bytes, *, title: str
    ) -> Answer | Failure:
        """Send a finished event with `?test=true`; return what Pinterest answers. `title` names its preset."""
        answer = await client.send([payload], test=True)
        after = "no answer" if isinstance(answer, Failure) else f"answer {answer.status}"
        await self._audit.note(person, AuditAction.TEST_SENT, target=f"preset {title}", after=after)
        return answer

    async def send_alert(self, person: Person) -> str:
        """Send a test message to where alerts go; return why it was not taken, "" where it was. Raises FeatureOff."""
        if self._webhook is None:
            raise FeatureOff("ALERT_WEBHOOK_URL is not set, so no alert is sent: set it")
        why = await self._webhook.post_test()
        await self._audit.note(person, AuditAction.ALERT_TESTED, after=why or "taken")
        return why


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
