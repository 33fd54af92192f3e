"""Rules of JSON Schema that name the nearest known word for a misspelt key or value."""

import re
from collections.abc import Iterable
from typing import Any, Final

#: Boundaries of parts of a word: underscores, and between a lower-case and an upper-case letter.
_PARTS: Final = re.compile(r"_|(?<=[a-z])(?=[A-Z])")


def near_words(words: Iterable[str]) -> dict[str, Any]:
    """Return a schema that rejects a text with a small mistake in any of these words, and suggests the word.

    `errorMessage` is an extension of the schema language that Visual Studio Code and yaml-language-server read. Other
    validators report the word as the allowed value.
    """
    known = tuple(words)
    return {"allOf": [_rule(word, known) for word in known]}


def _rule(word: str, known: tuple[str, ...]) -> dict[str, Any]:
    pattern = f"^(?:{_edited(word)}|{_written_otherwise(word)})$"
    others = [each for each in known if each != word and re.search(pattern, each)]
    return {
        "if": {"type": "string", "pattern": pattern},
        "then": {"enum": [word, *others], "errorMessage": f"Did you mean `{word}`?"},
    }


def _edited(word: str) -> str:
    """Return a pattern of texts within an edit distance of 1: a letter added, missing or changed, or two swapped."""
    if not word:
        return ".?"
    first, second, rest = word[0], word[1:2], word[2:]
    changed = f".?{first}?{second}"
    return f"{first}(?:{_edited(word[1:])})|" + (f"(?:{changed}|{second}{first}){rest}" if second else changed)


def _written_otherwise(word: str) -> str:
    """Return a pattern of a word in camelCase, PascalCase, snake_case, kebab-case and with blanks."""
    sign, parts = word[: word.startswith("@")], _PARTS.split(word.removeprefix("@"))
    return f"{sign}?" * bool(sign) + "[_ -]?".join(
        f"[{part[:1].lower()}{part[:1].upper()}]{part[1:]}" for part in parts if part
    )
