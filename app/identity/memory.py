"""The store under the rules: what they ask of it, and one that lives as long as its process."""

from collections.abc import Iterable
from typing import Protocol

from app.core.people import Remembered
from app.identity.facts import NOBODY


class Memory(Protocol):
    """What is remembered, by the keys of ids. Whoever makes one decides how it is kept."""

    #: There is no room for another mark, so nothing more may be remembered.
    is_full: bool
    #: Keys that were erased.
    erased: list[str]

    def person(self, key: str) -> Remembered | None:
        """Return what is remembered under an id; None where nothing is."""
        ...

    def keep(self, key: str, person: Remembered) -> None:
        """Remember this under an id, in place of what was; a person without facts and link is forgotten."""
        ...

    def linked_to(self, key: str) -> Iterable[str]:
        """Return ids whose link names this user, the newest links first; of very many only the newest."""
        ...

    def marked_at(self, key: str) -> float | None:
        """Return when a no was said that still holds for an id, Unix seconds; None where none holds."""
        ...

    def mark(self, key: str, at: float) -> None:
        """Note that a no was said at that time which holds for an id."""
        ...

    def lift(self, key: str) -> None:
        """Let the no of an id hold no longer."""
        ...

    @property
    def has_marks(self) -> bool:
        """Whether a no of anybody holds. Where none does, nobody has to be looked at."""
        ...


class HeldMemory:
    """A Memory that is nowhere but in this process, and has no bounds: for previews."""

    def __init__(self) -> None:
        self.is_full = False
        self.erased: list[str] = []
        self._people: dict[str, Remembered] = {}
        self._linked: dict[str, dict[str, None]] = {}
        self._marks: dict[str, float] = {}

    def person(self, key: str) -> Remembered | None:
        """Do `Memory.person`."""
        return self._people.get(key)

    def keep(self, key: str, person: Remembered) -> None:
        """Do `Memory.keep`."""
        before = self._people.get(key, NOBODY).link
        if before is not person.link:
            if before:
                self._linked[before.to].pop(key, None)
            if person.link:
                self._linked.setdefault(person.link.to, {})[key] = None
        if person.facts or person.link:
            self._people[key] = person
        else:
            self._people.pop(key, None)

    def linked_to(self, key: str) -> Iterable[str]:
        """Do `Memory.linked_to`."""
        return list(self._linked.get(key, ()))[::-1]

    def marked_at(self, key: str) -> float | None:
        """Do `Memory.marked_at`."""
        return self._marks.get(key)

    def mark(self, key: str, at: float) -> None:
        """Do `Memory.mark`."""
        self._marks[key] = at

    def lift(self, key: str) -> None:
        """Do `Memory.lift`."""
        self._marks.pop(key, None)

    @property
    def has_marks(self) -> bool:
        """Do `Memory.has_marks`."""
        return bool(self._marks)
