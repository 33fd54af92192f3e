"""What a mapping is compiled to: a small tree.

`generate` turns it into one Python function.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Literal, TypeAlias

from app.core.values.amounts import is_plain_text, read_amount
from app.core.values.candidates import PassedOver
from app.core.values.placeholders import says_a_text, says_something


class Missing:
    """The one value that means "nothing here": unlike None (JSON's null) it leaves a key out."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Read well in test failures."""
        return "MISSING"


MISSING: Final = Missing()

#: The way to an object or member of an event; () is the event.
Keys: TypeAlias = tuple[str, ...]

#: Event (or list item) in, value or MISSING out; what choices pass over is added to the list.
Resolver: TypeAlias = Callable[[Any, list[PassedOver]], Any]


#: Why a choice passes a value over, where the field has no rule of its own.
SAYS_NOTHING: Final = "it is empty, blank or a placeholder"


def is_number(value: Any) -> bool:
    """Return whether arithmetic can read an amount from a value, in whatever context."""
    if type(value) is int or type(value) is float:  # nearly every amount
        return isfinite(value)
    return is_plain_text(value) or read_amount(value) is not None


#: Field of the action, place in the event, why: what is told of a value that is passed over.
About: TypeAlias = tuple[str, str, str]


def note_passed_over(told: list[PassedOver], about: About, value: Any) -> bool:
    """Note that a value was passed over, unless it is nothing at all. Return False, for choices to go on."""
    if not _is_nothing(value):
        told.append(PassedOver(*about, value))
    return False


def _is_nothing(value: Any) -> bool:
    """Return whether a value is null, an empty text, or what a wildcard finds where all items have only such."""
    return value is None or value == "" or (type(value) is list and bool(value) and all(map(_is_nothing, value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A text, number, boolean or null of the mapping itself; MISSING for what never gives anything."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A dotted path; no keys: the whole event."""

    #: As written, for explanations.
    text: str
    keys: tuple[str, ...]
    #: Whether a path into false or 0 gives that and one into a list leads nowhere, as Segment's paths do. Else, where
    #: privacy hangs on it, false and 0 have no members, and a list has those of all its items.
    hands_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPath:
    """A JSONPath with wildcards, slices or filters, which gives a list, or MISSING where nothing matches."""

    text: str
    find: Callable[[Any], Any]
    #: Places in one object, without all of which there is nothing to look for; none where that is not known.
    under: tuple[Keys, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The first option that is usable, and no path into false or 0."""

    options: tuple["Node", ...]
    is_usable: Callable[[Any], bool] = says_something
    #: What is told of each option that is passed over.
    about: tuple[About, ...]
    #: Skipped options leave no warning, because another choice among them leaves one.
    is_silent: bool = False

    @property
    def takes_texts(self) -> bool:
        """Return whether every text that says something is usable."""
        return self.is_usable in (says_something, says_a_text)

    @property
    def takes_numbers(self) -> bool:
        """Return whether every number of JSON is usable."""
        return self.is_usable in (says_something, is_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """A condition: `then` where the test holds for the value, else `otherwise`."""

    value: "Node"
    #: None asks whether the value is there and not null, the commonest question.
    test: Callable[[Any], bool] | None
    then: "Node"
    otherwise: "Node"
    #: The one word that holds, of texts; None where the test asks otherwise.
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object, built anew for each event; members that are MISSING are left out."""

    members: tuple[tuple[str, "Node"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """A list, built anew for each event; items that are MISSING become null, as in JavaScript's JSON."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function of the values of its operands, each of which may be MISSING."""

    function: Callable[..., Any]
    operands: tuple["Node", ...]
    #: "all": MISSING results where any operand is MISSING, "any": where all are. Else the function must be asked.
    needs: Literal["all", "any", "nothing"] = "nothing"
    #: Instead of `needs`: at these keys must be an object that has any of these members, or a list.
    needs_members: tuple[tuple[tuple[str, ...], frozenset[str]], ...] = ()
    #: A text that says something gives nothing without any of these in it; none where the function must be asked.
    marks: tuple[str, ...] = ()
    #: What results was computed, not written by anybody.
    computes: bool = False
    #: Several nodes ask the same of an event: it is found once, and never by a function that records.
    is_shared: bool = False
    #: For explanations: the paths that the function looks up in the event by itself.
    looks_up: tuple[str, ...] = ()
    #: For explanations: what each item of a list is made into, by paths that begin at the item.
    shape: "Node | None" = None


@dataclass(frozen=True, slots=True)
class Told:
    """The list of what is passed over, for calls that resolve something themselves."""


Node: TypeAlias = Constant | Path | ListPath | Choice | If | Object | List | Call | Told

TOLD: Final = Told()
NOTHING: Final = Constant(value=MISSING)
EVENT: Final = Path(text="$", keys=())


def places_of(node: Node) -> tuple[str, ...]:
    """Return the paths that a node reads where it is taken, in order, each once; none where it reads nothing itself."""
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
    """Return the keys of the object that an option, a path, asks; None for all else."""
    match option[0]:
        case Path(keys=(*above, _)) | ListPath(under=((*above, _), *_)):
            return tuple(above)
    return None


def leaves_choice(node: Node) -> bool:
    """Return whether there may be a next place where the first is refused."""
    match node:
        case Choice():
            return True
        case If(then=then, otherwise=otherwise):
            return leaves_choice(then) or leaves_choice(otherwise)
        case Call(operands=operands):
            return any(map(leaves_choice, operands))
    return False


def needed_places(node: Node) -> Collection[Keys] | None:  # noqa: PLR0911 - one line a kind of node
    """Return places without all of which a node gives nothing, and passes nothing over; None where it may all the same.

    What stands in a list on the way to them counts as there.
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
    """Return whether a node gives something, or passes something over, only where several places are there."""
    return (isinstance(node, Call) and node.needs == "all") or any(map(needs_all, _parts(node)))


def looks_into_lists(node: Node) -> bool:
    """Return whether a node may give something of what stands in a list on the way to its places."""
    match node:
        case Path(hands_on=False) | Call(needs_members=(_, *_)):
            return True
    return any(map(looks_into_lists, _parts(node)))


def asked_objects(node: Node) -> Collection[Keys]:
    """Return the ways to all objects of which a node asks a member, and to those around them."""
    return dict.fromkeys(keys[:depth] for keys in _places(node) for depth in range(len(keys)))


def asked_paths(node: Node) -> tuple[str, ...]:
    """Return the paths that a node may ask, in order, each once."""
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
    """Return the paths that are asked for each member of the items of a list, by the dotted name of the member."""
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
    """Return the paths that are asked of the items of lists, from the event on."""
    return tuple(f"{place}[*].{path}" for place in places_of(node) for path in asked_paths(inner))


def leaves(node: Node, at: str = "") -> Iterator[tuple[str, Node]]:
    """Yield what is no object by its dotted name below a node."""
    if isinstance(node, Object):
        for key, member in node.members:
            yield from leaves(member, f"{at}.{key}" if at else key)
    else:
        yield at, node


def _places(node: Node) -> Iterator[Keys]:
    """Yield the way to all that a node asks for."""
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
    """Return the nodes of which a node is made."""
    match node:
        case Choice(options=nodes) | List(items=nodes) | Call(operands=nodes):
            return nodes
        case If(value=value, then=then, otherwise=otherwise):
            return value, then, otherwise
        case Object(members=members):
            return [member for _, member in members]
    return ()


def needed_by_any(nodes: Iterable[Node]) -> Collection[Keys] | None:
    """Return the places without all of which none of several nodes gives anything: see `needed_places`."""
    found: dict[Keys, None] = {}
    for node in nodes:
        places = needed_places(node)
        if places is None:
            return None
        found |= dict.fromkeys(places)
    return found
