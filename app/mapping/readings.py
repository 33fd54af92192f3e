"""Which paths of an event each leaf of the output came from: for the console's tester and `pinrelay preview`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.mapping.javascript import may_have_members
from app.mapping.nodes import MISSING, Call, Choice, If, List, Node, Object, Path, Query, is_empty
from app.mapping.paths import read


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


def explain(node: Node, event: dict[str, Any]) -> Sequence[Explanation]:
    """Explain every leaf that gives something."""
    return tuple(_leaves(node, "", event))


def _leaves(node: Node, path: str, event: Any) -> Iterator[Explanation]:
    if isinstance(node, Object):
        for key, member in node.members:
            yield from _leaves(member, f"{path}.{key}" if path else key, event)
        return
    reads: list[Read] = []
    value = _evaluate(node, event, reads)
    if value is not MISSING:
        yield Explanation(path=path, value=value, reads=tuple(reads))


def _evaluate(node: Node, event: Any, reads: list[Read]) -> Any:  # noqa: PLR0911 - one case a kind of node
    """Resolve a node as the generated function does, and note what is read."""
    match node:
        case Path(text=text) | Query(text=text):
            value = _follow(node, event) if isinstance(node, Path) else node.find(event)
            if value is not MISSING:
                reads.append(Read(path=text, value=value))
            return value
        case Choice(options=options):
            return _first(options, event, reads)
        case If():
            value = _evaluate(node.value, event, reads)
            is_met = (value is not MISSING and value is not None) if node.test is None else node.test(value)
            return _evaluate(node.then if is_met else node.otherwise, event, reads)
        case Call(function=function, operands=operands):
            return function(*[_evaluate(operand, event, reads) for operand in operands])
        case List(items=items):
            values = [_evaluate(item, event, reads) for item in items]
            return [None if value is MISSING else value for value in values]
        case Object(members=members):
            pairs = [(key, _evaluate(member, event, reads)) for key, member in members]
            return {key: value for key, value in pairs if value is not MISSING}
    return node.value


def _follow(path: Path, event: Any) -> Any:
    return read(event, path.keys) if path.hands_on or not _is_handed_on(path, event) else MISSING


def _first(options: tuple[Node, ...], event: Any, reads: list[Read]) -> Any:
    """Resolve a choice; only what the winner read is kept."""
    start = len(reads)
    for option in options:
        value = _evaluate(option, event, reads)
        if not is_empty(value) and not _is_handed_on(option, event):
            return value
        del reads[start:]
    return MISSING


def _is_handed_on(option: Node, event: Any) -> bool:
    """Return whether a path gives the false or 0 of a parent instead of a member: no choice for `Choice`."""
    return isinstance(option, Path) and bool(option.keys) and not may_have_members(read(event, option.keys[:-1]))
