"""Fuzz mappings: every JSON compiles or is refused by MappingError, and no event makes a mapping raise anything else.

By hand, until it finds something or is stopped:  python tests/fuzz/fuzz_mapping.py
Bounded, as the tests do:                         python tests/fuzz/fuzz_mapping.py -runs=5000
"""

import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["app.mapping"]):
    from app.errors import MappingError
    from app.mapping import compile_mapping
    from app.mapping.directives import DIRECTIVES

MAX_LEVELS = 5

#: The options of directives that take an object; words in a list are drawn from it, None is any value.
SHAPES: dict[str, dict[str, Any]] = {
    "@if": {"exists": None, "blank": None, "then": None, "else": None},
    "@ifAllowed": {"value": None, "then": None, "else": None},
    "@ifEquals": {"value": None, "equals": ["a", 1, True], "then": None, "else": None},
    "@case": {"operator": ["upper", "lower"], "value": None},
    "@replace": {
        "value": None,
        "pattern": ["a", "$"],
        "replacement": ["$&$`", "b"],
        "pattern2": ["b"],
        "global": [True],
    },
    "@merge": {"direction": ["left", "right"], "objects": None},
    "@transform": {"apply": None, "mapping": None},
    "@flatten": {"value": None, "separator": [".", "a"], "omitArrays": None},
    "@json": {"mode": ["encode", "decode"], "value": None},
    "@queryParameter": {"url": None, "name": ["a", "b"]},
}
KEYS = ("a", "b", "l", "a.b", "_metadata", "0")
PATHS = (
    *("$.", "$", "a", "$.a.b", "l[0]", "l[*].a", "l[-1]", '$["a.b"]', "$..a", "l[?(@.a > 1)].b", "a.length", "l[0:1]"),
    *("l[?(@.a =~ '(a+)+$')]", "$..*..*", "l[", "$[?(@.a == $.b)]", "a.`sub(/a/, b)`", "l.*", "a|b", "a+b", "[*][*]"),
)
TEXTS = (
    *("{{a}} {{{b}}}", "{{ a | replace: 'a', b | upcase }}", "{% if a > 1 %}x{% endif %}", "a", "{{b}}"),
    *("?a=%ZZ&b=+", "1,299.00", "{% assign a = a | append: a %}{{ a | json | json }}", "1e999"),
    *("{{ (1..99999999) | join }}", "{{ a | date: '%99999Y' }}", "{% for i in a %}{% endfor %}", '{"a":[1]}'),
)


def _scalar(data: Any) -> Any:
    kinds = [
        lambda: data.PickValueInList(list(PATHS)),
        lambda: data.PickValueInList(list(TEXTS)),
        lambda: data.ConsumeUnicodeNoSurrogates(12),
        lambda: data.ConsumeInt(8),
        data.ConsumeFloat,
        data.ConsumeBool,
        lambda: None,
    ]
    return data.PickValueInList(kinds)()


def _value(data: Any, level: int = 0) -> Any:
    """Draw any JSON, directives among it."""
    kinds = [_directive, _directive, _list, _object, _path, _text]
    if level == MAX_LEVELS:
        return _scalar(data)
    return data.PickValueInList(kinds)(data, level + 1)


def _list(data: Any, level: int) -> list[Any]:
    return [_value(data, level) for _ in range(data.ConsumeIntInRange(0, 3))]


def _object(data: Any, level: int) -> dict[str, Any]:
    return {data.PickValueInList(list(KEYS)): _value(data, level) for _ in range(data.ConsumeIntInRange(0, 3))}


def _path(data: Any, level: int) -> dict[str, Any]:
    path = data.PickValueInList(list(PATHS))
    return {"@path": path} if data.ConsumeBool() else {"@arrayPath": [path, _object(data, level)]}


def _text(data: Any, _level: int) -> dict[str, Any]:
    return {data.PickValueInList(["@liquid", "@template"]): data.PickValueInList(list(TEXTS))}


def _directive(data: Any, level: int) -> dict[str, Any]:
    name = data.PickValueInList(list(DIRECTIVES))
    shape = SHAPES.get(name)
    if shape is None:
        return {name: _value(data, level)}
    drawn = {key: data.PickValueInList(words) if words else _value(data, level) for key, words in shape.items()}
    if data.ConsumeIntInRange(0, 9) == 0:
        drawn.pop(data.PickValueInList(list(drawn)))
    return {name: drawn}


def _deep(data: Any) -> dict[str, Any]:
    """Draw an event, sometimes one that is nested too deeply to be walked."""
    event = {"a": _value(data), "b": _value(data), "l": [{"a": 2, "b": _value(data)}, {"a": None}], "a.b": "x"}
    for _ in range(data.PickValueInList([0, 0, 0, 5_000])):
        event = {"a": event, "l": [{"a": 1}]}
    return event


def check(data_bytes: bytes) -> None:
    """Fail where anything but MappingError is raised, or where the explanation contradicts the result."""
    data = atheris.FuzzedDataProvider(data_bytes)
    try:
        mapping = compile_mapping({"out": _value(data)})
    except MappingError as error:
        if not all(fault.message for fault in error.faults):
            raise AssertionError("a fault has no message") from error
        return
    event = _deep(data)
    try:
        resolved = mapping.resolve(event)
        explained = mapping.explain(event)
    except MappingError:
        return
    for explanation in explained:
        if explanation.path == "out" and not _same(explanation.value, resolved["out"]):
            raise AssertionError("explained otherwise than resolved")


def _same(left: Any, right: Any) -> bool:
    """Return whether two values are the same, their types, NaN and the order of names included.

    What both took from the event is one object, which is not looked into: it may be deep, and there often.
    """
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if one is other:
            continue
        if type(one) is not type(other):
            return False
        if isinstance(one, dict):
            if list(one) != list(other):
                return False
            pairs += zip(one.values(), other.values(), strict=True)
        elif isinstance(one, list):
            if len(one) != len(other):
                return False
            pairs += zip(one, other, strict=True)
        elif repr(one) != repr(other):
            return False
    return True


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
