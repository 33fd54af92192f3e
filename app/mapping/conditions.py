"""Directives that choose: `@if`, and Pinrelay's own `@coalesce`, `@ifEquals` and `@ifAllowed`."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from app.core.values.placeholders import flag_is_given, flag_texts, read_flag, says_something
from app.mapping.choice_context import IsUsable
from app.mapping.compiler import Compiler, json_kind
from app.mapping.javascript import javascript_text
from app.mapping.nodes import MISSING, NOTHING, If, Node, Path

MAX_OPTIONS: Final = 50

_BRANCHES: Final = ("then", "else", "unsaid")
_IF_KEYS: Final = ("exists", "blank", "then", "else")


def build_if(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@if`: `then` or `else`; `exists`: the value is not null, `blank`: the value is not empty and not false."""
    options = compiler.options(value, at, _IF_KEYS)
    if options is None:
        return NOTHING
    if options.keys() <= set(_IF_KEYS) and all(options.get(key) in (None, "", 0, False) for key in ("exists", "blank")):
        compiler.fault(at, "should have the key 'exists' or 'blank' with something to look at")
    nodes = _compiled(compiler, options, at)
    asks_existence = "exists" in options
    return If(
        value=nodes.get("exists" if asks_existence else "blank", NOTHING),
        test=None if asks_existence else _is_filled,
        then=nodes.get("then", NOTHING),
        otherwise=nodes.get("else", NOTHING),
    )


def _compiled(
    compiler: Compiler, options: dict[str, Any], at: str, is_usable: IsUsable = says_something
) -> dict[str, Node]:
    """Compile the options of a condition: branches in the surrounding context, other options as operands."""
    asked = compiler.context.operand(is_usable)
    return {
        key: compiler.compile(option, f"{at}/{key}", None if key in _BRANCHES else asked)
        for key, option in options.items()
    }


def _is_filled(value: Any) -> bool:
    """Return the result of JavaScript's `value != ''`: false, 0 and [] equal the empty text, {} does not."""
    if value is MISSING or value is None or value is False or value == 0:
        return False
    return not isinstance(value, str | list) or javascript_text(value) != ""


def build_coalesce(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@coalesce`: the first value of a list that its field accepts; never an empty value."""
    if not isinstance(value, list):
        return compiler.fault(at, f"should be a list of values but it is {json_kind(value)}")
    if len(value) > MAX_OPTIONS:
        return compiler.fault(at, f"has more than {MAX_OPTIONS} values")
    options = tuple(compiler.compile(option, f"{at}/{index}") for index, option in enumerate(value))
    return compiler.context.choice(options)


def build_if_equals(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@ifEquals`: `then` or `else`; compares as text, so that true and "true" are equal."""
    options = compiler.options(value, at, ("value", "equals", "then", "else"))
    if options is None or not compiler.required(options, at, "value") or not compiler.required(options, at, "equals"):
        return NOTHING
    expected = options["equals"]
    if not isinstance(expected, str | bool | int | float) or expected == "":
        return compiler.fault(f"{at}/equals", f"should be a text, number or boolean but it is {json_kind(expected)}")
    nodes = _compiled(compiler, options, at)
    text = javascript_text(expected)
    return If(
        value=nodes["value"],
        test=partial(_has_text, text),
        then=nodes.get("then", NOTHING),
        otherwise=nodes.get("else", NOTHING),
        text=None if isinstance(expected, bool) else text,
    )


def build_if_contains(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@ifContains`: `then` for a text that contains the given text, else `else`."""
    options = compiler.options(value, at, ("value", "contains", "then", "else"))
    if options is None or not compiler.required(options, at, "value") or not compiler.required(options, at, "contains"):
        return NOTHING
    part = compiler.text(options["contains"], f"{at}/contains")
    if part == "":
        compiler.fault(f"{at}/contains", "should not be empty")
    nodes = _compiled(compiler, options, at)
    return If(
        value=nodes["value"],
        test=partial(_contains, part or ""),
        then=nodes.get("then", NOTHING),
        otherwise=nodes.get("else", NOTHING),
    )


def _contains(part: str, value: Any) -> bool:
    return isinstance(value, str) and part in value


def _has_text(expected: str, value: Any) -> bool:
    return (value if type(value) is str else javascript_text(value)) == expected


def build_if_allowed(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@ifAllowed`: `then` for an opt-in, `else` for an opt-out or an unreadable value, `unsaid` for no value.

    A list is an opt-out unless all its items are opt-ins. `equals` sets another value for opt-in than true, 1 and
    "yes".
    """
    options = compiler.options(value, at, ("value", "equals", "then", "else", "unsaid"))
    if options is None or not compiler.required(options, at, "value"):
        return NOTHING
    yes = options.get("equals")
    if "equals" in options and (not isinstance(yes, str | bool | int | float) or yes == ""):
        return compiler.fault(f"{at}/equals", f"should be a text, number or boolean but it is {json_kind(yes)}")
    nodes = _compiled(compiler, options, at, flag_is_given)
    value = nodes["value"]
    if isinstance(value, Path):  # `"device": false`, PHP's form of an absent value, is not an opt-out of a person
        value = replace(value, hands_on=False)
    is_yes = _is_yes if yes is None else partial(_has_text, javascript_text(yes))
    allowed = If(
        value=value,
        test=partial(_are_all, is_yes),
        then=nodes.get("then", NOTHING),
        otherwise=nodes.get("else", NOTHING),
    )
    return If(value=value, test=_is_said, then=allowed, otherwise=nodes.get("unsaid", NOTHING))


def _is_yes(value: Any) -> bool:
    return read_flag(value) is True


def _are_all(is_yes: Callable[[Any], bool], value: Any) -> bool:
    return is_yes(value) if type(value) is bool else all(map(is_yes, flag_texts(value)))


def _is_said(value: Any) -> bool:
    return type(value) is bool or (value is not MISSING and bool(flag_texts(value)))
