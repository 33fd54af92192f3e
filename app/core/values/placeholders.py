"""What says nothing, wherever it stands: one rule for the source, the mapping and what is sent."""

from math import isfinite
from typing import Any

#: What programs write where they have nothing, in lower case; it stands in any.
PLACEHOLDERS = frozenset({"null", "undefined", "none", "nan", "n/a", "(not set)"})
_MAX_LENGTH = max(map(len, PLACEHOLDERS))
#: What stands where a program has no id, besides; in lower case.
_NO_IDS = PLACEHOLDERS | {"0", "-", "pending", "unknown"}
#: What a text that says nothing begins with. Looking at one character is enough for nearly every text, and quicker
#: than to call anything: where it counts, texts are passed by it and all others asked about.
FIRST_CHARACTERS = frozenset(
    c for c in map(chr, range(0x3001)) if c.isspace() or c.lower() in {w[0] for w in PLACEHOLDERS}
)
_FIRST_OF_NO_IDS = FIRST_CHARACTERS | {first for word in _NO_IDS for first in (word[0], word[0].upper())}
#: The first characters of texts that may stand for no address, as `FIRST_CHARACTERS`.
FIRST_OF_NO_ADDRESSES = _FIRST_OF_NO_IDS | {"{", "["}


def says_nothing(value: Any) -> bool:
    """Return whether a JSON value is null, an empty or blank text, a placeholder, or an empty object or list.

    An object or list of nothing but such values says nothing either. False and 0 say something.

    >>> says_nothing(" "), says_nothing("NaN"), says_nothing("Nancy"), says_nothing([None, "n/a"]), says_nothing(0)
    (True, True, False, True, False)
    """
    if type(value) is str:
        if value and value[0] not in FIRST_CHARACTERS:
            return False
        word = value.strip()
        return not word or (len(word) <= _MAX_LENGTH and word.lower() in PLACEHOLDERS)
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return value is None
    for item in value:
        if (type(item) is str and item and item[0] not in FIRST_CHARACTERS) or not says_nothing(item):
            return False
    return True


def says_something(value: Any) -> bool:
    """Return whether a JSON value says anything: see `says_nothing`."""
    return not says_nothing(value)


def says_a_text(value: Any) -> bool:
    """Return whether a value is a text or number that says something."""
    if type(value) is str:
        return not says_nothing(value)
    return type(value) is int or (type(value) is float and isfinite(value))


def is_no_id(text: str) -> bool:
    """Return whether a text in the place of an id is no id: one rule for ids of events, orders, checkouts and people.

    >>> is_no_id(" Pending "), is_no_id("{{ order.id }}"), is_no_id("0"), is_no_id("00")
    (True, True, True, False)
    """
    if text and text[0] not in _FIRST_OF_NO_IDS and "{" not in text and "[" not in text:  # nearly every id
        return False
    word = text.strip().lower()
    # templates that were not filled in, and objects that were written as text, are in none either
    return not word or word in _NO_IDS or "{{" in word or "[object" in word


def is_no_address(text: str) -> bool:
    """Return whether a text in the place of an address is no address; within one, a template may have been left open.

    >>> is_no_address(" {{ page.url }}"), is_no_address("-"), is_no_address("pinshop.example/?utm={{utm}}")
    (True, True, False)
    """
    given = text.strip().lower()
    return not given or given in _NO_IDS or given.startswith(("{{", "[object"))
