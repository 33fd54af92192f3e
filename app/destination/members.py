"""Convert an object to one that Pinterest accepts, member by member."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from app.core.values.candidates import Candidates, FieldPath, one_place_only
from app.core.values.generated_functions import FunctionNames, indented
from app.destination.money import IntegerReader
from app.destination.reading import Notes, Reader, Reading, TextReader, usable_candidate
from app.destination.redaction import FreeTextReader
from app.destination.warnings import left_out, unknown_members

#: The test in generated code whether `value` is given.
IS_GIVEN: Final = "value is not None and value != ''"


class ObjectReader(ABC):
    """Reads an object whose members may have several places."""

    #: All members with their readers. The source for redaction, the offered fields and tests.
    members: Mapping[str, Reader]

    @abstractmethod
    def __call__(self, value: Any, candidates: Candidates = one_place_only) -> Reading:
        """Read an object; `candidates` returns the candidates of a field whose first value is rejected."""


class MembersReader(ObjectReader):
    """Reads a closed object: known members by their reader; unknown members are omitted with a note."""

    def __init__(self, readers: Mapping[str, Reader], *, at: FieldPath = (), elsewhere: Collection[str] = ()) -> None:
        """Read members by `readers`; members in `elsewhere` are skipped, because other code reads them.

        `at`: the path of the object among the action's fields.
        """
        #: By member.
        self.members = self.readers = readers
        self._at = at
        self._elsewhere = elsewhere

    def __call__(self, value: Any, candidates: Candidates = one_place_only) -> Reading:
        """Read an object; `candidates` returns the candidates of a field whose first value is rejected."""
        if not isinstance(value, dict):
            return None, (left_out(value, "an object is expected"),)
        return self.read(value, candidates)

    @cached_property
    def read(self) -> Callable[[dict[str, Any], Candidates], Reading]:
        """Return the function that reads all members of an object; generated on first use."""
        text = FunctionNames()
        lines = [" sent, notes, unknown = {}, [], []", " for name, value in given.items():"]
        for number, name in enumerate(self.readers):
            lines.append(f"  {'elif' if number else 'if'} name == {name!r}:")
            lines += indented(indented(self.reading(text, name, "sent", "notes")))
        lines += [
            f"  {'elif' if self.readers else 'if'} name not in {text.bound(self._elsewhere)} and {IS_GIVEN}:",
            "   unknown.append(name)",
            f" if unknown: notes.append({text.bound(unknown_members)}(unknown))",
            " return sent or None, tuple(notes)",
        ]
        return text.function("given, candidates", lines)

    def reading(self, text: FunctionNames, name: str, sent: str, notes: str) -> list[str]:
        """Return the code that reads `value` as a member: the usual values without a call of the reader."""
        read = self.readers[name]
        put = f"{sent}[{name!r}] = value"
        at_once = _nearly_always(text, read)
        more = ", candidates" if isinstance(read, ObjectReader) else ""
        return [
            *([f" if {at_once}: {put}"] if at_once else []),
            f" {'elif' if at_once else 'if'} {IS_GIVEN}:",
            f"  value, about = {text.seldom(read)}(value{more})",
            f"  if about: {text.seldom(self.settle)}({name!r}, value, about, {sent}, {notes}, candidates)",
            f"  elif value is not None: {put}",
        ]

    def settle(
        self,
        name: str,
        member: Any,
        problems: Notes,
        sent: dict[str, Any],
        notes: list[str],
        candidates: Candidates,
    ) -> None:
        """Add a member with notes; if its value is rejected, use the next place."""
        if member is None:
            member, problems = usable_candidate(candidates((*self._at, name)), self.readers[name], problems)
        if member is not None:
            sent[name] = member
        notes += [f".{name}{problem}" for problem in problems]


def _nearly_always(text: FunctionNames, read: Reader) -> str:
    """Return the test whether `value` is sent unchanged; "" if only the reader can decide."""
    if isinstance(read, FreeTextReader):
        return f"value.__class__ is str and value in {text.seldom(read.known)}"
    if isinstance(read, TextReader) and not read.cuts:
        says = f"value.startswith({read.begins!r})"
        if not read.begins:
            says = f"value and value[0] not in {text.seldom(read.doubtful)}"
        return f"value.__class__ is str and {says} and value.isascii()"
    if isinstance(read, IntegerReader):
        return f"value.__class__ is int and {read.minimum} <= value <= {read.maximum}"
    return ""


def all_members(readers: Mapping[str, Reader], at: FieldPath = ()) -> Iterator[tuple[FieldPath, Reader]]:
    """Yield every field below the readers by its path, objects before their members."""
    for name, read in readers.items():
        yield (*at, name), read
        if isinstance(read, ObjectReader):
            yield from all_members(read.members, (*at, name))
