"""The audit log: person, place, action, target, and the state before and after."""

from collections.abc import Callable, Mapping
from typing import Final

from app.access.users import Person
from app.core.pages import AuditAction, AuditEntry
from app.core.values.hidden_emails import unpersonal_id
from app.outbox import Outbox

#: Maximum length of a text; a longer text is cut.
MAX_AUDITED_TEXT: Final = 300


class Audit:
    """Writes the log, with the time from the clock."""

    def __init__(self, store: Outbox, clock: Callable[[], float]) -> None:
        self._store = store
        #: Unix seconds; the recorded actions use this clock, too.
        self.clock = clock

    async def note(
        self, person: Person, what: AuditAction, *, target: str = "", before: str = "", after: str = ""
    ) -> None:
        """Commit an entry about a finished action. Raises OutboxUnavailable."""
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
    """Return each condition in words; a value with an e-mail address is replaced with its digest.

    `words` has display names.
    """
    return [
        f"{words.get(name, name.replace('_', ' '))} {unpersonal_id(_written(value))}" for name, value in given.items()
    ]


def _written(value: object) -> str:
    """Return a searched value in the notation of a search; "" means an order without a currency."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "none"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_AUDITED_TEXT else f"{text[: MAX_AUDITED_TEXT - 1]}…"
