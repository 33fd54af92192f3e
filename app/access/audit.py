"""The audit log: who did what, from where, to which target, and how it was before and after."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from app.access.users import Person
from app.core.pages import AuditAction, AuditEntry
from app.core.values.hidden_emails import unpersonal_id

#: Of one text; what is longer is cut.
MAX_AUDITED_TEXT: Final = 300


class WritesAudit(Protocol):
    """The part of the store that keeps the log. May raise OutboxUnavailable."""

    async def write_audit(self, entry: AuditEntry) -> None:
        """Commit one line of the audit log."""


class Audit:
    """Writes the log; the clock says when."""

    def __init__(self, store: WritesAudit, clock: Callable[[], float]) -> None:
        self._store = store
        #: Unix seconds; what is noted was done by this clock, too.
        self.clock = clock

    async def note(
        self, person: Person, what: AuditAction, *, target: str = "", before: str = "", after: str = ""
    ) -> None:
        """Commit what somebody did, when it is done. Raises OutboxUnavailable."""
        entry = AuditEntry(
            at=self.clock(),
            who=_cut(person.name),
            place=_cut(person.place),
            what=what,
            target=_cut(target),
            before=_cut(before),
            after=_cut(after),
        )
        await self._store.write_audit(entry)


def conditions_text(given: Mapping[str, object], words: Mapping[str, str]) -> list[str]:
    """Return each condition in words; what holds an e-mail address is shown as its digest.

    `words` has the names that are shown otherwise than they are written.
    """
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
