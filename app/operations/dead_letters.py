"""Redrive and dismiss dead letters."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from app.access.audit import Audit, conditions_text
from app.access.users import Person
from app.core.deliveries import State
from app.core.pages import AuditAction, Query, Redrive
from app.destination import redact
from app.errors import NoDelivery, WhyMissing
from app.outbox import Outbox, read_filters
from app.pipeline.search import Finder

#: Characters of why somebody dismisses something.
MAX_WHY: Final = 200
#: Names of filters that read badly.
_WORDS: Final = {"delivery_id": "delivery", "ad_account_id": "ad account"}


def dead_query(filters: Mapping[str, str]) -> Query:
    """Return the dead letters that filters mean, all where there are none. Raises FilterError."""
    return replace(read_filters(filters), state=State.DEAD)


class DeadLetterActs:
    """Changes dead letters. Every act may raise OutboxUnavailable."""

    def __init__(self, outbox: Outbox, finder: Finder, audit: Audit) -> None:
        self._outbox = outbox
        self._finder = finder
        self._audit = audit

    async def check(self, query: Query) -> None:
        """Raise UnknownName where a filter names nothing known, NoDelivery where there is no such delivery."""
        await self._finder.check(query)
        if query.delivery_id is not None and await self._outbox.delivery(query.delivery_id) is None:
            raise NoDelivery(query.delivery_id)

    async def redrive(self, person: Person, query: Query) -> Redrive:
        """Make matching dead deliveries pending again; return how many, and how many were not. Raises UnknownName."""
        await self.check(query)
        done = await self._outbox.dead_letters.redrive(query, now=self._audit.clock())
        others = (done.overtaken, "dismissed: delivered as others"), (done.waiting, "dead: others wait")
        after = ", ".join([f"{done.redriven} pending", *(f"{count} {became}" for count, became in others if count)])
        await self._audit.note(person, AuditAction.REDRIVE, target=_described(query), before="dead", after=after)
        return done

    async def dismiss(self, person: Person, query: Query, why: str) -> int:
        """Dismiss matching dead deliveries; return how many. Raises UnknownName, WhyMissing.

        Their reason, and the audit log, get `why` without e-mail addresses and phone numbers.
        """
        if not why.strip() or len(why) > MAX_WHY:
            raise WhyMissing(MAX_WHY)
        await self.check(query)
        told = redact(why.strip())
        count = await self._outbox.dead_letters.dismiss(query, because=f"dismissed by {person.name}: {told}")
        after = f"{count} dismissed: {told}"
        await self._audit.note(person, AuditAction.DISMISS, target=_described(query), before="dead", after=after)
        return count


def _described(query: Query) -> str:
    """Return which deliveries a query means, in words."""
    given = {name: value for name, value in query.given.items() if name not in {"state", "person"}}
    told = conditions_text(given, _WORDS)
    return ", ".join(told if query.person is None else [*told, "of a person"]) or "all dead letters"
