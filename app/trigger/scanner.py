"""Messages about mistakes, each with a remedy. The parser detects the mistakes."""

import difflib
import re
import sys
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from app.errors import TriggerError
from app.trigger.syntax import PathStep, Readable

#: Maximum length of a quoted part of the trigger in a message.
_MAX_QUOTE_CHARACTERS = 40
_INSTEAD = {
    "==": "=",
    "===": "=",
    "!==": "!=",
    "=!": "!=",
    "<>": "!=",
    "~": 'match(field, "...*")',
    "=~": 'match(field, "...*")',
    "=>": ">=",
    "=<": "<=",
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
}
_STRAY = {
    ".": "a number has a digit before its dot (0.5), and a field begins with its name",
    "[": "a list is no value: join comparisons with or",
    "\\": "outside quotes a backslash is allowed only before [ and ]",
    "\ufeff": "it is a byte order mark and cannot be seen: remove it",
    **dict.fromkeys(
        "`\u201c\u201d\u201e\u201f\u00ab\u00bb\u2018\u2019\u201a\u201b", 'text is put in straight quotes: "..."'
    ),
}


def quote(written: str) -> str:
    """Return a part of the trigger, shortened, with visible escapes for invisible characters."""
    if len(written) > _MAX_QUOTE_CHARACTERS:
        written = written[: _MAX_QUOTE_CHARACTERS - 3] + "..."
    return f"`{''.join(c if c.isprintable() else ascii(c)[1:-1] for c in written)}`"


def did_you_mean(word: str, *known: str) -> str:
    """Return " Did you mean ...?" if `word` is similar to a word of `known`; otherwise ""."""
    by_lower_case = {name.lower().replace("_", ""): name for name in known}
    near = difflib.get_close_matches(word.lower().replace("_", ""), by_lower_case, n=1)
    return f" Did you mean {by_lower_case[near[0]]}?" if near else ""


def instead_of(operator: str) -> str:
    """Return the valid operator for an invalid run of signs."""
    if operator in _INSTEAD:
        return f"{quote(operator)} is not an operator: use {_INSTEAD[operator]}."
    if set(operator) == {"!"}:
        return "two negations in a row: write one !."
    return f"{quote(operator)} is not an operator: use = != < <= > or >=."


def stray_character(character: str) -> str:
    """Return the remedy for a character that cannot start a token."""
    remedy = _STRAY.get(character)
    return f"{quote(character)} is not allowed here" + (
        f": {remedy}." if remedy else "; if it is text, put it in quotes."
    )


def unknown_field(word: str, fields: Readable) -> str:
    """Return the message for an unknown field, with the list of fields."""
    return (
        f"there is no field {quote(word)}.{did_you_mean(word, *fields.flat, *fields.nested)} "
        f"The fields are {', '.join(fields.flat)}, and {', '.join(f'{root}.key' for root in fields.nested)}."
    )


def unquoted(word: str) -> str:
    """Return the message for an unquoted text, with the quoted text."""
    return f'text is quoted: write "{quote(word)[1:-1]}".{did_you_mean(word, "true", "false", "null")}'


#: Unicode's property White_Space, which is neither Python's `\s` nor JavaScript's.
#: https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt
_WHITE_SPACE = re.compile(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*+")
_NUMBER = re.compile(r"[+-]?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_OPERATOR = re.compile(r"[=!<>&|~]++")
_OPERATORS = frozenset({"=", "!=", "<", "<=", ">", ">=", "!"})
_QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL), "'": re.compile(r"'(?:[^'\\]|\\.)*+'", re.DOTALL)}
_ESCAPE = re.compile(r"\\([\"'\\])")
_BRACKETS = re.compile(r'\\?\[(?:(?P<index>[0-9]++)|"(?P<key>[^"]++)")\\?\]')
#: Maximum number of digits of an index. The index fits a machine word, and no list is longer.
_INDEX_DIGITS = 18


class Kind(StrEnum):
    """The kind of a token. Parentheses, commas and operators are marks: `text` distinguishes them."""

    MARK = "mark"
    TEXT = "text"
    NUMBER = "number"
    #: A field, with its path; a function; `and`, `or`, `not`, `true`, `false`, `null`.
    WORD = "word"
    END = "the end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token of a trigger, with its position."""

    kind: Kind
    #: The token as written.
    text: str
    #: Of the first character, counted from 1.
    column: int
    #: The text inside the quotes without escapes; a number as an IEEE double; the first word of a field.
    value: str | float = ""
    #: The rest of a field after its first word.
    path: tuple[PathStep, ...] = ()

    @property
    def end(self) -> int:
        """Return the offset of the first character after the token, counted from 0."""
        return self.column - 1 + len(self.text)

    def is_word(self, *words: str) -> bool:
        return self.kind is Kind.WORD and not self.path and self.text.lower() in words


def double_of(text: str) -> float | None:
    """Return the IEEE double in a text, by the number syntax of triggers; otherwise `None`."""
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
    """Return whether a key may contain a character: letters (with combining marks of scripts), digits, _ $ -."""
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
    """Read a word; if the word is a field, also its path."""
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
    """Return the position. A number with too many digits becomes an index outside of every list."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _INDEX_DIGITS else sys.maxsize


def _refuse_key(text: str, at: int) -> NoReturn:
    found = quote(text[at]) if at < len(text) else "the end of the trigger"
    raise TriggerError(
        f"a key must follow the dot, not {found}; "
        'a key with blanks, dots or signs in it is written in brackets: properties["unit price"].',
        at + 1,
    )
