"""Turn a compiled mapping into one straight-line Python function.

A tree of closures spends most of its time on calls: the same default mapping runs five times slower that way.
The text holds only names made here and `repr` of the mapping's keys and values, never text of the mapping itself.

    {"email": {"@coalesce": [{"@path": "$.properties.email"}, {"@path": "$.traits.email"}]}}

becomes

    def resolve(event, told):
        e1 = EMPTY if event is MISSING else event
        if e1.__class__ is not dict: e1 = NotAnObject(e1)
        e2 = e1['properties'] if 'properties' in e1 else EMPTY
        if e2.__class__ is not dict: e2 = NotAnObject(e2)
        ...
        if e2 and ('email' in e2 and (<v5 := e2['email'] is usable> or tell(told, c6, v5))): o4['email'] = v5
        elif e3 and (...): o4['email'] = v7
        return o4

Most members that a mapping asks for are not there, and `in` says so in half the time of `.get`.
"""

from functools import lru_cache, partial
from itertools import groupby
from typing import Any, Final

from app.mapping.javascript import NotAnObject
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
    tell,
)
from app.values.placeholders import FIRST_CHARACTERS

_EMPTY: Final[dict[str, Any]] = {}
_SMALL: Final = 2**53
#: Deeper expressions become functions of their own: Python's parser has a limit.
_MAX_NESTING: Final = 8
#: The presets share most of their texts, and to compile one takes longer than all else.
_code: Final = lru_cache(64)(partial(compile, filename="<mapping>", mode="exec"))


def generate(node: Node) -> Resolver:
    """Return the function that resolves `node` for an event."""
    return _Function().build(node)


