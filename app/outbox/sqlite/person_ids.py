"""Under which number what is remembered of an id is kept."""

from collections.abc import Collection
from hashlib import blake2b

#: Of a key, which is hex: 60 bits, which SQLite's numbers have room for.
_DIGITS = 15
_BYTES = 7


def person_id(key: str | None) -> int | None:
    """Return the number of a key of an id, None of None."""
    return None if key is None else number_of(key)


def numbers_of(keys: Collection[str]) -> set[int]:
    """Return the numbers of some keys."""
    try:
        return {int(key[:_DIGITS], 16) for key in keys}  # a call for each takes twice as long
    except ValueError:
        return {number_of(key) for key in keys}


def number_of(key: str) -> int:
    """Return the number of a key: what it begins with; of "", a number before all others.

    Two keys of a million have the same number once in two million times; the statements look at the key besides.
    """
    if not key:
        return -1
    try:
        return int(key[:_DIGITS], 16)
    except ValueError:  # it is none of ours: a damaged file holds what it likes
        return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=_BYTES).digest())
