"""`@blocks`: places of an event that each describe a person or thing, read member by member.

Different blocks may describe different people; the action decides which block to use.
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
    """The place of a block in an event, with the mapping from its keys to members."""

    #: The path in messages, such as `properties.customer`.
    name: str
    keys: tuple[str, ...]
    is_recipient: bool
    #: Keys of the event with their members, in the order of priority.
    spellings: tuple[tuple[str, str], ...]
    #: Keys of members that do not form a block on their own.
    beside: tuple[tuple[str, str], ...]
    #: Inner objects of the same block, which are read first.
    within: tuple[str, ...]


class _Branch(NamedTuple):
    """An object of the event that is a place or contains places, so that few key checks rule out all of them."""

    keys: tuple[str, ...]
    #: Without these keys neither the branch nor its sub-branches have a block.
    wanted: frozenset[str]
    #: The place at the branch, with its number among all places; `None` if the branch only contains other places.
    own: tuple[int, _Place] | None
    #: Sub-branches by key.
    below: tuple[tuple[str, "_Branch"], ...]


def build_blocks(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@blocks`: the data of persons at `places` and `recipients`, by `members` and their spellings.

    The result is a list of `{place, is_recipient, values}` with the blocks that contain any member outside `beside`.
    The values of a member are pairs of key and value, for all its spellings in order.
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
    """Read a place: a path, or `{place: path, members: more spellings}`."""
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
    """Return every key with its member, in the order of the spellings."""
    return tuple((key, member) for member, keys in members.items() for key in keys)


def _roots(places: Sequence[_Place]) -> list[_Branch]:
    """Return the places as trees. The root of a tree is the first object that is a place itself."""
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
    """Read the blocks in the objects at the roots; MISSING without a block."""
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
        given = joined_members(given)  # several people, an object for each
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
    """Return the values in a block, by member; empty if the block only has members of `beside`."""
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
    """Add the values in an object to its block."""
    for key, member in spellings:
        if key in given and not says_nothing(given[key]):
            values.setdefault(member, []).append([within + key, given[key]])
