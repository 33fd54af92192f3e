"""The states of the USA, and what else has a code of ISO 3166-2:US, by code or by full name."""

from functools import cache
from typing import Final

import pycountry

_US: Final = "US"
#: What people call it; the others are called as ISO calls them.
_CALLED: Final = {"washingtondc": "DC"}


def us_state_code(text: str) -> str:
    """Return the code of a state, `CA` of `ca`, `US-CA` or `California`. Raises ValueError for anything else."""
    code = _codes().get(_key(text))
    if code is None:
        message = f"{text!r} is no state of the USA: write its code or its full name, such as CA, US-CA or California"
        raise ValueError(message)
    return code


@cache
def _codes() -> dict[str, str]:
    codes = dict(_CALLED)
    for state in pycountry.subdivisions.get(country_code=_US):  # type: ignore[no-untyped-call]  # pycountry's gap
        code = state.code.partition("-")[2]
        codes |= dict.fromkeys(map(_key, (code, state.code, state.name)), code)
    return codes


def _key(text: str) -> str:
    """Reduce a text to what is compared: neither case nor blanks nor punctuation is."""
    return "".join(filter(str.isalnum, text.casefold()))
