"""Turn a compiled mapping into straight-line Python functions.

A tree of closures spends most of its time on calls: the same default mapping runs five times slower that way.
The text holds only names made here and `repr` of the mapping's keys and values, never text of the mapping itself.

    {"email": {"@coalesce": [{"@path": "$.properties.email"}, {"@path": "$.traits.email"}]}}

becomes

    def resolve(event, told):
        e0 = EMPTY if event is MISSING else event
        if e0.__class__ is not dict: e0 = NotAnObject(e0)
        e1 = e0['properties'] if 'properties' in e0 else EMPTY
        if e1 is not EMPTY and e1.__class__ is not dict: e1 = NotAnObject(e1)
        ...
        o1 = {}
        if e1 and ('email' in e1 and <v2 := e1['email'] is usable, else told>) or e2 and (...):
            o1['email'] = v2
        return o1

What is done with a member as it is found (`o1['email'] = v2`) is written by an `ObjectText`: with that of an action,
which reads what it is given, one function resolves and reads.

Most members that a mapping asks for are not there, and `in` says so in half the time of `.get`. Where the shape of the
event is known (see `shapes`), they are not asked for at all, and what is there is taken without asking whether it is.
"""

from collections.abc import Callable
from itertools import groupby
from typing import Any, Final, TypeAlias

from app.core.values.generated_functions import ObjectText, PlainObject, Writes
from app.mapping.function_text import FunctionText, Objects
from app.mapping.nodes import (
    MISSING,
    NOTHING,
    TOLD,
    About,
    Call,
    Choice,
    Constant,
    If,
    List,
    ListPath,
    Node,
    Object,
    Path,
    Resolver,
    parent_keys,
    usable_or_told,
)
from app.mapping.shapes import NO_SHAPE, Shape, is_there

_SMALL: Final = 2**53
#: Deeper expressions become functions of their own: Python's parser has a limit.
_MAX_NESTING: Final = 8

#: Event, what is told, and the objects at the ways that `Objects` names; returns the value or MISSING.
ByObjects: TypeAlias = Callable[..., Any]


def generate(node: Node, writes: Writes = PlainObject) -> Resolver:
    """Return the function that resolves `node` for an event, or what `writes` makes of that where it is an object."""
    function = _Function(writes=writes)
    body = function.statements(node)
    return function.function("event, told", [*function.objects.fetch, *body])


def generate_body(
    node: Node, objects: Objects | None = None, shape: Shape = NO_SHAPE, *, writes: Writes
) -> tuple[ByObjects, Objects]:
    """Return the function that does what `generate` says given the objects that it asks, and what these are.

    `objects` are all that the function is called with; None: those that it needs. `shape` is that of all events that
    it will see, from which `node` was pruned; without one it is for any event.
    """
    function = _Function(objects, shape, writes=writes)
    body = function.statements(node)
    return function.function(", ".join(("event", "told", *function.objects.names.values())), body), function.objects


