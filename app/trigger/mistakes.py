"""What is said about a mistake: a sentence with its remedy. Nothing here decides whether something is one."""

import difflib

from app.trigger.syntax import Readable

#: Of a piece of the trigger that is repeated in a message.
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
    "\\": "outside quotes a backslash stands only before [ and ]",
    "\ufeff": "it is a byte order mark and cannot be seen: remove it",
    **dict.fromkeys(
        "`\u201c\u201d\u201e\u201f\u00ab\u00bb\u2018\u2019\u201a\u201b", 'text is put in straight quotes: "..."'
    ),
}


def quote(written: str) -> str:
    """Return a piece of the trigger, shortened, with what cannot be seen made visible."""
    if len(written) > _MAX_QUOTE_CHARACTERS:
        written = written[: _MAX_QUOTE_CHARACTERS - 3] + "..."
    return f"`{''.join(c if c.isprintable() else ascii(c)[1:-1] for c in written)}`"


def did_you_mean(word: str, *known: str) -> str:
    """Return " Did you mean ...?" where `word` is nearly one of `known`, else "" ."""
    by_lower_case = {name.lower().replace("_", ""): name for name in known}
    near = difflib.get_close_matches(word.lower().replace("_", ""), by_lower_case, n=1)
    return f" Did you mean {by_lower_case[near[0]]}?" if near else ""


def instead_of(operator: str) -> str:
    """Return what to write instead of a run of signs that is no operator."""
    if operator in _INSTEAD:
        return f"{quote(operator)} is not an operator: use {_INSTEAD[operator]}."
    if set(operator) == {"!"}:
        return "a negation stands once: write one !."
    return f"{quote(operator)} is not an operator: use = != < <= > or >=."


def stray_character(character: str) -> str:
    """Return what to do about a character that begins no token."""
    remedy = _STRAY.get(character)
    return f"{quote(character)} cannot stand here" + (
        f": {remedy}." if remedy else "; if it is text, put it in quotes."
    )


def unknown_field(word: str, fields: Readable) -> str:
    """Say that there is no such field, and which fields there are."""
    return (
        f"there is no field {quote(word)}.{did_you_mean(word, *fields.flat, *fields.nested)} "
        f"The fields are {', '.join(fields.flat)}, and {', '.join(f'{root}.key' for root in fields.nested)}."
    )


def unquoted(word: str) -> str:
    """Say that text is quoted, and how this one would look."""
    return f'text is quoted: write "{quote(word)[1:-1]}".{did_you_mean(word, "true", "false", "null")}'
