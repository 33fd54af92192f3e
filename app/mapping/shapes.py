"""The shape of an event as a mapping sees it: which of the objects that it asks are there, with which members.

A default mapping asks 250 places, and an event has some thirty of them. The events of one source are alike,
so what a mapping never finds in a shape is taken out once (`pruned`), and not asked for event by event.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from app.mapping.nodes import (
    MISSING,
    NOTHING,
    Call,
    Choice,
    Constant,
    If,
    List,
    ListPath,
    Node,
    Object,
    Path,
)

#: The way to an object in an event; () is the event.
Keys: TypeAlias = tuple[str, ...]
#: By the way to each object that was looked at: those of its members that the mapping asks for, none where it is not
#: there; None where something else stands in its place. Of an object that was not looked at nothing is known.
Shape: TypeAlias = Mapping[Keys, frozenset[str] | None]

NO_SHAPE: Final[Shape] = {}


def asked_members(node: Node) -> dict[Keys, frozenset[str]]:
    """Return which members a node asks of which objects, an object in front of those that lie in it."""
    asked: defaultdict[Keys, set[str]] = defaultdict(set)
    for *above, key in _places(node):
        asked[tuple(above)].add(key)
    for keys in list(asked):
        for depth in range(len(keys)):
            asked[keys[:depth]].add(keys[depth])
    return {keys: frozenset(asked[keys]) for keys in sorted(asked, key=len)}


def _places(node: Node) -> Iterator[Keys]:  # noqa: C901 - one line a kind of node
    """Yield the way to all that a node asks for."""
    match node:
        case Path(keys=(_, *_) as keys):
            yield keys
        case ListPath(under=(_, *_) as keys):
            yield keys
        case Choice(options=nodes) | List(items=nodes):
            for each in nodes:
                yield from _places(each)
        case Call(operands=nodes, needs_members=needed):
            for each in nodes:
                yield from _places(each)
            for keys, names in needed:
                yield from ((*keys, name) for name in names)
        case If(value=value, then=then, otherwise=otherwise):
            for each in (value, then, otherwise):
                yield from _places(each)
        case Object(members=members):
            for _, each in members:
                yield from _places(each)


def is_there(shape: Shape, keys: Keys) -> bool:
    """Return whether a member is there for sure: its object is known, and has it."""
    return keys[-1] in (shape.get(keys[:-1]) or ())


def pruned(node: Node, shape: Shape) -> Node:  # noqa: PLR0911 - one line a kind of node
    """Return a node that gives the same for every event of a shape, without what such events do not have."""
    match node:
        case Path(keys=(_, *_) as keys):
            in_list = not node.hands_on and any(shape.get(keys[:end], keys) is None for end in range(len(keys)))
            return node if in_list or _may_be_there(shape, keys) else NOTHING
        case ListPath(under=(_, *_) as under):
            return node if _may_be_there(shape, under) else NOTHING
        case Choice():
            return _pruned_choice(node, shape)
        case If():
            return _pruned_if(node, shape)
        case Object(members=members):
            left = ((name, pruned(member, shape)) for name, member in members)
            return Object(members=tuple((name, member) for name, member in left if not _is_nothing(member)))
        case List(items=items):
            return List(items=tuple(pruned(item, shape) for item in items))
        case Call():
            return _pruned_call(node, shape)
    return node


def _pruned_choice(node: Choice, shape: Shape) -> Node:
    options = [(pruned(option, shape), about) for option, about in zip(node.options, node.about, strict=True)]
    left = [(option, about) for option, about in options if not _is_nothing(option)]
    if not left:
        return NOTHING
    return replace(node, options=tuple(option for option, _ in left), about=tuple(about for _, about in left))


def _pruned_if(node: If, shape: Shape) -> Node:
    value = pruned(node.value, shape)
    if _is_nothing(value):
        return pruned(node.then if node.test and node.test(MISSING) else node.otherwise, shape)
    return replace(node, value=value, then=pruned(node.then, shape), otherwise=pruned(node.otherwise, shape))


def _pruned_call(node: Call, shape: Shape) -> Node:
    if node.needs_members:
        may_be = any(_may_be_there(shape, (*keys, name)) for keys, names in node.needs_members for name in names)
        return node if may_be else NOTHING
    operands = tuple(pruned(operand, shape) for operand in node.operands)
    missing = [_is_nothing(operand) for operand in operands]
    if (node.needs == "all" and any(missing)) or (node.needs == "any" and all(missing)):
        return NOTHING
    return replace(node, operands=operands)


def _may_be_there(shape: Shape, keys: Keys) -> bool:
    """Return whether a member can be there: what is no object may have members all the same, a list its length."""
    members = shape.get(keys[:-1])
    return members is None or keys[-1] in members


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Constant) and node.value is MISSING
