"""Replay and discard what is kept in quarantine."""

from typing import Final

from app.access.audit import Audit, conditions_text
from app.access.users import Person
from app.core.pages import AuditAction, QuarantineFilter
from app.core.values.texts import count_of
from app.errors import FeatureOff
from app.pipeline.replay import Replay, Replaying

_OFF: Final = "QUARANTINE_HOURS is not set, so nothing is quarantined: set it, see docs/quarantine.md"
#: Names of filters that read badly.
_WORDS: Final = {"name": "event"}


class QuarantineActs:
    """Takes events out of the quarantine. Every act may raise OutboxUnavailable."""

    def __init__(self, replaying: Replaying | None, audit: Audit) -> None:
        """Take who brings events back; None: nothing is kept."""
        self._replaying = replaying
        self._audit = audit

    @property
    def is_on(self) -> bool:
        return self._replaying is not None

    @property
    def replaying(self) -> Replaying:
        """Who judges and lists what is kept. Raises FeatureOff."""
        if self._replaying is None:
            raise FeatureOff(_OFF)
        return self._replaying

    async def replay(self, person: Person, wanted: QuarantineFilter) -> Replay:
        """Accept the events that a filter means, as far as they make deliveries now. Raises FeatureOff."""
        replay = await self.replaying.replay(wanted)
        await self._note(person, AuditAction.QUARANTINE, wanted, replay.leaving)
        return replay

    async def discard(self, person: Person, wanted: QuarantineFilter) -> int:
        """Erase the events that a filter means; return how many. Raises FeatureOff."""
        count = await self.replaying.discard(wanted)
        await self._note(person, AuditAction.DISCARD, wanted, count)
        return count

    async def _note(self, person: Person, what: AuditAction, wanted: QuarantineFilter, count: int) -> None:
        target = ", ".join(conditions_text(wanted.given, _WORDS)) or "all of it"
        await self._audit.note(person, what, target=target, after=count_of(count, "event"))
