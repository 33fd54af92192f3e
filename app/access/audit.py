"""The audit log: who did what, from where, to which target, and how it was before and after."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from app.access.users import Person
from app.core.pages import AuditAction, AuditEntry, QuarantineFilter, Query, Redrive
from app.core.values.hidden_emails import unpersonal_id
from app.core.values.texts import count_of

#: Of one text; what is longer is cut.
MAX_AUDITED_TEXT: Final = 300
#: Names of conditions that read badly.
_OF_QUERY: Final = {"delivery_id": "delivery", "ad_account_id": "ad account"}
_OF_QUARANTINE: Final = {"name": "event"}


class WritesAudit(Protocol):
    """The part of the store that keeps the log. May raise OutboxUnavailable."""

    async def write_audit(self, entry: AuditEntry) -> None:
        """Commit one line of the audit log."""


class Audit:
    """Writes the log; the clock says when."""

    def __init__(self, store: WritesAudit, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def note(
        self, person: Person, what: AuditAction, *, target: str = "", before: str = "", after: str = ""
    ) -> None:
        """Commit what somebody did, when it is done. Raises OutboxUnavailable."""
        entry = AuditEntry(
            at=self._clock(),
            who=_cut(person.name),
            place=_cut(person.place),
            what=what,
            target=_cut(target),
            before=_cut(before),
            after=_cut(after),
        )
        await self._store.write_audit(entry)

    async def note_redrive(self, person: Person, query: Query, done: Redrive) -> None:
        """Commit what somebody's redrive did to the dead deliveries that a query means."""
        became = f"{done.redriven} pending"
        if done.overtaken:
            became += f", {done.overtaken} dismissed: delivered as others"
        if done.waiting:
            became += f", {done.waiting} dead: others wait"
        await self.note(person, AuditAction.REDRIVE, target=_described(query), before="dead", after=became)

    async def note_dismissal(self, person: Person, query: Query, count: int, why: str) -> None:
        """Commit how many dead deliveries, of those that a query means, somebody put away, and why."""
        became = f"{count} dismissed: {why}"
        await self.note(person, AuditAction.DISMISS, target=_described(query), before="dead", after=became)

    async def note_quarantine(self, person: Person, what: AuditAction, wanted: QuarantineFilter, count: int) -> None:
        """Commit how many events, of those that a filter means, somebody took out of the quarantine."""
        target = ", ".join(_told(wanted.given, _OF_QUARANTINE)) or "all of it"
        await self.note(person, what, target=target, after=count_of(count, "event"))

    async def note_forgotten(self, person: Person, ids: int) -> None:
        """Commit that somebody had a person of so many ids erased; no id is written down."""
        await self.note(person, AuditAction.FORGET, after=count_of(ids, "id"))


def _described(query: Query) -> str:
    """Return which deliveries a query means, in words."""
    told = _told({name: value for name, value in query.given.items() if name not in {"state", "person"}}, _OF_QUERY)
    return ", ".join(told if query.person is None else [*told, "of a person"]) or "all dead letters"


def _told(given: Mapping[str, object], words: Mapping[str, str]) -> list[str]:
    """Return each condition in words; what holds an e-mail address is shown as its digest."""
    return [
        f"{words.get(name, name.replace('_', ' '))} {unpersonal_id(_written(value))}" for name, value in given.items()
    ]


def _written(value: object) -> str:
    """Return what is looked for as a search writes it; "" means an order that names no currency."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "none"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_AUDITED_TEXT else f"{text[: MAX_AUDITED_TEXT - 1]}…"
