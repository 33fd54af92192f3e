"""Compile the JSON of a mapping to nodes, and collect all faults."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from app.errors import Fault
from app.mapping.choice_context import NO_READERS, ChoiceContext, Readers
from app.mapping.nodes import NOTHING, Constant, List, Node, Object

#: Maximum nesting of objects, lists and directives.
MAX_DEPTH: Final = 40
#: Maximum number of values in a mapping, all levels together.
MAX_VALUES: Final = 5_000

#: The default of CONTENT_ID.
PRODUCT_ID: Final = "product_id"

#: Parts of a mapping by place: the source, the compiled node, and the number of values.
Pieces: TypeAlias = dict[str, tuple[Any, Node, int]]
#: Builds the node of a directive from its options; `at` is the JSON pointer of the options.
Builder: TypeAlias = Callable[["Compiler", Any, str], Node]
#: Compiles a condition on an item of a list, such as `item.quantity > 0`; raises TriggerError.
Conditions: TypeAlias = Callable[[str], Callable[[dict[str, Any]], bool]]


class Compiler:
    """The state of the compilation of a mapping: the directives and the collected faults.

    `known`: parts of another mapping; an identical object at the same place is not compiled again. `content_id`: the
    product id to send, the setting CONTENT_ID. `conditions`: compiles `where` of `@each`; without it, a mapping cannot
    use `where`.
    """

    def __init__(
        self,
        directives: Mapping[str, Builder],
        readers: Readers = NO_READERS,
        known: Pieces | None = None,
        content_id: str = PRODUCT_ID,
        conditions: Conditions | None = None,
    ) -> None:
        self.content_id = content_id
        self.conditions = conditions
        self.faults: list[Fault] = []
        #: Compiled parts that another mapping can reuse.
        self.parts: Pieces = {}
        #: The context of a choice at the current place.
        self.context = ChoiceContext(readers=readers)
        self._directives = directives
        self._known = known or {}
        self._depth = 0
        self._values = 0

    def compile(self, value: Any, at: str, context: ChoiceContext | None = None) -> Node:
        """Compile a value of a mapping: a directive, an object, a list or a plain value.

        `context`: the use of the value; by default the context of the surrounding value.
        """
        self._values += 1
        if self._values == MAX_VALUES:
            self.fault("", f"has more than {MAX_VALUES} values; split it")
        if self._values >= MAX_VALUES:
            return NOTHING
        if self._depth == MAX_DEPTH:
            return self.fault(at, f"is nested deeper than {MAX_DEPTH} levels")
        around, self.context = self.context, context or self.context
        self._depth += 1
        try:
            return self._compile(value, at)
        finally:
            self._depth -= 1
            self.context = around

    def _compile(self, value: Any, at: str) -> Node:
        if isinstance(value, dict):
            return self._directive(value, at) if is_directive(value) else self._object(value, at)
        if isinstance(value, list):
            item = self.context.part()
            return List(items=tuple(self.compile(each, f"{at}/{index}", item) for index, each in enumerate(value)))
        if value is None or isinstance(value, str | bool | int | float):
            return Constant(value=value)
        return self.fault(at, f"should be a JSON value but it is a {type(value).__name__}")

    def _object(self, value: dict[Any, Any], at: str) -> Node:
        members = []
        for key, member in value.items():
            if isinstance(key, str):
                members.append((key, self._member(member, pointer(at, key), self.context.member(key))))
            else:
                self.fault(at, f"has the key {key!r}, which should be text: quote it")
        return Object(members=tuple(members))

    def _member(self, value: Any, at: str, context: ChoiceContext) -> Node:
        known, node, count = self._known.get(at, (None, NOTHING, 0))
        if value is known and isinstance(value, dict) and self._values + count < MAX_VALUES:
            self._values += count
        else:
            before = self._values
            node = self.compile(value, at, context)
            count = self._values - before
        self.parts[at] = value, node, count
        return node

    def _directive(self, value: dict[str, Any], at: str) -> Node:
        names = [key for key in value if key != "_metadata"]
        if len(names) > 1:
            return self.fault(at, f"should hold one directive and nothing else but it has {listed(names)}")
        name = names[0]
        builder = self._directives.get(name)
        if builder is None:
            return self.fault(at, f"has an unknown directive {name!r}{suggestion(name, self._directives)}")
        return builder(self, value[name], pointer(at, name))

    def operand(self, value: Any, at: str) -> Node:
        """Compile an operand of a directive. A choice in it accepts any value that is not empty."""
        return self.compile(value, at, self.context.operand())

    def fault(self, at: str, message: str) -> Node:
        """Record a fault, and return a node without a value."""
        self.faults.append(Fault(at, message))
        return NOTHING

    def options(self, value: Any, at: str, known: tuple[str, ...]) -> dict[str, Any] | None:
        """Return the options of a directive.

        `None`, with a fault, if they are not a plain object. Unknown keys are faults.
        """
        if not isinstance(value, dict) or is_directive(value):
            self.fault(at, f"should be an object with {listed(known)} but it is {json_kind(value)}")
            return None
        for key in value:
            if key not in known:
                hint = suggestion(key, known) or f"; it takes {listed(known)}"
                self.fault(at, f"has an unknown key {key!r}{hint}")
        return value

    def required(self, options: dict[str, Any], at: str, key: str) -> bool:
        """Return whether the key exists; record a fault if it does not."""
        if key not in options:
            self.fault(at, f"should have the key {key!r}")
        return key in options

    def text_or_directive(self, value: Any, at: str) -> Node:
        """Compile a value that must be a text or a directive for a text."""
        if isinstance(value, str) or is_directive(value):
            return self.operand(value, at)
        return self.fault(at, f"should be a text or a directive but it is {json_kind(value)}")

    def text(self, value: Any, at: str) -> str | None:
        """Return a literal text; `None`, with a fault, for other values."""
        if isinstance(value, str):
            return value
        self.fault(at, f"should be a text but it is {json_kind(value)}")
        return None

    def one_of(self, value: Any, at: str, allowed: tuple[str, ...]) -> str | None:
        """Return a word of `allowed`; `None`, with a fault that suggests the nearest, for other values."""
        if value in allowed:
            return str(value)
        near = suggestion(value, allowed) if isinstance(value, str) else ""
        self.fault(at, f"should be one of {listed(allowed)} but it is {value!r}{near}")
        return None


def is_directive(value: Any) -> bool:
    """Return whether a value is a directive: an object with a key that starts with `@`."""
    return isinstance(value, dict) and any(isinstance(key, str) and key.startswith("@") for key in value)


def pointer(at: str, key: str) -> str:
    """Extend a JSON pointer (RFC 6901)."""
    return f"{at}/{key.replace('~', '~0').replace('/', '~1')}"


def json_kind(value: Any) -> str:
    """Return the type of a mapping's value: "a number", "an object"."""
    if value is None:
        return "null"
    if is_directive(value):
        return "a directive"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def suggestion(name: Any, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """Return `; did you mean '@path'?` if a known name is similar; otherwise ""."""
    by_lower = {word.lower(): word for word in known}
    near = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.7)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


def listed(words: tuple[str, ...] | list[str]) -> str:
    """Return words as `'a', 'b', 'c'`."""
    return ", ".join(map(repr, words))
