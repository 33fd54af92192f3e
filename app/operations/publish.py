"""Publish a file of the catalog, roll it back, and reload what was changed by hand."""

import asyncio
from collections.abc import Sequence

from app.access.audit import Audit
from app.access.users import Person, UserRole
from app.catalog.publishing import Publisher
from app.core.coordination import Coordination
from app.core.pages import AuditAction
from app.core.values.texts import count_of
from app.destination import redact
from app.errors import Fault, PublishingRefused
from app.operations.dead_letters import MAX_WHY
from app.pipeline.shadow import ShadowRuns


class CatalogActs:
    """Changes which presets and mappings run, in every process. Every act may raise OutboxUnavailable."""

    def __init__(
        self, coordination: Coordination, publisher: Publisher, audit: Audit, shadow: ShadowRuns | None = None
    ) -> None:
        self._coordination = coordination
        #: Tries drafts on samples; None where none are kept.
        self.shadow = shadow
        #: Shows what a text would change, and the versions of a file.
        self.publisher = publisher
        self._audit = audit

    async def reload(self, person: Person) -> tuple[Fault, ...]:
        """Take up changed files; return the faults for which the running catalog stays, empty where it does not."""
        before = self._coordination.generation
        faults = () if await self._coordination.reload(now=self._audit.clock()) else self._coordination.faults
        after = f"kept: {count_of(len(faults), 'fault')}" if faults else self._coordination.generation
        await self._audit.note(person, AuditAction.RELOAD, target="catalog", before=before, after=after)
        return faults

    async def note_secrets(self, names: Sequence[str]) -> None:
        """Write into the audit log that changed files of secrets were taken up; nothing of the secrets."""
        by = Person(name="changed file", role=UserRole.OPERATOR, place=self._coordination.process)
        await self._audit.note(by, AuditAction.SECRET, target=", ".join(names))

    async def publish(
        self, person: Person, file: str, text: str | None, *, base: str, is_confirmed: bool = True, why: str = ""
    ) -> bool:
        """Publish a file of the catalog, or take it away (None), and have it taken up; return whether it was.

        The text of an earlier version rolls the file back. A file that is not taken up is put back as it was.
        `base` is the generation that the text was made for. A change to what is found of people must be confirmed.
        `why` is kept with the version and in the audit log, cut where it is too long, without personal data.
        Raises PublishingRefused, CatalogError.
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
