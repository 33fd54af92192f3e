"""What one event gives to memory: the receipt tells it to a sender that is known by a secret."""

from collections.abc import Iterable

from app.core.people import Remembered
from app.core.receipts import Given
from app.identity import GROUPS, NOBODY, Memory


class NotingMemory:
    """Passes all on to another Memory, and notes what is changed in it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.is_full = memory.is_full
        self.erased = memory.erased
        self._erased_before = len(memory.erased)
        #: As it was before, of the ids that were changed.
        self._before: dict[str, Remembered] = {}
        self._unmarked: set[str] = set()

    def person(self, key: str) -> Remembered | None:
        """Do `Memory.person`."""
        return self._memory.person(key)

    def keep(self, key: str, person: Remembered) -> None:
        """Do `Memory.keep`."""
        self._before.setdefault(key, self._memory.person(key) or NOBODY)
        self._memory.keep(key, person)

    def linked_to(self, key: str) -> Iterable[str]:
        """Do `Memory.linked_to`."""
        return self._memory.linked_to(key)

    def marked_at(self, key: str) -> float | None:
        """Do `Memory.marked_at`."""
        return self._memory.marked_at(key)

    def mark(self, key: str, at: float) -> None:
        """Do `Memory.mark`."""
        if self._memory.marked_at(key) is None:
            self._unmarked.add(key)
        self._memory.mark(key, at)

    def lift(self, key: str) -> None:
        """Do `Memory.lift`."""
        self._memory.lift(key)

    @property
    def has_marks(self) -> bool:
        """Do `Memory.has_marks`."""
        return self._memory.has_marks

    def given(self) -> Given:
        """Return what was changed: what moved from one id to another, or went with its link, is no such change."""
        after = {key: self._memory.person(key) or NOBODY for key in self._before}
        known = [fact for before in self._before.values() for fact in before.facts.values()]
        said = {group for person in after.values() for group, fact in person.facts.items() if fact not in known}
        is_erasure = len(self.erased) > self._erased_before
        return Given(
            groups=tuple(group for group in GROUPS if group in said),
            linked=any(
                person.link is not None and person.link.is_followed and person.link != self._before[key].link
                for key, person in after.items()
            ),
            erased=sum(
                self._before[key] != NOBODY
                and not person.facts
                and (is_erasure or (bool(self._before[key].facts) and self._memory.marked_at(key) is not None))
                for key, person in after.items()
            ),
            marked=sum(self._memory.marked_at(key) is not None for key in self._unmarked),
        )
