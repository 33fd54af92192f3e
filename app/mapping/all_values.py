"""`@all`: what several places say, together, for fields in which one of them must not hide another."""

from dataclasses import replace
from typing import Any

from app.mapping.compiler import Compiler, json_kind
from app.mapping.nodes import MISSING, Call, Node, Path

_MAX_OPTIONS = 50


def build_all(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@all`: the list of all values that are there and not null; nothing where none is."""
    if not isinstance(value, list):
        return compiler.fault(at, f"should be a list of values but it is {json_kind(value)}")
    if len(value) > _MAX_OPTIONS:
        return compiler.fault(at, f"has more than {_MAX_OPTIONS} values")
    context = compiler.context.operand()
    options = [compiler.compile(option, f"{at}/{index}", context) for index, option in enumerate(value)]
    # `"device": false`, as PHP writes nothing, says nothing of what is in it
    nodes = [replace(node, hands_on=False) if isinstance(node, Path) and node.keys else node for node in options]
    return Call(function=_given, operands=tuple(nodes), needs="any")


def _given(*values: Any) -> Any:
    return [value for value in values if value is not MISSING and value is not None] or MISSING
