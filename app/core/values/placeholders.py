"""Rules for empty values, missing ids and flags, shared by source, mapping and destination."""

from math import isfinite
from typing import Any

#: Texts that programs write for a missing value, in lower case; compared without case.
PLACEHOLDERS = frozenset({"null", "undefined", "none", "nan", "n/a", "(not set)"})
_MAX_LENGTH = max(map(len, PLACEHOLDERS))
#: Additional texts that programs write for a missing id, in lower case.
_NO_IDS = PLACEHOLDERS | {"0", "-", "pending", "unknown"}
#: First characters of empty texts. A comparison of one character decides for nearly every text and is faster than a
#: call.
FIRST_CHARACTERS = frozenset(
    c for c in map(chr, range(0x3001)) if c.isspace() or c.lower() in {w[0] for w in PLACEHOLDERS}
)
_FIRST_OF_NO_IDS = FIRST_CHARACTERS | {first for word in _NO_IDS for first in (word[0], word[0].upper())}
#: First characters of texts that may be invalid addresses; see `FIRST_CHARACTERS`.
FIRST_OF_NO_ADDRESSES = _FIRST_OF_NO_IDS | {"{", "["}


def says_nothing(value: Any) -> bool:
    """Return whether a JSON value is null, an empty or blank text, a placeholder, or an empty object or list.

    An object or list that contains only such values is empty too. False and 0 are not empty.

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
    """Return whether a JSON value is not empty: see `says_nothing`."""
    return not says_nothing(value)


def says_a_text(value: Any) -> bool:
    """Return whether a value is a number or a text that is not empty."""
    if type(value) is str:
        return not says_nothing(value)
    return type(value) is int or (type(value) is float and isfinite(value))


def is_no_id(text: str) -> bool:
    """Return whether a text in the place of an id is not an id.

    The rule is the same for events, orders, checkouts and people.

    >>> is_no_id(" Pending "), is_no_id("{{ order.id }}"), is_no_id("0"), is_no_id("00")
    (True, True, True, False)
    """
    if text and text[0] not in _FIRST_OF_NO_IDS and "{" not in text and "[" not in text:  # nearly every id
        return False
    word = text.strip().lower()
    # Unfilled templates, and objects that were converted to text, are not ids.
    return not word or word in _NO_IDS or "{{" in word or "[object" in word


def is_id(value: Any) -> bool:
    """Return whether a value of any type is an id: a text that is no placeholder, or an integer other than 0."""
    return not is_no_id(value) if type(value) is str else type(value) is int and value != 0


def is_no_address(text: str) -> bool:
    """Return whether a text in the place of an address is not an address. A template inside the address is accepted.

    >>> is_no_address(" {{ page.url }}"), is_no_address("-"), is_no_address("pinshop.example/?utm={{utm}}")
    (True, True, False)
    """
    given = text.strip().lower()
    return not given or given in _NO_IDS or given.startswith(("{{", "[object"))


_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def unwrap_single(value: Any) -> Any:
    """Unwrap lists with a single item, as Segment does: `[20]` is 20."""
    while type(value) is list and len(value) == 1:
        value = value[0]
    return value


def read_flag(value: Any) -> bool | None:
    """Read true, 1, "true", "1", "yes", and their opposites, in any case; otherwise `None`.

    A list with a single item is its item. For privacy flags the caller must treat `None` as the careful value, and not
    as "not given".

    >>> read_flag("Yes"), read_flag(0), read_flag([True]), read_flag("authorized"), read_flag([])
    (True, False, True, None, None)
    """
    value = unwrap_single(value)
    if type(value) is str:
        return _WORDS.get(value.strip().lower())
    return bool(value) if type(value) in (bool, int, float) and value in (0, 1) else None


def flag_is_given(value: Any) -> bool:
    """Return whether a privacy flag is given: only null, empty and blank texts are not.

    The caller must treat a given but unreadable value, such as a placeholder, as the careful value.

    >>> flag_is_given(" "), flag_is_given("undefined"), flag_is_given([])
    (False, True, True)
    """
    return value is not None and not (type(value) is str and not value.strip())


def flag_texts(value: Any) -> list[Any]:
    """Return the values of a privacy flag from several places, without null, empty and blank texts.

    A list with a single item is its item. An empty list is returned, because the flag is given and unreadable.

    >>> flag_texts([None, [False], " ", "undefined"]), flag_texts([]), flag_texts(None)
    ([False, 'undefined'], [[]], [])
    """
    if type(value) is not list or not value:
        return [value] if flag_is_given(value) else []
    given = []
    for item in value:
        if type(item) is list:
            given += flag_texts(item)
        elif flag_is_given(item):
            given.append(item)
    return given
