"""How an object becomes one that Pinterest accepts: member by member."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any

from app.destination.free_texts import FreeTextReader
from app.destination.reading import Reader, Reading, usable_candidate
from app.destination.warnings import left_out, unknown_members
from app.values.candidates import Candidates, FieldPath, one_place_only


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
        self._readers = readers
        self._at = at
        self._elsewhere = elsewhere
        self._known = {name: reader.known for name, reader in readers.items() if isinstance(reader, FreeTextReader)}
        self._objects = {name: reader for name, reader in readers.items() if isinstance(reader, ObjectReader)}

    def __call__(self, value: Any, candidates: Candidates = one_place_only) -> Reading:
        """Read one object; `candidates` returns those of a field whose first value is refused."""
        if not isinstance(value, dict):
            return None, (left_out(value, "an object is expected"),)
        sent: dict[str, Any] = {}
        notes: list[str] = []
        unknown = []
        readers, known = self._readers, self._known
        for name, given in value.items():
            if type(given) is str and name in known and given in known[name]:  # nearly every text
                sent[name] = given
            elif given is None or given == "" or name in self._elsewhere:
                continue
            elif name not in readers:
                unknown.append(name)
            else:
                reader = readers[name]
                objects = self._objects
                member, problems = objects[name](given, candidates) if name in objects else reader(given)
                if member is None and problems:
                    member, problems = usable_candidate(candidates((*self._at, name)), reader, problems)
                if member is not None:
                    sent[name] = member
                if problems:
                    notes += [f".{name}{problem}" for problem in problems]
        if unknown:
            notes.append(unknown_members(unknown))
        return sent or None, tuple(notes)
