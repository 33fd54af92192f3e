"""What is wrong with a file by its model, in words for whoever writes it."""

import re
from typing import Final

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
    "string_pattern_mismatch": "is not of the form {pattern}",
}
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
        return f"there is no such key{nearest(name, kind.model_fields)}"
    if known := _WORDS.get(fault["type"]):
        words = known.format_map(fault.get("ctx", {}))
    else:
        words = _ITS_OWN.sub("should ", fault["msg"]).removeprefix("Value error, ")
    about = kind.model_fields[name].description if name in kind.model_fields else None
    return f"{words}: {about}" if about else words
