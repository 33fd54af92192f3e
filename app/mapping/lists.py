"""Lists: `@arrayPath` and `@each` give each item a new shape, `@all` collects values, `joined_members` joins."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from app.core.values.candidates import PassedOver
from app.core.values.placeholders import says_nothing
from app.core.values.texts import written_list
from app.errors import TriggerError
from app.mapping.compiler import Compiler, json_kind
from app.mapping.generate import generate
from app.mapping.javascript import is_within_limit
from app.mapping.nodes import (
    MISSING,
    NOTHING,
    TOLD,
    About,
    Call,
    ListPath,
    Node,
    Path,
    Resolver,
    note_passed_over,
    places_of,
)
from app.mapping.paths import items_within, path_node, without_prefix

#: Maximum number of values of `@all`.
_MAX_VALUES = 50


def build_array_path(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@arrayPath`: each item of a list in a new shape; paths in the shape start at the item.

    Like Segment, the directive reads a single object as a list, passes other values unchanged, and ignores a shape that
    is not an object.
    """
    if not isinstance(value, list) or not value:
        return compiler.fault(at, f"should be a list of a path and a shape but it is {json_kind(value)}")
    first, shape = value[0], value[1] if len(value) > 1 else None
    if isinstance(first, str):
        root = path_node(compiler, without_prefix(first), f"{at}/0")
    else:
        root = compiler.text_or_directive(first, f"{at}/0")
    if not isinstance(shape, dict) or not shape:
        return root
    below = f"{', '.join(places_of(root))}[*]."
    item = compiler.compile(shape, f"{at}/1", compiler.context.part(below))
    function = partial(_shaped if isinstance(root, Path | ListPath) else _shaped_within_bounds, generate(item))
    return Call(function=function, operands=(TOLD, root), needs="all", shape=item)


def _shaped(resolve: Resolver, told: list[PassedOver], root: Any) -> Any:
    if isinstance(root, dict):
        root = [root]
    elif not isinstance(root, list):
        return root
    return [None if (value := resolve(item, told)) is MISSING else value for item in root]


def _shaped_within_bounds(resolve: Resolver, told: list[PassedOver], root: Any) -> Any:
    """Shape the result of another directive, which can be larger than the event, because nested shapes multiply."""
    return _shaped(resolve, told, root) if is_within_limit(root) else MISSING


def build_each(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@each`: each object of a list in a new shape, without other items.

    A single object is read as a list, and a JSON text of a list as that list. Items that are not objects are skipped
    and reported. Objects that do not match the condition `where` are skipped.
    """
    if not isinstance(value, list) or len(value) not in (len(("path", "shape")), len(("path", "shape", "where"))):
        message = f"should be a list of a path, a shape and perhaps a `where` but it is {json_kind(value)}"
        return compiler.fault(at, message)
    text = compiler.text(value[0], f"{at}/0")
    root: Node = NOTHING if text is None else path_node(compiler, without_prefix(text), f"{at}/0")
    for options in value[2:]:
        root = _build_filter(compiler, options, f"{at}/2", root)
    objects = compiler.context.operand(why="an object, or a list of them, is expected")
    below = f"{', '.join(places_of(root))}[*]."
    item = compiler.compile(value[1], f"{at}/1", compiler.context.part(below))
    function = partial(_each, generate(item, of_object=True), objects.about(root))
    said = Call(function=_said_objects, operands=(root,), is_shared=True)
    return Call(function=function, operands=(TOLD, root, said), needs="all", shape=item)


def _build_filter(compiler: Compiler, value: Any, at: str, root: Node) -> Node:
    options = compiler.options(value, at, ("where",))
    if options is None or not compiler.required(options, at, "where"):
        return NOTHING
    text = compiler.text(options["where"], f"{at}/where")
    if text is None:
        return NOTHING
    if compiler.conditions is None:
        return compiler.fault(f"{at}/where", "should be a condition, which this mapping cannot have")
    try:
        matches = compiler.conditions(text)
    except TriggerError as exc:
        return compiler.fault(f"{at}/where", str(exc))
    return Call(function=partial(_matching, matches), operands=(root,), needs="all")


def _matching(matches: Callable[[dict[str, Any]], bool], root: Any) -> Any:
    """Return the matching objects of a list, and all items that are not objects; MISSING if no item remains."""
    if type(root) is str and (written := written_list(root)) and is_within_limit(written):
        root = written
    items = root if isinstance(root, list) else [root]
    matching = [item for item in items if type(item) is not dict or matches(item)]
    return matching or (MISSING if items else root)


def _said_objects(root: Any) -> Sequence[dict[str, Any]]:
    """Return a list of non-empty objects, the usual case; otherwise an empty list."""
    if type(root) is not list:
        return ()
    for item in root:
        if type(item) is not dict or says_nothing(item):
            return ()
    return root


def _each(
    resolve: Resolver, about: About, told: list[PassedOver], root: Any, said: Sequence[dict[str, Any]] | None
) -> Any:
    if said:
        return [None if (value := resolve(item, told)) is MISSING else value for item in said]
    shaped = []
    if type(root) is str and (written := written_list(root)) and is_within_limit(written):
        root = written
    for item in root if isinstance(root, list) else (root,):
        if type(item) is dict and not says_nothing(item):
            shaped.append(None if (value := resolve(item, told)) is MISSING else value)
        elif item is not MISSING:
            note_passed_over(told, about, item)
    if not shaped and root == []:
        note_passed_over(told, about, root)
    return shaped or MISSING


def joined_members(value: Any) -> Any:
    """Merge a list of objects into an object with a list for each member; other values pass unchanged.

    >>> joined_members([{"email": "a", "zip": 1}, [{"email": "b"}]])
    {'email': ['a', 'b'], 'zip': [1]}
    """
    if not isinstance(value, list):
        return value
    joined: dict[str, list[Any]] = {}
    for item in items_within(value):
        for name, member in item.items() if isinstance(item, dict) else ():
            joined.setdefault(name, []).append(member)
    return joined or value


def build_all(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@all`: the list of all values that exist and are not null; missing if there are none."""
    if not isinstance(value, list):
        return compiler.fault(at, f"should be a list of values but it is {json_kind(value)}")
    if len(value) > _MAX_VALUES:
        return compiler.fault(at, f"has more than {_MAX_VALUES} values")
    context = compiler.context.operand()
    options = [compiler.compile(option, f"{at}/{index}", context) for index, option in enumerate(value)]
    # `"device": false`, PHP's form of an absent value, does not count as a value.
    nodes = [replace(node, hands_on=False) if isinstance(node, Path) and node.keys else node for node in options]
    return Call(function=_values_given, operands=tuple(nodes), needs="any")


def _values_given(*values: Any) -> Any:
    return [value for value in values if value is not MISSING and value is not None] or MISSING
