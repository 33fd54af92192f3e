"""Texts of warnings. They never contain a value that could identify a person."""

import re
from collections.abc import Iterable
from typing import Any

from app.core.values.candidates import PassedOver
from app.core.values.hidden_emails import MAX_ID_BYTES, holds_email, is_long
from app.core.values.texts import count_of

#: Short, without an e-mail address in any encoding, and with too few digits for a phone number.
_MAX_SHOWN = 24
_MAX_DIGITS = 6
#: Letters beside a number: `USD`, `kr`, `k`. More letters may be a word or a name.
_MAX_LETTERS = 3
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")
_MAX_NAMES = 5


def kind(value: Any) -> str:
    """Return the type and length of a value without its content: `a text of 12 characters`."""
    match value:
        case bool():
            return "a true/false"
        case int() | float():
            return "a number"
        case str():
            return f"a text of {count_of(len(value), 'character')}"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {count_of(len(value), 'member')}"
    return "nothing"


def shown(value: Any) -> str:
    """Return a word or number that is usually not personal; its type and length if it might be."""
    if isinstance(value, dict | list) or value is None:
        return kind(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > _MAX_SHOWN or sum(map(str.isdigit, text)) > _MAX_DIGITS or not text.isprintable():
        return kind(value)
    if "@" in text or holds_email(text):
        return kind(value)
    return f'"{text}"' if isinstance(value, str) else text


def shown_number(value: Any) -> str:
    """Return the value of a field for numbers; its type and length if it may be a word or a name."""
    if isinstance(value, str) and not (any(map(str.isdigit, value)) and sum(map(str.isalpha, value)) <= _MAX_LETTERS):
        return kind(value)
    return shown(value)


def left_out(value: Any, why: str) -> str:
    """Return the note that a value is not sent."""
    return f": {kind(value)} left out, {why}"


def hashed_id(given: str) -> str:
    """Return the note that the digest of an id is sent, and why (see `app.core.values.hidden_emails`)."""
    why = f"has more than {MAX_ID_BYTES} bytes" if is_long(given) else "holds an e-mail address"
    return f": {kind(given)} {why}, its SHA-256 is sent"


def passed_over(values: Iterable[PassedOver]) -> Iterable[str]:
    """Return a warning for each value that the mapping skipped, without duplicates."""
    return dict.fromkeys(f"{one.field} ({one.place}){left_out(one.value, one.why)}" for one in values)


def unknown_members(names: Iterable[object]) -> str:
    """Return the note that unknown members are not sent. A name that could be personal is not shown."""
    known = list(names)
    plain = [str(name) if _PLAIN_NAME.fullmatch(str(name)) else "(a name not shown)" for name in known[:_MAX_NAMES]]
    more = f" and {len(known) - _MAX_NAMES} more" if len(known) > _MAX_NAMES else ""
    return f": {', '.join(plain)}{more} left out, Pinterest does not know it"
