"""How one given value becomes one that Pinterest accepts.

A reader takes what the mapping resolved and returns a Reading: the value to send (None: nothing) and notes about it.
A note begins with its path below the value, so that a parent only puts a name in front:

    read_text(5)              -> ("5", ())
    read_text({"a": 1})       -> (None, (": an object of 1 members left out, a text is expected",))
    custom_data's reader      -> ({...}, (".order_id: an object of 1 members left out, a text is expected",))

Missing, null and empty text mean "not given": `MembersReader` never shows them to a reader. A reader that returns no
value says why in a note.
"""

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from app.destination.redaction import redacted_text
from app.destination.warnings import kind, left_out, unknown_members
from app.values.candidates import Candidate, Candidates, FieldPath, one_place_only
from app.values.flags import read_flag
from app.values.hidden_emails import without_plain
from app.values.placeholders import FIRST_CHARACTERS, says_nothing

Notes: TypeAlias = tuple[str, ...]
Reading: TypeAlias = tuple[Any, Notes]
Reader: TypeAlias = Callable[[Any], Reading]

NO_NOTES: Notes = ()
#: Why an id is left out.
NO_ID = "it is no id but a placeholder, or no text or number"
#: Longer texts are not remembered, nor more than so many by one reader.
_MAX_REMEMBERED = 100
_MAX_KNOWN = 8192
#: Whole floats beyond this are no longer exact; JavaScript writes them with an exponent.
_EXACT_LIMIT = 1e21


def single(value: Any) -> Any:
    """Take the one item out of a list of one, as Segment does: `[20]` is 20."""
    while type(value) is list and len(value) == 1:
        value = value[0]
    return value


def flattened(value: Any) -> Iterator[Any]:
    """Yield what a value, or a list of lists of values, holds; null and empty texts are nothing."""
    if type(value) is list:
        for item in value:
            yield from flattened(item)
    elif value is not None and value != "":
        yield value


def number_text(number: float) -> str:
    """Write a finite number as JavaScript does (189.0 is `189`), but never with an exponent."""
    if isinstance(number, int) or (number.is_integer() and abs(number) < _EXACT_LIMIT):
        return str(int(number))
    text = repr(number)
    return format(Decimal(text), "f") if "e" in text else text


def text_of(value: Any) -> str | None:
    """Return a text, or a number as text; None for what has no obvious text (true, objects, lists)."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return number_text(value)
    return None


class TextReader:
    """Reads any text that is not blank and cuts what is longer than `max_length` characters; a number becomes text."""

    def __init__(self, max_length: int = sys.maxsize) -> None:
        self._max_length = max_length

    def __call__(self, value: Any) -> Reading:
        """Read one value."""
        if (
            type(value) is str
            and value
            and value[0] not in FIRST_CHARACTERS
            and value.isascii()
            and len(value) <= self._max_length
        ):  # nearly every text
            return value, NO_NOTES
        text = text_of(single(value))
        if text is None:
            return None, (left_out(value, "a text is expected"),)
        if says_nothing(text):
            return None, (left_out(value, "it is blank or a placeholder"),)
        if len(text) > self._max_length:
            return text[: self._max_length], (f": {kind(value)} cut to {self._max_length} characters",)
        return text, NO_NOTES


class FreeTextReader(TextReader):
    """Reads texts that somebody wrote: e-mail addresses and phone numbers in them are taken out.

    The same few texts come again and again (products, devices), so what is sent as it came is remembered, up to a
    bound: `MembersReader` takes such texts without asking.
    """

    def __init__(self, max_length: int = sys.maxsize, *, clean: Callable[[str], str] = redacted_text) -> None:
        """Clean texts by `clean`, which takes personal data out."""
        super().__init__(max_length)
        self._clean = clean
        self.known: set[str] = set()

    def __call__(self, value: Any) -> Reading:
        """Read one value."""
        text, notes = super().__call__(value)
        if text is None:
            return None, notes
        clean = self._clean(text)
        if clean != text:
            notes = (*notes, ": personal data taken out")
            return (clean, notes) if clean.strip() else (None, notes)
        if text is value and len(text) <= _MAX_REMEMBERED:
            if len(self.known) >= _MAX_KNOWN:
                self.known.clear()
            self.known.add(text)
        return text, notes


def product_id(max_length: int = sys.maxsize) -> FreeTextReader:
    """Make a reader of ids of products, brands and apps, in which digits are no phone numbers."""
    return FreeTextReader(max_length, clean=without_plain)


read_text: Reader = TextReader()
read_free_text: Reader = FreeTextReader()


class _AddressReader(TextReader):
    """Reads a URL: a text, never a number."""

    def __call__(self, value: Any) -> Reading:
        text = single(value)
        if type(text) is not str:
            return None, (left_out(value, "an address is expected"),)
        return super().__call__(text)


read_address: Reader = _AddressReader()


def read_boolean(value: Any) -> Reading:
    """Read true and false in the spellings of `app.values.flags`; anything else is nothing."""
    flag = read_flag(value)
    return flag, (left_out(value, "true or false is expected"),) if flag is None else about_flag(value, flag)


def about_flag(value: Any, flag: bool) -> Notes:  # noqa: FBT001 - the value itself
    """Return what a word was read as; that 1 is true needs no saying, Segment reads it so too."""
    word = single(value)
    is_word = type(word) is str and word.strip().lower() in ("yes", "no")
    return (f": {kind(value)} read as {str(flag).lower()}",) if is_word else NO_NOTES


def choice_of(*choices: str, also: Mapping[str, str] | None = None) -> Reader:
    """Make a reader of one of `choices`, in any case; `also` names other spellings in use."""
    known = {choice: choice for choice in choices} | dict(also or {})

    def read(value: Any) -> Reading:
        text = text_of(single(value))
        choice = known.get(text.strip().lower()) if text else None
        if choice is None:
            return None, (left_out(value, f"it must be one of {', '.join(choices)}"),)
        return choice, NO_NOTES if choice == text else (f': {kind(value)} sent as "{choice}"',)

    return read


def list_of(read: FreeTextReader) -> Reader:
    """Make a reader of a list of texts; a single one is a list of one, null and empty items are nothing."""

    def read_list(value: Any) -> Reading:
        if type(value) is str and value in read.known:
            return [value], NO_NOTES
        kept: list[str] = []
        notes: list[str] = []
        for item in flattened(value):
            if type(item) is str and item in read.known:  # nearly every item
                kept.append(item)
                continue
            text, problems = read(item)
            notes += problems
            if text is not None:
                kept.append(text)
        return kept or None, tuple(notes) if kept or notes else (left_out(value, "nothing is in it"),)

    return read_list


def usable_candidate(candidates: Iterator[Candidate], read: Reader, problems: Notes) -> Reading:
    """Read the candidates of a field, the first that `read` takes wins; each refused one leaves its notes.

    `problems`: the notes on the first, which stand where there are no others.
    """
    notes: list[str] = []
    for candidate in candidates:
        value, problems = read(candidate.value)
        notes += [f" ({candidate.place}){problem}" for problem in problems]
        if value is not None:
            return value, tuple(notes)
    return None, tuple(notes) or problems


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
