"""How one given value becomes one that Pinterest accepts.

A reader takes what the mapping resolved and returns a Reading: the value to send (None: nothing) and notes about it.
A note begins with its path below the value, so that a parent only puts a name in front:

    read_text(5)              -> ("5", ())
    read_text({"a": 1})       -> (None, (": an object of 1 member left out, a text is expected",))
    custom_data's reader      -> ({...}, (".order_id: an object of 1 member left out, a text is expected",))

Missing, null and empty text mean "not given": `MembersReader` never shows them to a reader. A reader that returns no
value says why in a note.
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
#: Why an id is left out.
NO_ID = "it is no id but a placeholder, or no text or number"
#: Whole floats beyond this are no longer exact; JavaScript writes them with an exponent.
_EXACT_LIMIT = 1e21


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

    #: A text that begins with none of these says something.
    doubtful: frozenset[str] = FIRST_CHARACTERS
    #: A text must begin with one of these, where there are any.
    begins: tuple[str, ...] = ()

    def __init__(self, max_length: int = sys.maxsize) -> None:
        self._max_length = max_length

    @property
    def cuts(self) -> bool:
        """Whether there are texts that are too long."""
        return self._max_length < sys.maxsize

    def __call__(self, value: Any) -> Reading:
        """Read a text; None, with a note, for what has no obvious text."""
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
        """Return the text that a value holds; None, and why, where it holds none."""
        text = text_of(unwrap_single(value))
        if text is None:
            return None, (left_out(value, "a text is expected"),)
        if says_nothing(text):
            return None, (left_out(value, "it is blank or a placeholder"),)
        return text, NO_NOTES

    def _cut(self, text: str, value: Any) -> tuple[str, Notes]:
        """Cut what is too long."""
        if len(text) > self._max_length:
            return text[: self._max_length], (f": {kind(value)} cut to {self._max_length} characters",)
        return text, NO_NOTES


read_text: Reader = TextReader()


class _AddressReader(TextReader):
    """Reads a URL of the web: a text, never a number."""

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
    """Read true and false in the spellings of `app.core.values.placeholders`; anything else is nothing."""
    flag = read_flag(value)
    return flag, (left_out(value, "true or false is expected"),) if flag is None else about_flag(value, flag)


def about_flag(value: Any, flag: bool) -> Notes:  # noqa: FBT001 - the value itself
    """Return what a word was read as; that 1 and "true" are true needs no saying, Segment reads them so too."""
    word = unwrap_single(value)
    is_word = type(word) is str and word not in ("true", "false")
    return (f": {kind(value)} read as {str(flag).lower()}",) if is_word else NO_NOTES


class ChoiceReader:
    """Reads one of `choices`, in any case; `also` names other spellings in use."""

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
    """Say where the value was found, behind the member that the problem is about: `[0].item_price (place): ...`."""
    member, mark, told = problem.partition(":")
    return f"{member} ({place}){mark}{told}"


def usable_candidate(candidates: Iterator[Candidate], read: Reader, problems: Notes) -> Reading:
    """Read the candidates of a field, the first that `read` takes wins; each refused one leaves its notes.

    `problems`: the notes on the first, which stand where there are no others.
    """
    notes: list[str] = []
    for candidate in candidates:
        value, problems = read(candidate.value)
        notes += [_placed(problem, candidate.place) for problem in problems]
        if value is not None:
            return value, tuple(notes)
    return None, tuple(notes) or problems
