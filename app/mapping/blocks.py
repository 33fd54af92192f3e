"""`@blocks`: the places of an event that each say something of one person or thing, read member by member.

What stands in different blocks may be about different people; which of them counts is for the action to decide.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from app.core.values.candidates import Blocks
from app.core.values.placeholders import says_nothing
from app.mapping.compiler import Compiler, json_kind, pointer
from app.mapping.lists import joined_members
from app.mapping.nodes import MISSING, NOTHING, Call, Node, Path
from app.mapping.paths import path_node, without_prefix

_OPTIONS = ("members", "beside", "within", "places", "recipients")
_OF_A_PLACE = ("place", "members")


class _Place(NamedTuple):
    """Where a block stands in an event, and which of its keys are read as which members."""

    #: As told to people, such as `properties.customer`.
    name: str
    keys: tuple[str, ...]
    is_recipient: bool
    #: Keys of the event and the member that each spells, in the order in which the spellings are tried.
    spellings: tuple[tuple[str, str], ...]
    #: Likewise, of members that make no block by themselves.
    beside: tuple[tuple[str, str], ...]
    #: Objects in it that belong to the same block and are read first.
    within: tuple[str, ...]


class _Branch(NamedTuple):
    """An object of the event that is a place or holds places, so that few keys tell whether any of them is there."""

    keys: tuple[str, ...]
    #: Without any of these keys neither it nor anything below it is a block.
    wanted: frozenset[str]
    #: What is read in it, with its number among all places; None where it only holds others.
    own: tuple[int, _Place] | None
    #: By key, what lies in it.
    below: tuple[tuple[str, "_Branch"], ...]


def build_blocks(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@blocks`: what `places` and `recipients` each say of one person, by `members` and their spellings.

    Gives a list of `{place, is_recipient, values}`, of the blocks that hold any of the members, those `beside` them
    excepted; the values of a member are pairs of key and value, of all its spellings in their order.
    """
    options = compiler.options(value, at, _OPTIONS)
    if options is None or not compiler.required(options, at, "members") or not compiler.required(options, at, "places"):
        return NOTHING
    members = _members(compiler, options["members"], pointer(at, "members"))
    beside = _members(compiler, options.get("beside", {}), pointer(at, "beside"))
    within = tuple(_texts(compiler, options.get("within", []), pointer(at, "within")))
    places: list[_Place] = []
    for key in ("places", "recipients"):
        listed = options.get(key, [])
        if not isinstance(listed, list):
            compiler.fault(pointer(at, key), f"should be a list of places but it is {json_kind(listed)}")
            continue
        for index, item in enumerate(listed):
            node, own = _place(compiler, item, pointer(pointer(at, key), str(index)))
            if isinstance(node, Path):
                spellings = _spellings(members | own)
                places.append(_Place(node.text, node.keys, key == "recipients", spellings, _spellings(beside), within))
    roots = _roots(places)
    paths = tuple(Path(text=".".join(root.keys), keys=root.keys, hands_on=False) for root in roots)
    needed = tuple((root.keys, root.wanted) for root in roots)
    return Call(function=partial(_blocks, tuple(roots)), operands=paths, needs_members=needed)


def _place(compiler: Compiler, item: Any, at: str) -> tuple[Node, dict[str, list[str]]]:
    """Read one place: a path, or `{place: path, members: more spellings}`."""
    if isinstance(item, dict):
        options = compiler.options(item, at, _OF_A_PLACE) or {}
        own = _members(compiler, options.get("members", {}), pointer(at, "members"))
        item, at = options.get("place"), pointer(at, "place")
    else:
        own = {}
    text = compiler.text(item, at)
    node = NOTHING if text is None else path_node(compiler, without_prefix(text), at)
    if text is not None and not (isinstance(node, Path) and node.keys):
        compiler.fault(at, "should be the path of one object")
        return NOTHING, own
    return node, own


def _members(compiler: Compiler, value: Any, at: str) -> dict[str, list[str]]:
    if not isinstance(value, dict):
        compiler.fault(at, f"should be an object of lists but it is {json_kind(value)}")
        return {}
    return {name: _texts(compiler, spellings, pointer(at, name)) for name, spellings in value.items()}


def _texts(compiler: Compiler, value: Any, at: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        compiler.fault(at, "should be a list of texts")
        return []
    return value


def _spellings(members: Mapping[str, list[str]]) -> tuple[tuple[str, str], ...]:
    """Return every key with the member that it spells, those of one member in their order."""
    return tuple((key, member) for member, keys in members.items() for key in keys)


def _roots(places: Sequence[_Place]) -> list[_Branch]:
    """Return the places as trees, each from the first object on that is a place itself."""
    numbered = {place.keys: (number, place) for number, place in enumerate(places)}
    starts = [keys for keys in numbered if not any(keys[:end] in numbered for end in range(1, len(keys)))]
    return [_branch(keys, numbered) for keys in starts]


def _branch(keys: tuple[str, ...], numbered: Mapping[tuple[str, ...], tuple[int, _Place]]) -> _Branch:
    depth = len(keys)
    names = dict.fromkeys(other[depth] for other in numbered if len(other) > depth and other[:depth] == keys)
    below = tuple((name, _branch((*keys, name), numbered)) for name in names)
    own = numbered.get(keys)
    wanted = {*names, *((key for key, _ in own[1].spellings) if own else ()), *(own[1].within if own else ())}
    return _Branch(keys, frozenset(wanted), own, below)


def _blocks(roots: tuple[_Branch, ...], *objects: Any) -> Any:
    """Read the blocks in the objects at the roots; MISSING where there is none."""
    found: list[tuple[int, dict[str, Any]]] = []
    for root, given in zip(roots, objects, strict=True):
        if given is not MISSING:
            _gather(root, given, found)
    if len(found) > 1:
        found.sort(key=itemgetter(0))
    return Blocks([block for _, block in found]) if found else MISSING


def _gather(branch: _Branch, given: Any, found: list[tuple[int, dict[str, Any]]]) -> None:
    """Add the block at a branch and those below it, each with its number."""
    if given.__class__ is list:
        given = joined_members(given)  # several people, one object each
    if given.__class__ is not dict or branch.wanted.isdisjoint(given):
        return
    if branch.own is not None:
        number, place = branch.own
        values = _values(place, given)
        if values:
            found.append((number, {"place": place.name, "is_recipient": place.is_recipient, "values": values}))
    for key, below in branch.below:
        if key in given:
            _gather(below, given[key], found)


def _values(place: _Place, given: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what stands in one block, by member; nothing where none is there but those beside others."""
    values: dict[str, list[Any]] = {}
    for name in place.within:
        if name in given and (inner := joined_members(given[name])).__class__ is dict:
            _read(place.spellings, inner, f"{name}.", values)
    _read(place.spellings, given, "", values)
    if values:
        _read(place.beside, given, "", values)
    return values


def _read(
    spellings: tuple[tuple[str, str], ...], given: dict[str, Any], within: str, values: dict[str, list[Any]]
) -> None:
    """Add what one object says to the values of its block."""
    for key, member in spellings:
        if key in given and not says_nothing(given[key]):
            values.setdefault(member, []).append([within + key, given[key]])
