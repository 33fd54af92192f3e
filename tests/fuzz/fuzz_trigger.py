"""Fuzz the trigger language: every text compiles or is refused by TriggerError, and no event makes a trigger raise.

By hand, until it finds something or is stopped:  python tests/fuzz/fuzz_trigger.py
Bounded, as the tests do:                         python tests/fuzz/fuzz_trigger.py -runs=20000
"""

import json
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["app.trigger"]):
    from app.errors import TriggerError
    from app.trigger import compile_trigger

#: The pieces that bytes are turned into, so that many inputs are nearly triggers.
PIECES = (
    *("type", "event", "name", "userId", "properties", "traits", "context", "integrations", "contains", "match"),
    *("and", "or", "not", "true", "false", "null", "=", "!=", "<", "<=", ">", ">=", "!", "(", ")", ",", " ", "\n"),
    *(".", ".a", ".0", "[0]", "\\[1\\]", '["a b"]', '"', "'", "\\", '"a*"', "5", "-0.5", "1e9", "e", "\u3000"),
)


def _text(data: Any) -> str:
    """Draw a trigger: any text, or pieces of the language."""
    if data.ConsumeBool():
        return str(data.ConsumeUnicode(data.ConsumeIntInRange(0, 200)))
    return "".join(data.PickValueInList(list(PIECES)) for _ in range(data.ConsumeIntInRange(0, 60)))


def _event(data: Any) -> dict[str, Any]:
    """Draw an event: the JSON object that the next bytes are, else one value under every name of the language."""
    try:
        value = json.loads(data.ConsumeUnicodeNoSurrogates(400))
    except (ValueError, RecursionError):
        value = data.PickValueInList([None, True, 0, 10**400, "a", ["a", [1]], {"a": {"a b": "5"}, "0": [None]}])
    return value if isinstance(value, dict) else dict.fromkeys(PIECES[:8], value)


def check(data_bytes: bytes) -> None:
    """Fail where anything but TriggerError is raised, or where the explanation contradicts the answer."""
    data = atheris.FuzzedDataProvider(data_bytes)
    text = _text(data)
    try:
        trigger = compile_trigger(text)
    except TriggerError as error:
        if not 1 <= error.column <= len(text) + 1:
            raise AssertionError(f"column {error.column} is outside {text!r}") from error
        return
    event = _event(data)
    if trigger.explain(event).held is not trigger.matches(event):
        raise AssertionError(f"{text!r} explains otherwise than it answers")


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
