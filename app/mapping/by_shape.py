"""Resolve a mapping by a function made for the shape of the event, once that shape has come often enough.

The events of one source have few shapes: of the 250 places that a default mapping asks, a function of one
shape asks the thirty that are there. An event of another shape goes through the function that takes any, so nothing but
speed depends on what is learnt here.

It is bounded, whatever arrives: a function is made only once its shape has come SEEN times, so that to make it costs
less than the events did; there are at most MAX_FUNCTIONS, and where other shapes come more often all begins anew.
"""

from collections import defaultdict
from typing import Any, Final, TypeAlias

from app.mapping.function_text import FunctionText
from app.mapping.generate import ByObjects, generate, generate_body
from app.mapping.nodes import Node, Resolver
from app.mapping.shapes import Keys, asked_members, pruned

#: Mappings that ask for less are as quick without.
_FEW: Final = 40
SEEN: Final = 32
MAX_FUNCTIONS: Final = 64
#: Orders of members that are known, those that differ in members nobody asks for among them.
MAX_ORDERS: Final = 512
#: Events for which there was no room, after which all begins anew.
MAX_LEFT_OVER: Final = 50_000
#: Of an event that is learnt from, in the names of members.
_MAX_CHARACTERS: Final = 4_096

#: The names of the members of each object that is asked, as they come.
_Orders: TypeAlias = tuple[tuple[str, ...], ...]
#: A shape, as pairs in the order in which objects are asked.
_ShapeKey: TypeAlias = tuple[tuple[Keys, frozenset[str] | None], ...]


def generate_by_shape(node: Node) -> Resolver:
    """Return the function that resolves `node` for an event, and learns the shapes of what it is given."""
    asked = asked_members(node)
    shapes = _Shapes(node, asked) if sum(map(len, asked.values())) >= _FEW else None
    if shapes and shapes.objects.names:
        return shapes.resolver()
    return generate(node)


class _Shapes:
    """What is known of the shapes of events, and the function for each that came often."""

    def __init__(self, node: Node, asked: dict[Keys, frozenset[str]]) -> None:
        self._node = node
        self._asked = asked
        self._general, self.objects = generate_body(node)
        self._by_orders: dict[_Orders, ByObjects] = {}
        self._seen: defaultdict[_ShapeKey, int] = defaultdict(int)
        self._functions: dict[_ShapeKey, ByObjects] = {}
        self._left_over = 0

    def resolver(self) -> Resolver:
        """Return the function that finds the shape of an event, and the function for it."""
        known = {"known": self._by_orders.get, "learn": self._learn}
        names = ", ".join(self.objects.names.values())
        statements = [
            f" body = known(tuple(map(tuple, ({names},)))) or learn({names})",
            f" return body(event, told, {names})",
        ]
        return FunctionText(self.objects, names=known).function("event, told", [*self.objects.fetch, *statements])

    def _learn(self, *objects: Any) -> ByObjects:
        """Return the function for an event of these objects, and make one where its shape has come often enough."""
        if self._left_over > MAX_LEFT_OVER:
            self._forget()
        orders = tuple(map(tuple, objects))
        if sum(len(name) for order in orders for name in order) > _MAX_CHARACTERS:
            return self._general
        shape = {
            keys: self._asked.get(keys, frozenset()).intersection(given) if type(given) is dict else None
            for keys, given in zip(self.objects.names, objects, strict=True)
        }
        key = tuple(shape.items())
        if key not in self._seen and len(self._seen) >= MAX_ORDERS:
            self._left_over += 1
            return self._general
        self._seen[key] += 1
        if self._seen[key] < SEEN:
            return self._general
        if key not in self._functions and len(self._functions) < MAX_FUNCTIONS:
            self._functions[key], _ = generate_body(pruned(self._node, shape), self.objects, shape)
        made = self._functions.get(key, self._general)
        if made is self._general or len(self._by_orders) >= MAX_ORDERS:
            self._left_over += 1
        else:
            self._by_orders[orders] = made
        return made

    def _forget(self) -> None:
        self._left_over = 0
        for known in (self._by_orders, self._seen, self._functions):
            known.clear()
