"""Cut the text of a trigger into tokens.

One token is cut at a time, when the parser asks for it, so that the leftmost mistake is the one reported.
No step looks back: the work grows with the length of the text and no faster.
"""

import re
import sys
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from app.errors import TriggerError
from app.trigger.mistakes import instead_of, quote, stray_character
from app.trigger.syntax import PathStep

#: Unicode's property White_Space, which is neither Python's `\s` nor JavaScript's.
#: https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt
_WHITE_SPACE = re.compile(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*+")
_NUMBER = re.compile(r"[+-]?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_OPERATOR = re.compile(r"[=!<>&|~]++")
_OPERATORS = frozenset({"=", "!=", "<", "<=", ">", ">=", "!"})
_QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL), "'": re.compile(r"'(?:[^'\\]|\\.)*+'", re.DOTALL)}
_ESCAPE = re.compile(r"\\([\"'\\])")
_BRACKETS = re.compile(r'\\?\[(?:(?P<index>[0-9]++)|"(?P<key>[^"]++)")\\?\]')
#: Digits of an index that fits a machine word; no list is longer.
_INDEX_DIGITS = 18


class Kind(StrEnum):
    """What a token is. Parentheses, commas and operators are marks: their `text` says which."""

    MARK = "mark"
    TEXT = "text"
    NUMBER = "number"
    #: A field, with its path; a function; `and`, `or`, `not`, `true`, `false`, `null`.
    WORD = "word"
    END = "the end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token of a trigger, and where it stands."""

    kind: Kind
    #: As written.
    text: str
    #: Of its first character, counted from 1.
    column: int
    #: What stands inside the quotes, escapes read; a number as an IEEE double; the first word of a field.
    value: str | float = ""
    #: What follows the first word of a field.
    path: tuple[PathStep, ...] = ()

    @property
    def end(self) -> int:
        """The offset of the first character after it, counted from 0."""
        return self.column - 1 + len(self.text)

    def is_word(self, *words: str) -> bool:
        """Return whether it is one of these lower-case words, written in any case."""
        return self.kind is Kind.WORD and not self.path and self.text.lower() in words


def double_of(text: str) -> float | None:
    """Return the IEEE double that `text` writes in the language's way, None where it is not a number."""
    return float(text) if _NUMBER.fullmatch(text) else None


def next_token(text: str, offset: int) -> Token:
    """Return the first token at or after `offset`."""
    at = _end_of(_WHITE_SPACE, text, offset)
    if at == len(text):
        return Token(kind=Kind.END, text="", column=at + 1)
    first = text[at]
    if first in "(),":
        return Token(kind=Kind.MARK, text=first, column=at + 1)
    if first in _QUOTED:
        return _quoted(text, at)
    if first in "+-0123456789":
        return _number(text, at)
    if _in_key(first):
        return _word(text, at)
    return _operator(text, at)


def _end_of(pattern: re.Pattern[str], text: str, offset: int) -> int:
    found = pattern.match(text, offset)
    return found.end() if found else offset


def _in_key(character: str) -> bool:
    """Return whether a key may hold it: letters (with the marks that many scripts write them with), digits, _ $ -."""
    return character.isalnum() or character in "_$-" or unicodedata.category(character).startswith("M")


def _end_of_key(text: str, offset: int) -> int:
    while offset < len(text) and _in_key(text[offset]):
        offset += 1
    return offset


def _quoted(text: str, at: int) -> Token:
    found = _QUOTED[text[at]].match(text, at)
    if found is None:
        raise TriggerError(f"this text is never closed: end it with {text[at]}.", at + 1)
    value = _ESCAPE.sub(r"\1", found[0][1:-1])
    return Token(kind=Kind.TEXT, text=found[0], column=at + 1, value=value)


def _number(text: str, at: int) -> Token:
    end = _end_of(_NUMBER, text, at)
    rest = end
    while rest < len(text) and (_in_key(text[rest]) or text[rest] in "+."):
        rest += 1
    if end == at or rest > end:
        written = text[at:rest]
        raise TriggerError(
            f"{quote(written)} is not a number such as 5, -0.5 or 1e3; if it is text, put it in quotes.", at + 1
        )
    return Token(kind=Kind.NUMBER, text=text[at:end], column=at + 1, value=float(text[at:end]))


def _operator(text: str, at: int) -> Token:
    written = text[at : _end_of(_OPERATOR, text, at)]
    if written in _OPERATORS:
        return Token(kind=Kind.MARK, text=written, column=at + 1)
    if written:
        raise TriggerError(instead_of(written), at + 1)
    raise TriggerError(stray_character(text[at]), at + 1)


def _word(text: str, at: int) -> Token:
    """Cut a word, with the path that follows it where it is a field."""
    end = _end_of_key(text, at)
    word, path = text[at:end], []
    while text.startswith((".", "[", "\\["), end):
        step, end = _key_step(text, end) if text[end] == "." else _bracket_step(text, end)
        path.append(step)
    return Token(kind=Kind.WORD, text=text[at:end], column=at + 1, value=word, path=tuple(path))


def _key_step(text: str, at: int) -> tuple[PathStep, int]:
    end = _end_of_key(text, at + 1)
    key = text[at + 1 : end]
    if not key:
        _refuse_key(text, at + 1)
    is_index = key.isascii() and key.isdigit()
    return PathStep(key=key, index=_index(key) if is_index else None), end


def _bracket_step(text: str, at: int) -> tuple[PathStep, int]:
    found = _BRACKETS.match(text, at)
    if found is None:
        raise TriggerError('brackets hold a position or a key in double quotes: [0] or ["unit price"].', at + 1)
    digits = found["index"]
    return PathStep(key=found["key"], index=None if digits is None else _index(digits)), found.end()


def _index(digits: str) -> int:
    """Return the position; more digits than a list has elements give one that is in no list."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _INDEX_DIGITS else sys.maxsize


def _refuse_key(text: str, at: int) -> NoReturn:
    found = quote(text[at]) if at < len(text) else "the end of the trigger"
    raise TriggerError(
        f"a key must follow the dot, not {found}; "
        'a key with blanks, dots or signs in it is written in brackets: properties["unit price"].',
        at + 1,
    )
