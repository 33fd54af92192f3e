"""What operators change, by the console or the interface: done, and written into the audit log."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.access.audit import Audit
from app.access.users import Person
from app.catalog.publishing import Publisher
from app.core.coordination import Coordination, Switches
from app.core.pages import AuditAction, QuarantineFilter, Query, Redrive
from app.core.shared_values import SharedValues
from app.core.values.texts import count_of
from app.core.values.times import at_second
from app.destination import redact
from app.errors import WhyMissing
from app.outbox import DeadLetters
from app.pipeline.forgetting import Forgetting, Forgotten
from app.pipeline.replay import Replay, Replaying
from app.pipeline.tail import MAX_TAIL_S, Tail


class _HoldsDeadLetters(SharedValues, Protocol):
    @property
    def dead_letters(self) -> DeadLetters: ...


#: Characters of why somebody dismisses something.
MAX_WHY = 200


def why_dismissed(person: Person, why: str) -> str:
    """Return what joins the reason of a dead delivery that somebody dismisses: nobody else's e-mail or number.

    Raises WhyMissing.
    """
    if not why.strip() or len(why) > MAX_WHY:
        raise WhyMissing(MAX_WHY)
    return f"dismissed by {person.name}: {redact(why.strip())}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedChanges:
    """Every change that a person can make. All may raise OutboxUnavailable."""

    outbox: _HoldsDeadLetters
    coordination: Coordination
    audit: Audit
    clock: Callable[[], float]
    #: Writes files of presets and mappings, or says why nobody does.
    publisher: Publisher
    #: Shows operators what arrives.
    tail: Tail
    #: Erases people.
    forgetting: Forgetting
    #: Brings events back from the quarantine; None where nothing is kept there.
    replaying: Replaying | None = None

    async def switch(self, person: Person, preset: str | None, *, on: bool, ad_account_id: str | None = None) -> None:
        """Switch a preset, or else an ad account, or all sending where both are None.

        Raises UnknownName.
        """
        switches = await Switches.read(self.outbox)
        if preset is not None:
            target, was_off = f"preset {preset}", preset in switches.presets_off
        elif ad_account_id is not None:
            target, was_off = f"ad account {ad_account_id}", ad_account_id in switches.accounts_off
        else:
            target, was_off = "all sending", switches.destination_off
        await self.coordination.switch(preset, on=on, ad_account_id=ad_account_id)
        await self.audit.note(
            person,
            AuditAction.SWITCH,
            target=target,
            before="off" if was_off else "on",
            after="on" if on else "off",
        )

    async def redrive(self, person: Person, query: Query) -> Redrive:
        """Make matching dead deliveries pending again; return what was done, and what was not."""
        done = await self.outbox.dead_letters.redrive(query, now=self.clock())
        await self.audit.note_redrive(person, query, done)
        return done

    async def dismiss(self, person: Person, query: Query, why: str) -> int:
        """Put matching dead deliveries away for good; return how many. Raises WhyMissing."""
        count = await self.outbox.dead_letters.dismiss(query, because=why_dismissed(person, why))
        await self.audit.note_dismissal(person, query, count, redact(why.strip()))
        return count

    async def reload(self, person: Person) -> bool:
        """Take up changed files; return whether they were, False where they are faulty and nothing changed."""
        before = self.coordination.generation
        is_taken_up = await self.coordination.reload(now=self.clock())
        kept = f"kept: {count_of(len(self.coordination.faults), 'fault')}"
        after = self.coordination.generation if is_taken_up else kept
        await self.audit.note(person, AuditAction.RELOAD, target="catalog", before=before, after=after)
        return is_taken_up

    def follow_tail(self) -> None:
        """Have the live tail be on for as long as it is wanted, and let go of what it holds once somebody is erased."""
        self.tail.follow(self.coordination.tail_until, now=self.clock())
        self.tail.obey(self.coordination.tail_emptied)

    async def watch(self, person: Person, *, for_s: float) -> None:
        """Show what arrives to operators for so long, at most MAX_TAIL_S, in all processes; 0: no longer."""
        until = self.clock() + min(for_s, MAX_TAIL_S) if for_s > 0 else 0.0
        was = self.coordination.tail_until
        await self.audit.note(person, AuditAction.TAIL, before=self._told_tail(was), after=self._told_tail(until))
        await self.coordination.want_tail(until)
        self.follow_tail()

    def _told_tail(self, until: float) -> str:
        return f"on until {at_second(until)}" if until > self.clock() else "off"

    async def _empty_tails(self) -> None:
        self.tail.clear()
        await self.coordination.empty_tails(now=self.clock())

    async def forget(
        self, person: Person, *, user_id: str | None, anonymous_id: str | None, email: str | None
    ) -> Forgotten:
        """Erase somebody; return how much it was, and what stays. No id is written down."""
        forgotten = await self.forgetting.forget(
            user_id=user_id, anonymous_id=anonymous_id, email=email, now=self.clock()
        )
        await self._empty_tails()
        await self.audit.note_forgotten(person, forgotten.ids)
        return forgotten

    async def forget_known(self, person: Person, key: str, *, alone: bool) -> Forgotten:
        """Do `forget` for the key of an id, with the whole person that it leads to, or `alone`."""
        forgotten = await self.forgetting.forget_keys(
            user=None if alone else key, anonymous=key if alone else None, now=self.clock()
        )
        await self._empty_tails()
        await self.audit.note_forgotten(person, forgotten.ids)
        return forgotten

    async def replay(self, person: Person, wanted: QuarantineFilter) -> Replay | None:
        """Accept what a filter means of the quarantine, as far as it makes deliveries now; None where there is none."""
        if self.replaying is None:
            return None
        replay = await self.replaying.replay(wanted)
        await self.audit.note_quarantine(person, AuditAction.QUARANTINE, wanted, replay.leaving)
        return replay

    async def discard(self, person: Person, wanted: QuarantineFilter) -> int | None:
        """Erase what a filter means of the quarantine; return how many events, None where there is none."""
        if self.replaying is None:
            return None
        count = await self.replaying.discard(wanted)
        await self.audit.note_quarantine(person, AuditAction.DISCARD, wanted, count)
        return count

    async def publish(self, person: Person, file: str, text: str | None, *, base: str) -> bool:
        """Publish a file of the catalog, or take it away (None), and have it taken up; return whether it was.

        Where it was not, what was there is put back. `base` is the generation that it was made for.
        Raises PublishingRefused, CatalogError.
        """
        before = await asyncio.to_thread(self.publisher.own_text, file)
        version = await asyncio.to_thread(
            self.publisher.publish, file, text, author=person.name, at=self.clock(), base=base
        )
        is_taken_up = await self.coordination.reload(now=self.clock())
        if not is_taken_up:
            await asyncio.to_thread(self.publisher.restore, file, before)
            await self.coordination.reload(now=self.clock())
        after = f"version {version.number}" if is_taken_up else "could not be taken up: put back"
        await self.audit.note(person, AuditAction.PUBLISH, target=str(self.publisher.target(file)), after=after)
        return is_taken_up
