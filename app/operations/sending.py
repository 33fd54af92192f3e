"""Switch sending on and off, and send tests: an event to Pinterest, a message to where alerts go."""

from app.access.audit import Audit
from app.access.users import Person
from app.core.coordination import Coordination, Switches
from app.core.pages import AuditAction
from app.core.shared_values import SharedValues
from app.destination.client import Answer, Failure, PinterestClient
from app.errors import FeatureOff
from app.insights.alerts.watcher import AlertWebhook


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
        """Whether alerts go anywhere."""
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
