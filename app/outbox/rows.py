"""How sets of rows travel to an SQL engine: as one JSON array, so that a thousand rows are one parameter."""

import re
from collections.abc import Sequence
from typing import Any

import orjson

#: Not where its backslash is itself one of a pair.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def as_json(rows: Sequence[Any]) -> str:
    """Return rows as a JSON array."""
    return orjson.dumps(rows).decode()


def kept(text: str) -> str:
    """Return a text as every engine can keep it: with U+FFFD in the place of each U+0000."""
    return text.replace("\0", "\ufffd")


def without_nul(text: str) -> str:
    """Return some JSON with U+FFFD in the place of each U+0000, which not every engine can keep."""
    return _NUL.sub(r"\1\\ufffd", text) if r"\u0000" in text else text