class _Function(FunctionText):
    """The text of a function in the making."""

    def __init__(self, objects: Objects | None = None, shape: Shape = NO_SHAPE, *, writes: Writes) -> None:
        super().__init__(objects, shape)
        self._writes = writes
        self._body: list[str] = []
        self._nesting = 0

    def statements(self, node: Node) -> list[str]:
        """Return the statements that resolve a node, the last of which returns what results."""
        result = self._object(node, self._writes(self)) if isinstance(node, Object) else self._expression(node)
        return [*self._body, f" return {result}"]

    def _object(self, node: Object, text: ObjectText) -> str:
        """Write the statements that find the members of an object, and return what is made of it."""
        self._body += text.begin()
        members = dict(node.members)
        for name in text.ordered(members):
            self._member(name, members[name], text)
        self._body += text.end()
        return text.result

    def _member(self, name: str, node: Node, text: ObjectText) -> None:
        if isinstance(node, Object):
            if inner := text.inner(name):
                self._object(node, inner)
            else:
                self._body += text.member(name, self._object(node, PlainObject(self)))
        elif isinstance(node, Constant):
            self._body += [] if node.value is MISSING else text.constant(name, node.value)
        else:
            condition, given = self._found(node)
            lines = text.member(name, given)
            at_once = self.at_once(node, given, text, name)
            question = f" {'elif' if at_once else 'if'} {condition}:"
            self._body += [*at_once, question, *(f" {line}" for line in lines)] if condition else lines

    def _found(self, node: Node) -> tuple[str, str]:
        """Write the question whether a node gives anything, "" where it always does, and what it gives."""
        if isinstance(node, List):
            return "", self._expression(node)
        if isinstance(node, Path) and node.keys and node.hands_on:
            return self.asked(node), self.given(node)
        name = self.new("v")
        if isinstance(node, Choice):
            return self._taken(node, name), name
        return f"({name} := {self._expression(node)}) is not MISSING", name

    def _expression(self, node: Node) -> str:
        if self._nesting == _MAX_NESTING:
            return f"{self.bound(generate(node))}(event, told)"
        self._nesting += 1
        try:
            return self._shallow(node)
        finally:
            self._nesting -= 1

    def _shallow(self, node: Node) -> str:  # noqa: PLR0911 - one line a kind of node
        match node:
            case Constant(value=value):
                return self._constant(value)
            case Path(keys=()):
                return "event"
            case Path():
                asked, given = self.asked(node), self.given(node)
                return f"({given} if {asked} else MISSING)" if asked else given
            case ListPath(find=find, under=under):
                return f"(MISSING if {self.parent(under)} is EMPTY else {self.bound(find)}(event))"
            case Choice():
                return self._choice(node)
            case If():
                return self._if(node)
            case List(items=items):
                return f"[{', '.join(map(self._item, items))}]"
            case Call(function=function, operands=operands):
                call = f"{self.bound(function)}({', '.join(map(self._expression, operands))})"
                may_be = self._may_be(node)
                return f"({call} if {may_be} else MISSING)" if may_be else call
        return "told" if node is TOLD else f"{self.bound(generate(node))}(event, told)"

    def _may_be(self, node: Node) -> str:  # noqa: PLR0911 - one line a kind of node
        """Write a question that is false where a node gives MISSING; "" where it is not worth asking.

        Most of what a default mapping computes is computed of what is not there.
        """
        match node:
            case Path(keys=(_, *_)):
                return self.asked(node)
            case ListPath(under=under):
                return f"{self.parent(under)} is not EMPTY"
            case Call(needs_members=(_, *_) as needed):
                named = ((self.bound(names.isdisjoint), self.parent(keys)) for keys, names in needed)
                parts = [f"not {each}({name}) or {name}.__class__ is NotAnObject" for each, name in named]
                return f"({' or '.join(parts)})"
            case Choice(options=nodes) | Call(operands=nodes, needs="any"):
                asked = [self._may_be(each) for each in nodes if each != NOTHING]
                return f"({' or '.join(asked)})" if all(asked) else ""
            case Call(operands=nodes, needs="all"):
                return " and ".join(filter(None, (self._may_be(each) for each in nodes)))
            case If(value=value, test=test, then=then, otherwise=otherwise):
                without = then if test and test(MISSING) else otherwise
                return self._may_be(value) if without == NOTHING else ""
        return ""

    def _constant(self, value: Any) -> str:
        is_plain = value is None or isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < _SMALL)
        return repr(value) if is_plain else self.bound(value)

    def _item(self, node: Node) -> str:
        if isinstance(node, Constant) and node.value is not MISSING:
            return self._constant(node.value)
        name = self.new("v")
        return f"None if ({name} := {self._expression(node)}) is MISSING else {name}"

    def _choice(self, node: Choice) -> str:
        """Write what the first usable option gives, else MISSING."""
        name = self.new("v")
        return f"({name} if {self._taken(node, name)} else MISSING)" if node.options else "MISSING"

    def _taken(self, node: Choice, name: str) -> str:
        """Write the question whether any option of a choice is usable, after which `name` holds what the first gives.

        Neighbours with one parent are asked together, and none where the parent holds nothing: most of a default
        mapping's spellings are absent.
        """
        parts = []
        for parent, group in groupby(zip(node.options, node.about, strict=True), key=parent_keys):
            tests = [self._usable(option, name, self._test(node, name, about)) for option, about in group]
            if parent is None or self.shape.get(parent):
                parts += tests
            else:
                parts.append(f"{self.parent(parent)} and ({' or '.join(tests)})")
        return " or ".join(parts) or "False"

    def _test(self, node: Choice, name: str, about: About) -> str:
        """Write the end of the question whether `name`, in brackets just before, is usable.

        Nearly every value is a text that says something, as its first character shows, or a number.
        """
        at_once = f".__class__ is str and {name} and {name}[0] not in FIRST or {name}" if node.takes_texts else ""
        if node.takes_numbers:
            at_once += f".__class__ in NUMBERS or {name}"
        return f"{at_once} is not None and {self.bound(usable_or_told(node.is_usable, about))}({name}, told)"

    def _usable(self, option: Node, name: str, test: str) -> str:
        """Write the question whether an option, whose parent is there, is usable; `name` holds what it gives."""
        match option:
            case Path(keys=(_, *_)) if is_there(self.shape, option.keys):
                return f"(({name} := {self.given(option)}){test})"
            case Path(keys=(*above, key)):
                return f"({key!r} in {self.parent(tuple(above))} and (({name} := {self.given(option)}){test}))"
            case ListPath(find=find):
                given = f"{self.bound(find)}(event)"
            case _:
                given = self._expression(option)
        return f"(({name} := {given}) is not MISSING and (({name}){test}))"

    def _if(self, node: If) -> str:
        value = self._expression(node.value)
        name = self.new("v")
        is_there = f"({name} := {value}) is not MISSING"
        if node.test is None:
            condition = f"{is_there} and {name} is not None"
        else:  # most values are missing: what the test says of that is asked once, here
            condition = f"({self.bound(node.test)}({name}) if {is_there} else {bool(node.test(MISSING))})"
        return f"({self._expression(node.then)} if {condition} else {self._expression(node.otherwise)})"
