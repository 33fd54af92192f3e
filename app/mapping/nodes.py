"""The nodes of a compiled mapping, a small tree.

`generate` turns the tree into a Python function.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Literal, TypeAlias

from app.core.values.amounts import is_plain_text, read_amount
from app.core.values.candidates import PassedOver
from app.core.values.placeholders import says_a_text, says_something


class Missing:
    """The value for an absent key or item. Unlike `None` (JSON's null), MISSING removes the key."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a readable text for test failures."""
        return "MISSING"


MISSING: Final = Missing()

#: The path of an object or member of an event; () is the event.
Keys: TypeAlias = tuple[str, ...]

#: Converts an event (or list item) to a value or MISSING; appends the values that choices skip to the list.
Resolver: TypeAlias = Callable[[Any, list[PassedOver]], Any]


#: The default reason of a choice for skipping a value.
SAYS_NOTHING: Final = "it is empty, blank or a placeholder"


def is_number(value: Any) -> bool:
    """Return whether arithmetic can read an amount from a value in some context."""
    if type(value) is int or type(value) is float:  # nearly every amount
        return isfinite(value)
    return is_plain_text(value) or read_amount(value) is not None


#: Field of the action, place in the event, and reason of a skipped value.
About: TypeAlias = tuple[str, str, str]


def note_passed_over(told: list[PassedOver], about: About, value: Any) -> bool:
    """Record a skipped value, unless it is empty. Return False, so that choices continue."""
    if not _is_nothing(value):
        told.append(PassedOver(*about, value))
    return False


def _is_nothing(value: Any) -> bool:
    """Return whether a value is null, an empty text, or a wildcard's list of only such values."""
    return value is None or value == "" or (type(value) is list and bool(value) and all(map(_is_nothing, value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A text, number, boolean or null of the mapping itself; MISSING for a node without a value."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A dotted path; without keys: the whole event."""

    #: The path as written, for explanations.
    text: str
    keys: tuple[str, ...]
    #: Whether the path follows Segment's rules: a path into false or 0 returns that value, and a path into a list has
    #: no value. Otherwise, for privacy fields, false and 0 have no members, and a list has the members of all its
    #: items.
    hands_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPath:
    """A JSONPath with wildcards, slices or filters. Its value is a list, or MISSING without a match."""

    text: str
    find: Callable[[Any], Any]
    #: Places in an object; without any of them the path has no match. Empty if unknown.
    under: tuple[Keys, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The first usable option; a path into false or 0 is not usable."""

    options: tuple["Node", ...]
    is_usable: Callable[[Any], bool] = says_something
    #: The report for each option if it is skipped.
    about: tuple[About, ...]
    #: Skipped options cause no warning, because another choice over the same options does.
    is_silent: bool = False

    @property
    def takes_texts(self) -> bool:
        """Return whether every non-empty text is usable."""
        return self.is_usable in (says_something, says_a_text)

    @property
    def takes_numbers(self) -> bool:
        """Return whether every number of JSON is usable."""
        return self.is_usable in (says_something, is_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """A condition: `then` if the test is true for the value, otherwise `otherwise`."""

    value: "Node"
    #: `None` tests that the value exists and is not null, the most frequent test.
    test: Callable[[Any], bool] | None
    then: "Node"
    otherwise: "Node"
    #: The only text that passes; `None` if the test is different.
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object, created for each event; members that are MISSING are omitted."""

    members: tuple[tuple[str, "Node"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """A list, created for each event; items that are MISSING become null, as in JavaScript's JSON."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function of the values of its operands, each of which may be MISSING."""

    function: Callable[..., Any]
    operands: tuple["Node", ...]
    #: "all": MISSING if any operand is MISSING, "any": if all are. Otherwise the function must be called.
    needs: Literal["all", "any", "nothing"] = "nothing"
    #: Replaces `needs`: at these keys must be an object with any of these members, or a list.
    needs_members: tuple[tuple[tuple[str, ...], frozenset[str]], ...] = ()
    #: A non-empty text without any of these marks has no result; empty if the function must be called.
    marks: tuple[str, ...] = ()
    #: The result is computed, not from the event.
    computes: bool = False
    #: Several nodes share the result: it is computed once, and never by a recording function.
    is_shared: bool = False
    #: For explanations: paths that the function itself reads from the event.
    looks_up: tuple[str, ...] = ()
    #: For explanations: the shape of each item of a list, with paths that start at the item.
    shape: "Node | None" = None


@dataclass(frozen=True, slots=True)
class Told:
    """The list of skipped values, for calls that resolve nodes themselves."""


Node: TypeAlias = Constant | Path | ListPath | Choice | If | Object | List | Call | Told

TOLD: Final = Told()
NOTHING: Final = Constant(value=MISSING)
EVENT: Final = Path(text="$", keys=())


def places_of(node: Node) -> tuple[str, ...]:
    """Return the paths that the value of a node comes from, in order, without duplicates."""
    match node:
        case Path(text=text) | ListPath(text=text):
            return (text,)
        case Call(operands=nodes) | Choice(options=nodes) | List(items=nodes):
            found = nodes
        case If(then=then, otherwise=otherwise):
            found = (then, otherwise)
        case Object(members=members):
            found = tuple(member for _, member in members)
        case _:
            found = ()
    return tuple(dict.fromkeys(place for inner in found for place in places_of(inner)))


def parent_keys(option: tuple[Node, About]) -> tuple[str, ...] | None:
    """Return the keys of the object that contains an option's path; `None` for other options."""
    match option[0]:
        case Path(keys=(*above, _)) | ListPath(under=((*above, _), *_)):
            return tuple(above)
    return None


def leaves_choice(node: Node) -> bool:
    """Return whether a node may have another candidate after the first is rejected."""
    match node:
        case Choice():
            return True
        case If(then=then, otherwise=otherwise):
            return leaves_choice(then) or leaves_choice(otherwise)
        case Call(operands=operands):
            return any(map(leaves_choice, operands))
    return False


def needed_places(node: Node) -> Collection[Keys] | None:  # noqa: PLR0911 - one line a kind of node
    """Return places without which a node has no value and skips no value; `None` if there are no such places.

    A list on the way to a place counts as present.
    """
    match node:
        case Path(keys=(_, *_) as keys):
            return (keys,)
        case ListPath(under=(_, *_) as under):
            return under
        case Constant(value=value) if value is MISSING:
            return ()
        case Call(needs_members=(_, *_) as needed):
            return [(*keys, name) for keys, names in needed for name in sorted(names)]
        case Choice(options=nodes) | Call(operands=nodes, needs="any"):
            return needed_by_any(nodes)
        case Call(operands=nodes, needs="all"):
            found = [places for each in nodes if (places := needed_places(each)) is not None]
            return min(found, key=len, default=None)
        case If(value=value, test=test, then=then, otherwise=otherwise):
            by_branches = needed_by_any([then, otherwise]) if isinstance(value, Path | ListPath) else None
            by_value = needed_by_any([value, then if test and test(MISSING) else otherwise])
            return by_branches or by_value
    return None


def needs_all(node: Node) -> bool:
    """Return whether a node needs several places at once to have or skip a value."""
    return (isinstance(node, Call) and node.needs == "all") or any(map(needs_all, _parts(node)))


def looks_into_lists(node: Node) -> bool:
    """Return whether a node may read members of items in a list on the way to its places."""
    match node:
        case Path(hands_on=False) | Call(needs_members=(_, *_)):
            return True
    return any(map(looks_into_lists, _parts(node)))


def asked_objects(node: Node) -> Collection[Keys]:
    """Return the keys of all objects that a node reads members of, and of their parents."""
    return dict.fromkeys(keys[:depth] for keys in _places(node) for depth in range(len(keys)))


def asked_paths(node: Node) -> tuple[str, ...]:
    """Return the paths that a node may read, in order, without duplicates."""
    match node:
        case Path(text=text) | ListPath(text=text):
            return (text,)
        case Call(looks_up=(_, *_) as paths):
            return paths
    found = [path for part in _parts(node) for path in asked_paths(part)]
    if isinstance(node, Call) and node.shape is not None:
        found += _below_items(node, node.shape)
    return tuple(dict.fromkeys(found))


def asked_by_items(node: Node) -> dict[str, tuple[str, ...]]:
    """Return the paths for each member of the items of a list, by the dotted name of the member."""
    match node:
        case Call(shape=Object() as shape):
            asked = [(name, _below_items(node, member)) for name, member in leaves(shape)]
        case List(items=items):
            members = (each for item in items if isinstance(item, Object) for each in leaves(item))
            asked = [(name, asked_paths(member)) for name, member in members]
        case Choice(options=nodes):
            asked = [each for part in nodes for each in asked_by_items(part).items()]
        case If(then=then, otherwise=otherwise):
            asked = [each for part in (then, otherwise) for each in asked_by_items(part).items()]
        case _:
            asked = []
    found: dict[str, tuple[str, ...]] = {}
    for name, paths in asked:
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *paths)))
    return found


def _below_items(node: Call, inner: Node) -> tuple[str, ...]:
    """Return the paths below items of lists, starting at the event."""
    return tuple(f"{place}[*].{path}" for place in places_of(node) for path in asked_paths(inner))


def leaves(node: Node, at: str = "") -> Iterator[tuple[str, Node]]:
    """Yield the leaves of a node, those that are not objects, by dotted name."""
    if isinstance(node, Object):
        for key, member in node.members:
            yield from leaves(member, f"{at}.{key}" if at else key)
    else:
        yield at, node


def _places(node: Node) -> Iterator[Keys]:
    """Yield the keys of all values that a node reads."""
    match node:
        case Path(keys=keys):
            yield keys
        case ListPath(under=under):
            yield from under
        case Call(needs_members=needed):
            yield from ((*keys, name) for keys, names in needed for name in names)
    for part in _parts(node):
        yield from _places(part)


def _parts(node: Node) -> Sequence[Node]:
    """Return the direct children of a node."""
    match node:
        case Choice(options=nodes) | List(items=nodes) | Call(operands=nodes):
            return nodes
        case If(value=value, then=then, otherwise=otherwise):
            return value, then, otherwise
        case Object(members=members):
            return [member for _, member in members]
    return ()


def needed_by_any(nodes: Iterable[Node]) -> Collection[Keys] | None:
    """Return the places without which none of several nodes has a value: see `needed_places`."""
    found: dict[Keys, None] = {}
    for node in nodes:
        places = needed_places(node)
        if places is None:
            return None
        found |= dict.fromkeys(places)
    return found