class _Function:
    """The text of one function in the making."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {
            "MISSING": MISSING,
            "NotAnObject": NotAnObject,
            "EMPTY": _EMPTY,
            "FIRST": FIRST_CHARACTERS,
            "tell": tell,
        }
        #: Parent objects are fetched once, before all else: path of the parent -> its name.
        self._parents: dict[tuple[str, ...], str] = {}
        self._head: list[str] = []
        self._body: list[str] = []
        self._nesting = 0

    def build(self, node: Node) -> Resolver:
        result = self._object(node) if isinstance(node, Object) else self._expression(node)
        lines = ["def resolve(event, told):", *self._head, *self._body, f" return {result}"]
        exec(_code("\n".join(lines)), self._names)  # noqa: S102 - the text is made above, of our names and of `repr`
        resolver: Resolver = self._names["resolve"]
        return resolver

    def _name(self, letter: str) -> str:
        name = f"{letter}{len(self._names)}"
        self._names[name] = None
        return name

    def _bound(self, value: Any) -> str:
        name = self._name("c")
        self._names[name] = value
        return name

    def _parent(self, keys: tuple[str, ...]) -> str:
        """Name the object at `keys`; what is no object is wrapped, so that it can be asked like one."""
        if keys not in self._parents:
            if keys:
                above, name = self._parent(keys[:-1]), self._name("e")
                self._head.append(f" {name} = {above}[{keys[-1]!r}] if {keys[-1]!r} in {above} else EMPTY")
                asked = f"{name} is not EMPTY and "
            else:
                name = self._name("e")
                self._head.append(f" {name} = EMPTY if event is MISSING else event")
                asked = ""
            self._head.append(f" if {asked}{name}.__class__ is not dict: {name} = NotAnObject({name})")
            self._parents[keys] = name
        return self._parents[keys]

    def _object(self, node: Object) -> str:
        """Write the statements that build an object, and return its name."""
        name = self._name("o")
        self._body.append(f" {name} = {{}}")
        for key, value in node.members:
            put = f"{name}[{key!r}] ="
            if isinstance(value, Object):
                self._body.append(f" {put} {self._object(value)}")
            elif isinstance(value, List):
                self._body.append(f" {put} {self._expression(value)}")
            elif isinstance(value, Constant) and value.value is not MISSING:
                self._body.append(f" {put} {self._bound(value.value)}")  # bound: most presets differ in it alone
            elif isinstance(value, Path) and value.keys and value.hands_on:
                parent = self._parent(value.keys[:-1])
                self._body.append(f" if {value.keys[-1]!r} in {parent}: {put} {parent}[{value.keys[-1]!r}]")
            elif isinstance(value, Choice):
                words = ["if", *["elif"] * len(value.options)]
                options = zip(words, self._options(value), strict=False)
                self._body += [f" {word} {test}: {put} {given}" for word, (given, test) in options]
            else:
                result = self._name("v")
                self._body.append(f" if ({result} := {self._expression(value)}) is not MISSING: {put} {result}")
        return name

    def _expression(self, node: Node) -> str:
        if self._nesting == _MAX_NESTING:
            return f"{self._bound(generate(node))}(event, told)"
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
            case Path(keys=(*above, key), hands_on=False):
                parent = self._parent(tuple(above))
                return f"({parent}[{key!r}] if {parent} and {key!r} in {parent} else MISSING)"
            case Path(keys=keys):
                parent = self._parent(keys[:-1])
                return f"({parent}[{keys[-1]!r}] if {keys[-1]!r} in {parent} else MISSING)"
            case ListPath(find=find, under=under):
                return f"(MISSING if {self._parent(under)} is EMPTY else {self._bound(find)}(event))"
            case Choice():
                return self._choice(node)
            case If():
                return self._if(node)
            case List(items=items):
                return f"[{', '.join(map(self._item, items))}]"
            case Call(function=function, operands=operands):
                call = f"{self._bound(function)}({', '.join(map(self._expression, operands))})"
                may_be = self._may_be(node)
                return f"({call} if {may_be} else MISSING)" if may_be else call
        return "told" if node is TOLD else f"{self._bound(generate(node))}(event, told)"

    def _may_be(self, node: Node) -> str:  # noqa: PLR0911 - one line a kind of node
        """Write a question that is false where a node gives MISSING; "" where it is not worth asking.

        Most of what a default mapping computes is computed of what is not there.
        """
        match node:
            case Path(keys=(*above, key), hands_on=hands_on):
                parent = self._parent(tuple(above))
                return f"{key!r} in {parent}" if hands_on else f"({parent} and {key!r} in {parent})"
            case ListPath(under=under):
                return f"{self._parent(under)} is not EMPTY"
            case Call(needs_members=(_, *_) as needed):
                parts = [f"not {self._bound(names.isdisjoint)}({self._parent(keys)})" for keys, names in needed]
                return f"({' or '.join(parts)})"
            case Choice(options=nodes) | Call(operands=nodes, needs="any"):
                asked = [self._may_be(each) for each in nodes]
                return f"({' or '.join(asked)})" if all(asked) else ""
            case Call(operands=nodes, needs="all"):
                return " and ".join(filter(None, (self._may_be(each) for each in nodes)))
            case If(value=value, test=test, then=then, otherwise=otherwise):
                without = then if test and test(MISSING) else otherwise
                return self._may_be(value) if without == NOTHING else ""
        return ""

    def _constant(self, value: Any) -> str:
        is_plain = value is None or isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < _SMALL)
        return repr(value) if is_plain else self._bound(value)

    def _item(self, node: Node) -> str:
        name = self._name("v")
        return f"None if ({name} := {self._expression(node)}) is MISSING else {name}"

    def _choice(self, node: Choice) -> str:
        """Write `a if <a is usable> else b if ... else MISSING`."""
        return f"({' else '.join([*(f'{name} if {test}' for name, test in self._options(node)), 'MISSING'])})"

    def _options(self, node: Choice) -> list[tuple[str, str]]:
        """Return for each option of a choice the name of its value and the question whether it is usable.

        Neighbours with one parent are asked together, and none where the parent holds nothing: most of a default
        mapping's spellings are absent.
        """
        parts = []
        for parent, group in groupby(zip(node.options, node.about, strict=True), key=parent_keys):
            name = self._name("v")
            tests = [self._usable(option, name, self._test(node, name, about)) for option, about in group]
            if parent is None:
                parts += [(name, test) for test in tests]
            else:
                parts.append((name, f"{self._parent(parent)} and ({' or '.join(tests)})"))
        return parts

    def _test(self, node: Choice, name: str, about: About) -> str:
        """Write the end of the question whether `name`, in brackets just before, is usable.

        Nearly every value is a text that says something, as its first character shows.
        """
        at_once = f".__class__ is str and {name} and {name}[0] not in FIRST or {name}" if node.takes_texts else ""
        is_usable = f"{self._bound(node.is_usable)}({name})"
        return f"{at_once} is not None and ({is_usable} or tell(told, {self._bound(about)}, {name}))"

    def _usable(self, option: Node, name: str, test: str) -> str:
        """Write the question whether an option, whose parent is there, is usable; `name` holds what it gives."""
        match option:
            case Path(keys=(*above, key)):
                parent = self._parent(tuple(above))
                return f"({key!r} in {parent} and (({name} := {parent}[{key!r}]){test}))"
            case ListPath(find=find):
                given = f"{self._bound(find)}(event)"
            case _:
                given = self._expression(option)
        return f"(({name} := {given}) is not MISSING and (({name}){test}))"

    def _if(self, node: If) -> str:
        value = self._expression(node.value)
        name = self._name("v")
        is_there = f"({name} := {value}) is not MISSING"
        if node.test is None:
            condition = f"{is_there} and {name} is not None"
        else:  # most values are missing: what the test says of that is asked once, here
            condition = f"({self._bound(node.test)}({name}) if {is_there} else {bool(node.test(MISSING))})"
        return f"({self._expression(node.then)} if {condition} else {self._expression(node.otherwise)})"
