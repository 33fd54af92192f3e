"""Send tests: an event to Pinterest, a message to where alerts go."""

from app.access.audit import Audit
from app.access.users import Person
from app.core.pages import AuditAction
from app.destination.client import Answer, Failure, PinterestClient
from app.errors import FeatureOff
from app.insights.alerts.watcher import AlertWebhook


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
