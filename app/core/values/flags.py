"""Yes or no, as sources write it: one rule for the mapping's questions and for what is sent."""

from typing import Any

_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def unwrap_single(value: Any) -> Any:
    """Take the one item out of a list of one, as Segment does: `[20]` is 20."""
    while type(value) is list and len(value) == 1:
        value = value[0]
    return value


def read_flag(value: Any) -> bool | None:
    """Read true, 1, "true", "1", "yes", and their opposites, in any case; None for all else.

    A list of one is its item, as everywhere. Where privacy hangs on it, None is for the caller to take as the careful
    side, and not as "not given".

    >>> read_flag("Yes"), read_flag(0), read_flag([True]), read_flag("authorized"), read_flag([])
    (True, False, True, None, None)
    """
    value = unwrap_single(value)
    if type(value) is str:
        return _WORDS.get(value.strip().lower())
    return bool(value) if type(value) in (bool, int, float) and value in (0, 1) else None


def flag_is_given(value: Any) -> bool:
    """Return whether a privacy flag says anything: only null, empty and blank texts do not.

    What is given and cannot be read, a placeholder too, is for the caller to take as the careful side.

    >>> flag_is_given(" "), flag_is_given("undefined"), flag_is_given([])
    (False, True, True)
    """
    return value is not None and not (type(value) is str and not value.strip())


def flag_texts(value: Any) -> list[Any]:
    """Return what each of several places says of a privacy flag, without null, empty and blank texts.

    A list of one is its item; one of nothing at all is returned, since it was given and cannot be read.

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
