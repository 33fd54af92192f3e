"""Directives on objects: `@merge`, `@transform`, `@flatten`, `@excludeWhenNull`."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from app.core.values.candidates import PassedOver
from app.mapping.compiler import Compiler, json_kind
from app.mapping.generate import generate
from app.mapping.javascript import is_within_limit
from app.mapping.nodes import MISSING, NOTHING, TOLD, Call, Node, Resolver


def _object_or_directive(compiler: Compiler, value: Any, at: str) -> Node:
    if isinstance(value, dict):
        return compiler.compile(value, at, compiler.context.part())
    return compiler.fault(at, f"should be an object or a directive but it is {json_kind(value)}")


def build_merge(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@merge`: an object with the members of several; the last object in the `direction` wins."""
    options = compiler.options(value, at, ("direction", "objects"))
    if options is None:
        return NOTHING
    if not compiler.required(options, at, "direction") or not compiler.required(options, at, "objects"):
        return NOTHING
    direction = compiler.one_of(options["direction"], f"{at}/direction", ("left", "right"))
    objects = options["objects"]
    if not isinstance(objects, list):
        return compiler.fault(f"{at}/objects", f"should be a list but it is {json_kind(objects)}")
    nodes = [_object_or_directive(compiler, item, f"{at}/objects/{index}") for index, item in enumerate(objects)]
    return Call(function=_merged, operands=tuple(nodes if direction == "right" else nodes[::-1]))


def _merged(*objects: Any) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for item in objects:
        if isinstance(item, dict):
            merged.update(item)
        elif isinstance(item, list | str):
            # Object.assign reads lists and texts as objects with the keys "0", "1", ...
            merged.update((str(index), part) for index, part in enumerate(item))
    return merged


def build_transform(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@transform`: the result of `mapping`, whose paths read only the result of `apply`."""
    options = compiler.options(value, at, ("apply", "mapping"))
    if options is None or not compiler.required(options, at, "apply") or not compiler.required(options, at, "mapping"):
        return NOTHING
    applied = _object_or_directive(compiler, options["apply"], f"{at}/apply")
    mapping = _object_or_directive(compiler, options["mapping"], f"{at}/mapping")
    return Call(function=partial(_transformed, generate(mapping)), operands=(TOLD, applied))


def _transformed(resolve: Resolver, told: list[PassedOver], applied: Any) -> Any:
    return resolve(applied, told) if is_within_limit(applied) else MISSING


def build_flatten(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@flatten`: a flat object, keys joined by `separator`; lists are flattened unless `omitArrays` is true."""
    options = compiler.options(value, at, ("value", "separator", "omitArrays"))
    if (
        options is None
        or not compiler.required(options, at, "value")
        or not compiler.required(options, at, "separator")
    ):
        return NOTHING
    separator = compiler.text(options["separator"], f"{at}/separator")
    if separator == "":
        compiler.fault(f"{at}/separator", "should not be empty")
    given = compiler.operand(options["value"], f"{at}/value")
    omit_lists = options.get("omitArrays") not in (None, False, 0, "")  # as in JavaScript, {} and [] are true
    return Call(function=partial(_flattened, separator or ".", omit_lists), operands=(given,))


def _flattened(separator: str, omit_lists: bool, value: Any) -> Any:  # noqa: FBT001 - bound at compile
    return dict(_flat(value, "", separator, omit_lists)) if is_within_limit(value) else MISSING


def _flat(value: Any, prefix: str, separator: str, omit_lists: bool) -> Iterator[tuple[str, Any]]:  # noqa: FBT001 - bound at compile
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list) and not omit_lists:
        members = [(str(index), item) for index, item in enumerate(value)]
    else:
        if value is not MISSING:
            yield prefix, value
        return
    for key, member in members:
        yield from _flat(member, f"{prefix}{separator}{key}" if prefix else key, separator, omit_lists)


def build_exclude_when_null(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@excludeWhenNull`: the value without null members, also in inner objects; lists are unchanged."""
    return Call(function=_without_nulls, operands=(compiler.compile(value, at, compiler.context.part()),))


def _without_nulls(value: Any) -> Any:
    if value is None or not is_within_limit(value):
        return MISSING
    return _cleaned(value)


def _cleaned(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _cleaned(member) for key, member in value.items() if member is not None}
