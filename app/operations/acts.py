"""Actions of operators on the catalog, switches, the live tail and tests.

`Acts` has all actions of a serving process, for the console, the interface and SIGHUP.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from app.access.audit import Audit
from app.access.users import Person, UserRole
from app.catalog.publishing import Publisher
from app.core.coordination import Coordination, Switches
from app.core.pages import AuditAction
from app.core.shared_values import SharedValues
from app.core.values.texts import count_of
from app.core.values.times import at_second
from app.destination import redact
from app.destination.client import Answer, Failure, PinterestClient
from app.errors import Fault, FeatureOff, PublishingRefused
from app.insights.alerts.watcher import AlertWebhook
from app.operations.deliveries import MAX_WHY
from app.operations.forget import ForgetActs
from app.operations.reconcile import OrderActs
from app.pipeline.shadow import ShadowRuns
from app.pipeline.tail import MAX_TAIL_S, Tail


class CatalogActs:
    """Changes the running presets and mappings in all processes. Every method may raise OutboxUnavailable."""

    def __init__(
        self, coordination: Coordination, publisher: Publisher, audit: Audit, shadow: ShadowRuns | None = None
    ) -> None:
        self._coordination = coordination
        #: Applies drafts to samples; `None` if samples are off.
        self.shadow = shadow
        #: Previews changes, and stores the versions of a file.
        self.publisher = publisher
        self._audit = audit

    async def reload(self, person: Person) -> tuple[Fault, ...]:
        """Load changed files; return the faults that prevented it, or an empty tuple."""
        before = self._coordination.generation
        faults = () if await self._coordination.reload(now=self._audit.clock()) else self._coordination.faults
        after = f"kept: {count_of(len(faults), 'fault')}" if faults else self._coordination.generation
        await self._audit.note(person, AuditAction.RELOAD, target="catalog", before=before, after=after)
        return faults

    async def note_secrets(self, names: Sequence[str]) -> None:
        """Write to the audit log that secrets were reloaded, without the secrets."""
        by = Person(name="changed file", role=UserRole.OPERATOR, place=self._coordination.process)
        await self._audit.note(by, AuditAction.SECRET, target=", ".join(names))

    async def publish(
        self, person: Person, file: str, text: str | None, *, base: str, is_confirmed: bool = True, why: str = ""
    ) -> bool:
        """Publish a file of the catalog, or delete it (`None`), and reload; return whether the reload succeeded.

        The text of an earlier version is a rollback. If the reload fails, the previous file is restored. `base` is the
        generation that the text was based on. A change to fields about people must be confirmed. `why` is stored with
        the version and in the audit log, shortened and without personal data. Raises PublishingRefused, CatalogError.
        """
        publisher = self.publisher
        if not is_confirmed and not publisher.why_not(file):
            await asyncio.to_thread(self._demand_confirmation, file, text)
        if self.shadow is not None and not publisher.why_not(file):
            await self.shadow.demand(await asyncio.to_thread(publisher.candidate, file, text))
        before, why = await asyncio.to_thread(publisher.own_text, file), redact(why.strip())[:MAX_WHY]
        version = await asyncio.to_thread(
            publisher.publish, file, text, author=person.name, at=self._audit.clock(), base=base, why=why
        )
        is_taken_up = await self._coordination.reload(now=self._audit.clock())
        if not is_taken_up:
            await asyncio.to_thread(publisher.restore, file, before)
            await self._coordination.reload(now=self._audit.clock())
        after = f"version {version.number}" if is_taken_up else "could not be taken up: put back"
        after = f"{after}: {why}" if why else after
        await self._audit.note(person, AuditAction.PUBLISH, target=str(publisher.target(file)), after=after)
        return is_taken_up

    def _demand_confirmation(self, file: str, text: str | None) -> None:
        if changed := self.publisher.privacy_changes(self.publisher.candidate(file, text)):
            named = ", ".join(f"{each.field} of {each.preset}" for each in changed)
            raise PublishingRefused(f"This changes which personal data is sent: {named}. Go back and confirm it.")


class SwitchActs:
    """Switches all sending, ad accounts and presets, for all processes. May raise OutboxUnavailable."""

    def __init__(self, shared: SharedValues, coordination: Coordination, audit: Audit) -> None:
        self._shared = shared
        self._coordination = coordination
        self._audit = audit

    async def switch(self, person: Person, preset: str | None, *, on: bool, ad_account_id: str | None = None) -> None:
        """Switch a preset, an ad account, or all sending (both `None`). Raises UnknownName."""
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
    """Sends tests. Every method may raise OutboxUnavailable."""

    def __init__(self, webhook: AlertWebhook | None, audit: Audit) -> None:
        """Use the webhook of alerts, or `None`."""
        self._webhook = webhook
        self._audit = audit

    @property
    def has_webhook(self) -> bool:
        return self._webhook is not None

    async def send_event(
        self, person: Person, client: PinterestClient, payload: bytes, *, title: str
    ) -> Answer | Failure:
        """Send a finished event with `?test=true`; return Pinterest's response. `title` is the name of the preset."""
        answer = await client.send([payload], test=True)
        after = "no answer" if isinstance(answer, Failure) else f"answer {answer.status}"
        await self._audit.note(person, AuditAction.TEST_SENT, target=f"preset {title}", after=after)
        return answer

    async def send_alert(self, person: Person) -> str:
        """Send a test alert; return the error, "" on success. Raises FeatureOff."""
        if self._webhook is None:
            raise FeatureOff("ALERT_WEBHOOK_URL is not set, so no alert is sent: set it")
        why = await self._webhook.post_test()
        await self._audit.note(person, AuditAction.ALERT_TESTED, after=why or "taken")
        return why


class TailActs:
    """Switches the live tail of all processes. May raise OutboxUnavailable."""

    def __init__(self, tail: Tail, coordination: Coordination, audit: Audit) -> None:
        #: Shows the events that this process receives.
        self.tail = tail
        self._coordination = coordination
        self._audit = audit

    async def watch(self, person: Person, *, for_s: float) -> None:
        """Turn on the live tail for `for_s` seconds, at most MAX_TAIL_S, in all processes; 0 turns it off."""
        until = self._audit.clock() + min(for_s, MAX_TAIL_S) if for_s > 0 else 0.0
        was = self._coordination.tail_until
        await self._audit.note(person, AuditAction.TAIL, before=self._told(was), after=self._told(until))
        await self._coordination.want_tail(until)
        self.follow()

    def _told(self, until: float) -> str:
        return f"on until {at_second(until)}" if until > self._audit.clock() else "off"

    def follow(self) -> None:
        """Turn the live tail on or off as requested, and empty it after an erasure."""
        self.tail.follow(self._coordination.tail_until, now=self._audit.clock())
        self.tail.obey(self._coordination.tail_emptied)

    async def empty(self) -> None:
        """Empty the live tails of all processes."""
        self.tail.clear()
        await self._coordination.empty_tails(now=self._audit.clock())


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """All actions of operators, by subject. Commands only create those that they need."""

    catalog: CatalogActs
    orders: OrderActs
    people: ForgetActs
    sending: SwitchActs
    tail: TailActs
    tests: SendTestActs
