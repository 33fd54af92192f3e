"""What is wrong with a file by its model, in words for whoever writes it."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from app.catalog.fields import nearest

#: By pydantic's name of what is wrong; of all others its own words are shown.
_WORDS: Final = {
    "missing": "is missing",
    "bool_type": "should be true or false, without quotes",
    "string_type": "should be a text: put it in quotes",
    "int_type": "should be a whole number, without quotes",
    "float_type": "should be a number, without quotes",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
    "dict_type": "should be keys with their values, such as `name: Order`",
    "model_type": "should be keys with their values, such as `name: Order`",
    "too_short": "should have at least {min_length}, not {actual_length}",
    "too_long": "should have at most {max_length}, not {actual_length}",
    "string_pattern_mismatch": "is not of the form {pattern}",
    "union_tag_invalid": "{discriminator} should be one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing",
}
#: What a key of a file looks like, and no name of a class.
_KEY: Final = re.compile(r"[a-z0-9_]+")
_ITS_OWN: Final = re.compile(r"^(?:Input|String|List|Tuple|Dictionary) should ")


def in_words(fault: ErrorDetails, kind: type[BaseModel]) -> str:
    """Return what is wrong and what helps; of a key of the file itself also what it is for.

    >>> from pydantic import Field, ValidationError, create_model
    >>> hold = Field(pattern="m$", description="such as 30m")
    >>> model = create_model("M", hold=(str, hold), __config__={"extra": "forbid"})
    >>> def told(**given):
    ...     try:
    ...         model(**given)
    ...     except ValidationError as exc:
    ...         return [in_words(fault, model) for fault in exc.errors()]
    >>> told(hold="1h"), told(hold="1m", hodl=1)
    (['is not of the form m$: such as 30m'], ["there is no such key: did you mean 'hold'?"])
    """
    name = str(fault["loc"][0]) if len(fault["loc"]) == 1 else ""
    if fault["type"] == "extra_forbidden":
        keys = kind.model_fields if name else _names_within(kind)
        return f"there is no such key{nearest(str(fault['loc'][-1]), keys)}"
    if known := _WORDS.get(fault["type"]):
        words = known.format_map(fault.get("ctx", {}))
    else:
        words = _ITS_OWN.sub("should ", fault["msg"]).removeprefix("Value error, ")
    about = kind.model_fields[name].description if name in kind.model_fields else None
    return f"{words}: {about}" if about else words


@cache
def _names_within(kind: type[BaseModel]) -> frozenset[str]:
    """Return the keys of all objects that stand within a file."""
    objects = kind.model_json_schema().get("$defs", {}).values()
    return frozenset(name for each in objects for name in each.get("properties", ()))


def place(steps: Sequence[int | str], value: Any) -> str:
    """Return where in a file's value a fault stands, as a pointer.

    Steps of the model alone are left out: the tag by which it chose among proofs, and names of its own.

    >>> proof = {"kind": "header", "header": "X-Key", "secret": 5}
    >>> place(("proofs", 0, "header", "secret", "SecretFrom"), {"proofs": [proof]}), place(("name",), {}), place((), 1)
    ('/proofs/0/secret', '/name', '')
    """
    pointer = ""
    for number, step in enumerate(steps, 1):
        if not (isinstance(value, dict) or (isinstance(value, list) and isinstance(step, int))):
            continue
        inner = value.get(step) if isinstance(value, dict) else value[step]  # type: ignore[index] # a number, by the above
        is_tag = number < len(steps) and _KEY.fullmatch(str(steps[number])) and not isinstance(inner, dict | list)
        if not is_tag:
            pointer, value = f"{pointer}/{step}", inner
    return pointer


def no_bare_secret(value: Any) -> Any:
    """Return what stands in the place of a secret. Raises ValueError where it is the secret itself."""
    if isinstance(value, str) or (isinstance(value, list) and any(isinstance(each, str) for each in value)):
        raise ValueError("no secret stands in a file: say where it is, by {env: NAME} or {file: PATH}")
    return value
