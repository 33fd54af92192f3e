"""Convert a given value to a value that Pinterest accepts.

A reader converts the resolved value of the mapping to a Reading: the value to send (`None`: not sent) and notes about
it. A note begins with its path below the value, so that a parent only adds the name as a prefix:

    read_text(5)              -> ("5", ())
    read_text({"a": 1})       -> (None, (": an object of 1 member left out, a text is expected",))
    custom_data's reader      -> ({...}, (".order_id: an object of 1 member left out, a text is expected",))

Missing, null and empty text mean "not given": `MembersReader` never passes them to a reader. A reader without a value
returns the reason in a note.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from app.core.values.candidates import Candidate
from app.core.values.placeholders import (
    FIRST_CHARACTERS,
    FIRST_OF_NO_ADDRESSES,
    is_no_address,
    read_flag,
    says_nothing,
    unwrap_single,
)
from app.destination.warnings import kind, left_out

Notes: TypeAlias = tuple[str, ...]
Reading: TypeAlias = tuple[Any, Notes]
Reader: TypeAlias = Callable[[Any], Reading]

NO_NOTES: Notes = ()
#: The reason for omitting an id.
NO_ID = "it is no id but a placeholder, or no text or number"
#: Larger whole floats are not exact; JavaScript writes them with an exponent.
_EXACT_LIMIT = 1e21


def flattened(value: Any) -> Iterator[Any]:
    """Yield a value, or the values in a list of lists, without null and empty texts."""
    if type(value) is list:
        for item in value:
            yield from flattened(item)
    elif value is not None and value != "":
        yield value


def number_text(number: float) -> str:
    """Return a finite number as JavaScript writes it (189.0 is `189`), but never with an exponent."""
    if isinstance(number, int) or (number.is_integer() and abs(number) < _EXACT_LIMIT):
        return str(int(number))
    text = repr(number)
    return format(Decimal(text), "f") if "e" in text else text


def text_of(value: Any) -> str | None:
    """Return a text, or a number as text; `None` for values without an obvious text (true, objects, lists)."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return number_text(value)
    return None


class TextReader:
    """Reads any non-blank text or number as text, cut to `max_length` characters."""

    #: A text that begins with another character is not empty.
    doubtful: frozenset[str] = FIRST_CHARACTERS
    #: Required prefixes of a text, if any.
    begins: tuple[str, ...] = ()

    def __init__(self, max_length: int = sys.maxsize) -> None:
        self._max_length = max_length

    @property
    def cuts(self) -> bool:
        """Return whether the reader has a maximum length."""
        return self._max_length < sys.maxsize

    def __call__(self, value: Any) -> Reading:
        """Read a text; `None`, with a note, for values without an obvious text."""
        if (
            type(value) is str
            and value
            and value[0] not in self.doubtful
            and value.isascii()
            and len(value) <= self._max_length
        ):  # nearly every text
            return value, NO_NOTES
        text, notes = self._text_of(value)
        return (None, notes) if text is None else self._cut(text, value)

    def _text_of(self, value: Any) -> tuple[str | None, Notes]:
        """Return the text of a value; `None` with the reason if the value has no text."""
        text = text_of(unwrap_single(value))
        if text is None:
            return None, (left_out(value, "a text is expected"),)
        if says_nothing(text):
            return None, (left_out(value, "it is blank or a placeholder"),)
        return text, NO_NOTES

    def _cut(self, text: str, value: Any) -> tuple[str, Notes]:
        """Cut a text that is too long."""
        if len(text) > self._max_length:
            return text[: self._max_length], (f": {kind(value)} cut to {self._max_length} characters",)
        return text, NO_NOTES


read_text: Reader = TextReader()


class _AddressReader(TextReader):
    """Reads a web URL: a text, never a number."""

    doubtful = FIRST_OF_NO_ADDRESSES
    begins = ("https://", "http://")

    def __call__(self, value: Any) -> Reading:
        text = unwrap_single(value)
        if type(text) is not str:
            return None, (left_out(value, "an address is expected"),)
        if is_no_address(text):
            return None, (left_out(value, "it is blank or a placeholder"),)
        if not text.lstrip()[:8].lower().startswith(self.begins):
            return None, (left_out(value, "it begins with neither http:// nor https://"),)
        return super().__call__(text)


read_address: Reader = _AddressReader()


def read_boolean(value: Any) -> Reading:
    """Read true and false in the spellings of `app.core.values.placeholders`; other values are omitted."""
    flag = read_flag(value)
    return flag, (left_out(value, "true or false is expected"),) if flag is None else about_flag(value, flag)


def about_flag(value: Any, flag: bool) -> Notes:  # noqa: FBT001 - the value itself
    """Return a note about a word that was read as a flag; none for 1 and "true", which Segment also reads as true."""
    word = unwrap_single(value)
    is_word = type(word) is str and word not in ("true", "false")
    return (f": {kind(value)} read as {str(flag).lower()}",) if is_word else NO_NOTES


class ChoiceReader:
    """Reads a value of `choices`, in any case; `also` has other spellings."""

    def __init__(self, *choices: str, also: Mapping[str, str] | None = None) -> None:
        self.choices = choices
        self._known = {choice: choice for choice in choices} | dict(also or {})

    def __call__(self, value: Any) -> Reading:
        """Read a text as the choice that it spells."""
        text = text_of(unwrap_single(value))
        choice = self._known.get(text.strip().lower()) if text else None
        if choice is None:
            return None, (left_out(value, f"it must be one of {', '.join(self.choices)}"),)
        return choice, NO_NOTES if choice == text else (f': {kind(value)} sent as "{choice}"',)


def _placed(problem: str, place: str) -> str:
    """Add the place of the value to a note, after the member: `[0].item_price (place): ...`."""
    member, mark, told = problem.partition(":")
    return f"{member} ({place}){mark}{told}"


def usable_candidate(candidates: Iterator[Candidate], read: Reader, problems: Notes) -> Reading:
    """Return the first candidate of a field that `read` accepts; each rejected candidate adds its notes.

    `problems`: the notes about the first value, which are returned if there are no candidates.
    """
    notes: list[str] = []
    for candidate in candidates:
        value, problems = read(candidate.value)
        notes += [_placed(problem, candidate.place) for problem in problems]
        if value is not None:
            return value, tuple(notes)
    return None, tuple(notes) or problems
