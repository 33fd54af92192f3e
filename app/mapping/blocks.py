"""`@blocks`: the places of an event that each say something of one person or thing, read member by member.

What stands in different blocks may be about different people; which of them counts is for the action to decide.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from app.mapping.compiler import Compiler, json_kind, pointer
from app.mapping.lists import joined_members
from app.mapping.nodes import MISSING, NOTHING, Call, Node, Path
from app.mapping.paths import path_node, without_prefix
from app.values.placeholders import says_nothing

_OPTIONS = ("members", "beside", "within", "places", "recipients")
_OF_A_PLACE = ("place", "members")


class _Place(NamedTuple):
    """How one block is read."""

    #: As told to people, such as `properties.customer`.
    name: str
    is_recipient: bool
    #: Key of the event -> the member that it spells and its rank among the spellings.
    spellings: Mapping[str, tuple[str, int]]
    #: Likewise, of members that make no block by themselves.
    beside: Mapping[str, tuple[str, int]]
    #: Objects in it that belong to the same block and are read first.
    within: tuple[str, ...]


def build_blocks(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@blocks`: `members` with their spellings, `places` and `recipients` to read them in.

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
    nodes: list[Node] = []
    for key in ("places", "recipients"):
        listed = options.get(key, [])
        if not isinstance(listed, list):
            compiler.fault(pointer(at, key), f"should be a list of places but it is {json_kind(listed)}")
            continue
        for index, item in enumerate(listed):
            node, own = _place(compiler, item, pointer(pointer(at, key), str(index)))
            if isinstance(node, Path):
                nodes.append(node)
                places.append(_Place(node.text, key == "recipients", _ranked(members | own), _ranked(beside), within))
    return Call(function=partial(_blocks, tuple(places)), operands=tuple(nodes))


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


def _ranked(members: Mapping[str, list[str]]) -> dict[str, tuple[str, int]]:
    """Turn members and their spellings around."""
    return {key: (member, rank) for member, spellings in members.items() for rank, key in enumerate(spellings)}


def _blocks(places: tuple[_Place, ...], *objects: Any) -> Any:
    """Read the objects that stand at the places; MISSING where none of them holds any of the members."""
    found = []
    for place, given in zip(places, objects, strict=True):
        if given.__class__ is list:
            given = joined_members(given)  # noqa: PLW2901 - several people, one object each
        if given.__class__ is dict and (values := _values(place, given)):
            found.append({"place": place.name, "is_recipient": place.is_recipient, "values": values})
    return found or MISSING


def _values(place: _Place, given: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what stands in one block, by member; nothing where none is there but those beside others."""
    values: dict[str, list[Any]] = {}
    for name in place.within:
        if name in given and given[name].__class__ is dict:
            _read(place.spellings, given[name], f"{name}.", values)
    _read(place.spellings, given, "", values)
    if values:
        _read(place.beside, given, "", values)
    return values


def _read(
    spellings: Mapping[str, tuple[str, int]], given: dict[str, Any], within: str, values: dict[str, list[Any]]
) -> None:
    """Add what one object says to the values of its block."""
    if given.keys().isdisjoint(spellings):
        return
    for key in sorted(spellings.keys() & given.keys(), key=lambda key: spellings[key][1]):
        if not says_nothing(given[key]):
            values.setdefault(spellings[key][0], []).append([f"{within}{key}", given[key]])
