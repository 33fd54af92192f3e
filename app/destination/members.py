"""How an object becomes one that Pinterest accepts: member by member."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any

from app.core.values.candidates import Candidates, FieldPath, one_place_only
from app.destination.reading import Reader, Reading, usable_candidate
from app.destination.redaction import FreeTextReader
from app.destination.warnings import left_out, unknown_members


class ObjectReader(ABC):
    """Reads an object, the members of which may stand in several places."""

    @abstractmethod
    def __call__(self, value: Any, candidates: Candidates = one_place_only) -> Reading:
        """Read one object; `candidates` returns those of a field whose first value is refused."""


class MembersReader(ObjectReader):
    """Reads a closed object: known members by their reader, others are left out with a note."""

    def __init__(self, readers: Mapping[str, Reader], *, at: FieldPath = (), elsewhere: Collection[str] = ()) -> None:
        """Read members by `readers`; those `elsewhere` are passed over, somebody else reads them.

        `at`: where in the action's fields the object stands.
        """
        #: By member.
        self.readers = readers
        self._at = at
        #: Members that somebody else reads.
        self.elsewhere = elsewhere
        self._known = {name: reader.known for name, reader in readers.items() if isinstance(reader, FreeTextReader)}
        self._objects = {name: reader for name, reader in readers.items() if isinstance(reader, ObjectReader)}

    def __call__(self, value: Any, candidates: Candidates = one_place_only) -> Reading:  # noqa: C901 - the busiest loop
        """Read one object; `candidates` returns those of a field whose first value is refused."""
        if not isinstance(value, dict):
            return None, (left_out(value, "an object is expected"),)
        sent: dict[str, Any] = {}
        notes: list[str] = []
        unknown = []
        readers, known = self.readers, self._known
        for name, given in value.items():
            if given.__class__ is str:
                if given in known.get(name, ()):  # nearly every text
                    sent[name] = given
                    continue
                if not given:
                    continue
            elif given is None:
                continue
            if name in readers:
                objects = self._objects
                member, problems = objects[name](given, candidates) if name in objects else readers[name](given)
                if member is None and problems:
                    member, problems = usable_candidate(candidates((*self._at, name)), readers[name], problems)
                if member is not None:
                    sent[name] = member
                if problems:
                    notes += [f".{name}{problem}" for problem in problems]
            elif name not in self.elsewhere:
                unknown.append(name)
        if unknown:
            notes.append(unknown_members(unknown))
        return sent or None, tuple(notes)
