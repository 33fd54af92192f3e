"""Redrive and dismiss dead letters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
#: More dead deliveries than this are not counted before they are sent again.
COUNTED_AT_MOST: Final = 20_000
_COUNTED_AT_ONCE: Final = 1_000
#: Names of filters that read badly.
_WORDS: Final = {"delivery_id": "delivery", "ad_account_id": "ad account"}


def dead_query(filters: Mapping[str, str]) -> Query:
    """Return the dead letters that filters mean, all where there are none. Raises FilterError."""
    return replace(read_filters(filters), state=State.DEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadCount:
    """How many dead deliveries are meant."""

    count: int
    #: Of these, so many are not too old to be sent.
    fresh: int
    #: Whether they are all of them; else the newest.
    is_all: bool


class DeadLetterActs:
    """Changes dead letters. Every act may raise OutboxUnavailable."""

    def __init__(self, outbox: Outbox, finder: Finder, audit: Audit, *, max_event_age_s: float) -> None:
        """Take what Pinterest takes no event of: one that is older than `max_event_age_s`."""
        self._outbox = outbox
        self._max_event_age_s = max_event_age_s
        self._finder = finder
        self._audit = audit

    async def check(self, query: Query) -> None:
        """Raise UnknownName where a filter names nothing known, NoDelivery where there is no such delivery."""
        await self._finder.check(query)
        if query.delivery_id is not None and await self._outbox.delivery(query.delivery_id) is None:
            raise NoDelivery(query.delivery_id)

    async def count(self, query: Query) -> DeadCount:
        """Return how many dead deliveries a query means, and how many of them Pinterest may still take."""
        oldest, count, fresh, cursor = self._oldest(), 0, 0, None
        while count < COUNTED_AT_MOST:
            page = await self._outbox.search(query, limit=_COUNTED_AT_ONCE, cursor=cursor)
            count += len(page.deliveries)
            fresh += sum(each.event_time >= oldest for each in page.deliveries)
            cursor = page.next_cursor
            if cursor is None:
                return DeadCount(count=count, fresh=fresh, is_all=True)
        return DeadCount(count=count, fresh=fresh, is_all=False)

    def _oldest(self) -> float:
        return self._audit.clock() - self._max_event_age_s

    async def redrive(self, person: Person, query: Query) -> Redrive:
        """Make matching dead deliveries pending again; return how many, and how many were not. Raises UnknownName.

        Those whose event is too old for Pinterest stay dead.
        """
        await self.check(query)
        takeable = replace(query, happened_since=self._oldest())
        done = await self._outbox.dead_letters.redrive(takeable, now=self._audit.clock())
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
