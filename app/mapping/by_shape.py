"""Resolve a mapping by a function made for the shape of the event, once that shape has come often enough.

The events of one source have few shapes, and a function of one shape asks only the places that are there (see
`shapes`). An event of another shape goes through the function that takes any, so nothing but speed depends on what is
learnt here.

The shape is found by the names of members in the order in which they come: first those of the event and of the objects
right in it, which tell whether there are objects further in, then those of the latter.

It is bounded, whatever arrives: a function is made only once its shape has come SEEN times, so that to make it costs
less than the events did; there are at most MAX_FUNCTIONS, and where other shapes come more often all begins anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from app.core.values.generated_functions import PlainObject, Writes
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

#: The names of the members of some objects as they come, with None behind each object.
_Order: TypeAlias = tuple[str | None, ...]
#: A shape, as pairs in the order in which objects are asked.
_ShapeKey: TypeAlias = tuple[tuple[Keys, frozenset[str] | None], ...]


def generate_by_shape(node: Node, writes: Writes = PlainObject) -> Resolver:
    """Return the function that resolves `node` for an event, and learns the shapes of what it is given.

    Where `node` is an object, the function returns what `writes` makes of it.
    """
    asked = asked_members(node)
    shapes = _Shapes(node, asked, writes) if sum(map(len, asked.values())) >= _FEW else None
    if shapes and shapes.objects.names:
        return shapes.resolver()
    return generate(node, writes)


class _Shapes:
    """What is known of the shapes of events, and the function for each that came often."""

    def __init__(self, node: Node, asked: dict[Keys, frozenset[str]], writes: Writes) -> None:
        self._node = node
        self._asked = asked
        self._writes = writes
        self._general, self.objects = generate_body(node, writes=writes)
        #: The event and what lies in it, and what lies further in.
        self._near = [keys for keys in self.objects.names if len(keys) <= 1]
        self._far = [keys for keys in self.objects.names if len(keys) > 1]
        #: By the order of the near objects: the function that goes on from there, and those to which it goes.
        self._ways: dict[_Order, ByObjects] = {}
        self._bodies: dict[_Order, dict[_Order, ByObjects]] = {}
        self._orders = 0
        self._seen: defaultdict[_ShapeKey, int] = defaultdict(int)
        self._functions: dict[_ShapeKey, ByObjects] = {}
        self._left_over = 0

    def resolver(self) -> Resolver:
        """Return the function that finds the shape of an event, and the function for it."""
        known = {"known": self._ways.get, "any_way": self._way(self._far, {})}
        statements = [
            *chain.from_iterable(self.objects.fetched[keys] for keys in self._near),
            f" go_on = known({self._order_text(self._near)}) or any_way",
            f" return go_on(event, told, {self._named(self._near)})",
        ]
        return FunctionText(self.objects, names=known).function("event, told", statements)

    def _way(self, far: Sequence[Keys], bodies: dict[_Order, ByObjects]) -> ByObjects:
        """Return the function that goes on from the near objects where of the far ones only these can be there."""
        names = self.objects.names
        statements = [
            *(f" {names[keys]} = EMPTY" for keys in self._far if keys not in far),
            *chain.from_iterable(self.objects.fetched[keys] for keys in far),
            f" body = known({self._order_text(far)}) or learn({self._named(names)})",
            f" return body(event, told, {self._named(names)})",
        ]
        text = FunctionText(self.objects, names={"known": bodies.get, "learn": self._learn})
        return text.function(f"event, told, {self._named(self._near)}", statements)

    def _named(self, some: Iterable[Keys]) -> str:
        return ", ".join(self.objects.names[keys] for keys in some)

    def _order_text(self, some: Iterable[Keys]) -> str:
        """Write the order of objects, as `_order` makes it."""
        return f"({''.join(f'*{self.objects.names[keys]}, None, ' for keys in some)})"

    def _learn(self, *objects: Any) -> ByObjects:
        """Return the function for an event of these objects, and make one where its shape has come often enough."""
        if self._left_over > MAX_LEFT_OVER:
            self._forget()
        given = dict(zip(self.objects.names, objects, strict=True))
        if sum(len(name) for each in objects for name in each) > _MAX_CHARACTERS:
            return self._general
        shape = {
            keys: self._asked.get(keys, frozenset()).intersection(each) if type(each) is dict else None
            for keys, each in given.items()
        }
        key = tuple(shape.items())
        if key not in self._seen and len(self._seen) >= MAX_ORDERS:
            self._left_over += 1
            return self._general
        self._seen[key] += 1
        if self._seen[key] < SEEN:
            return self._general
        if key not in self._functions and len(self._functions) < MAX_FUNCTIONS:
            self._functions[key], _ = generate_body(pruned(self._node, shape), self.objects, shape, writes=self._writes)
        made = self._functions.get(key, self._general)
        if made is self._general or self._orders >= MAX_ORDERS:
            self._left_over += 1
        else:
            self._keep(given, made)
        return made

    def _keep(self, given: Mapping[Keys, Any], made: ByObjects) -> None:
        """Find the function by the orders of these objects from now on."""
        far: list[Keys] = []
        for keys in self._far:
            way, name = keys[:-1], keys[-1]
            may_have_it = type(given[way]) is not dict or name in given[way]
            if way in far or (way in self._near and may_have_it):
                far.append(keys)
        near = _order(given[keys] for keys in self._near)
        bodies = self._bodies.setdefault(near, {})
        if near not in self._ways:
            self._ways[near] = self._way(far, bodies)
        bodies[_order(given[keys] for keys in far)] = made
        self._orders += 1

    def _forget(self) -> None:
        self._left_over = self._orders = 0
        for known in (self._ways, self._bodies, self._seen, self._functions):
            known.clear()


def _order(objects: Iterable[Any]) -> _Order:
    return tuple(chain.from_iterable((*each, None) for each in objects))
