"""Which paths of an event each leaf of the output came from, and what else it could have come from.

The first is for the console's tester and `pinrelay preview`, the second for a field whose reader refuses the value
that the mapping gave. Both walk the tree of nodes, slowly.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from app.core.values.candidates import Candidate, FieldPath, PassedOver
from app.mapping.javascript import may_have_members
from app.mapping.nodes import (
    MISSING,
    NOTHING,
    Call,
    Choice,
    If,
    List,
    ListPath,
    Node,
    Object,
    Path,
    Told,
    places_of,
    tell,
)
from app.mapping.paths import read, read_in_lists

#: Of one field: nested choices multiply.
MAX_CANDIDATES: Final = 200

#: Dotted field -> which of its candidates was taken, counted from 0; without an entry the first.
Taken: TypeAlias = Mapping[str, int]
NONE_TAKEN: Final[Taken] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One path that was read, and what stood there: raw, so never to be stored."""

    path: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Where one leaf of the output came from."""

    #: In the output: `user_data.email`; "" is the whole output.
    path: str
    value: Any
    #: In the order of reading. Empty: it stands in the mapping itself.
    reads: tuple[Read, ...]


def explain(node: Node, event: dict[str, Any], taken: Taken) -> Sequence[Explanation]:
    """Return one explanation for every leaf that gives something."""
    return tuple(_leaves(node, "", event, taken))


def candidates(node: Node, event: dict[str, Any], told: list[PassedOver], path: FieldPath) -> Iterator[Candidate]:
    """Yield what the field at `path` could be, the first choice first; nothing where the mapping leaves no choice.

    What choices pass over on the way is added to `told`.
    """
    for key in path:
        node = dict(node.members).get(key, NOTHING) if isinstance(node, Object) else NOTHING
    if _leaves_choice(node):
        for found in islice(_Walk(event, told).candidates(node), MAX_CANDIDATES):
            yield Candidate(", ".join(places_of(found.node)) or "the mapping", found.value)


def _leaves(node: Node, path: str, event: Any, taken: Taken) -> Iterator[Explanation]:
    if isinstance(node, Object):
        for key, member in node.members:
            yield from _leaves(member, f"{path}.{key}" if path else key, event, taken)
        return
    start = taken.get(path, 0)
    for found in islice(_Walk(event, []).candidates(node), start, start + 1):
        yield Explanation(path=path, value=found.value, reads=found.reads)


def _leaves_choice(node: Node) -> bool:
    match node:
        case Choice():
            return True
        case If(then=then, otherwise=otherwise):
            return _leaves_choice(then) or _leaves_choice(otherwise)
        case Call(operands=operands):
            return any(map(_leaves_choice, operands))
    return False


class _Found(NamedTuple):
    value: Any
    reads: tuple[Read, ...]
    #: What gave it.
    node: Node


class _Walk:
    """Resolves nodes as the generated function does, and notes what is read."""

    def __init__(self, event: Any, told: list[PassedOver]) -> None:
        self._event = event
        self._told = told

    def candidates(self, node: Node) -> Iterator[_Found]:
        """Yield every value that a node could give, the one that it gives first."""
        match node:
            case Choice():
                yield from self._options(node)
            case If():
                reads: list[Read] = []
                branch = self._branch(node, reads)
                for found in self.candidates(branch):
                    yield found._replace(reads=(*reads, *found.reads))
            case Call() if _leaves_choice(node):
                yield from self._combinations(node)
            case _:
                reads = []
                value = self._value(node, reads)
                if value is not MISSING:
                    yield _Found(value, tuple(reads), node)

    def _options(self, choice: Choice) -> Iterator[_Found]:
        for option, about in zip(choice.options, choice.about, strict=True):
            if _is_handed_on(option, self._event):
                continue
            for found in self.candidates(option):
                if choice.is_usable(found.value) or tell(self._told, about, found.value):
                    yield found

    def _combinations(self, call: Call) -> Iterator[_Found]:
        """Yield what a call makes of every combination of its operands, unless it makes nothing of the first."""
        nothing = _Found(MISSING, (), NOTHING)
        operands = [list(islice(self.candidates(one), MAX_CANDIDATES)) or [nothing] for one in call.operands]
        for number, combination in enumerate(product(*operands)):
            value = call.function(*(found.value for found in combination))
            if value is MISSING and number == 0:
                return
            if value is not MISSING:
                yield _Found(value, tuple(read for found in combination for read in found.reads), call)

    def _branch(self, node: If, reads: list[Read]) -> Node:
        value = self._value(node.value, reads)
        is_met = (value is not MISSING and value is not None) if node.test is None else node.test(value)
        return node.then if is_met else node.otherwise

    def _value(self, node: Node, reads: list[Read]) -> Any:  # noqa: PLR0911 - one case a kind of node
        match node:
            case Path(text=text) | ListPath(text=text):
                value = _follow(node, self._event) if isinstance(node, Path) else node.find(self._event)
                if value is not MISSING:
                    reads.append(Read(path=text, value=value))
                return value
            case Choice() | If():
                found = next(self.candidates(node), None)
                reads += found.reads if found else ()
                return found.value if found else MISSING
            case Call(function=function, operands=operands):
                return function(*[self._value(operand, reads) for operand in operands])
            case List(items=items):
                values = [self._value(item, reads) for item in items]
                return [None if value is MISSING else value for value in values]
            case Object(members=members):
                pairs = [(key, self._value(member, reads)) for key, member in members]
                return {key: value for key, value in pairs if value is not MISSING}
            case Told():
                return self._told
        return node.value


def _follow(path: Path, event: Any) -> Any:
    value = read(event, path.keys) if path.hands_on or not _is_handed_on(path, event) else MISSING
    return read_in_lists(path.keys, event) if value is MISSING and not path.hands_on else value


def _is_handed_on(option: Node, event: Any) -> bool:
    """Return whether a path gives the false or 0 of a parent instead of a member: no choice for `Choice`."""
    return isinstance(option, Path) and bool(option.keys) and not may_have_members(read(event, option.keys[:-1]))
