"""A mapping, compiled once and resolved for each event."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from app.core.values.candidates import Fields, PassedOver
from app.core.values.generated_functions import Writes
from app.errors import Fault, MappingError
from app.mapping.by_shape import generate_by_shape
from app.mapping.compiler import Compiler, Pieces, json_kind
from app.mapping.directives import DIRECTIVES
from app.mapping.lists import joined_members
from app.mapping.nodes import MISSING, Call, Constant, List, Node, Object, Resolver
from app.mapping.readings import NONE_TAKEN, Explanation, Taken, candidates, explain
from app.mapping.shapes import asked_members
from app.mapping.wanted import NO_READERS, Readers


def compile_mapping(
    mapping: Any,
    *,
    prefix: str = "",
    joined: Collection[str] = (),
    readers: Readers = NO_READERS,
    like: "Mapping | None" = None,
) -> "Mapping":
    """Compile a mapping, a JSON object with directives.

    Where a directive gives a list of objects for one of the members `joined`, they become one object of lists.
    `readers` says what the fields' readers take where a choice cannot leave it to them, see `wanted`.
    `like` is a mapping with the same prefix and readers that this one was laid over: the objects that both share are
    taken from it as they were compiled.

    Raises `MappingError` with every fault at once, each with its JSON pointer below `prefix`
    (`compile_mapping(m, prefix="/mapping")` gives `/mapping/user_data/email/@if/then`).
    """
    if not isinstance(mapping, dict):
        raise MappingError([Fault(prefix, f"should be an object but it is {json_kind(mapping)}")])
    compiler = Compiler(DIRECTIVES, readers, like.parts if like else {})
    node = compiler.compile(mapping, prefix)
    if compiler.faults:
        raise MappingError(compiler.faults)
    return Mapping(_with_joined(node, joined), at=prefix, parts=compiler.parts)


def _with_joined(node: Node, names: Collection[str]) -> Node:
    if not isinstance(node, Object):
        return node
    return Object(
        members=tuple(
            (
                name,
                Call(function=joined_members, operands=(member,)) if name in names and _may_be_list(member) else member,
            )
            for name, member in node.members
        )
    )


def _may_be_list(node: Node) -> bool:
    """Return whether the event decides what a member is, not the mapping itself."""
    return not isinstance(node, Object | List | Constant)


class Mapping:
    """A compiled mapping; make it with `compile_mapping`. Immutable, so threads may share it."""

    def __init__(self, node: Node, *, at: str, parts: Pieces) -> None:
        #: For `compile_mapping(..., like=...)`.
        self.parts = parts
        self._node = node
        self._at = at
        #: Made for the first event: presets that are switched off, and most commands, never need it.
        self._resolve: Resolver | None = None
        #: The same, by what writes how the fields are read at once; as many as there are kinds of ad accounts.
        self._readers: dict[Writes, Resolver] = {}
        self._find = partial(candidates, node)
        #: of(event): the fields that the mapping gives for it, for whoever may not need them all.
        self.of: Callable[[dict[str, Any]], Resolution] = partial(Resolution, self)

    def resolve(self, event: dict[str, Any]) -> Any:
        """Return what the mapping makes of an event, usually `Fields`; None where nothing results.

        Parts of the event are handed on, not copied: neither may be changed afterwards.
        Raises `MappingError` where Segment's engine would refuse too: a path or template that the event
        should name but does not; and where the event is nested too deeply to be read.
        """
        if not isinstance(event, dict):
            raise MappingError([Fault(self._at, f"is for events, which are objects, but this is {json_kind(event)}")])
        resolve = self._resolve or self._generated()
        told: list[PassedOver] = []
        try:
            value = resolve(event, told)
        except RecursionError:
            raise self._too_deep() from None
        if type(value) is dict:
            value = Fields(value)
            value.event, value.passed_over, value.find = event, told, self._find
        return None if value is MISSING else value

    def reader(self, writes: Writes) -> Resolver:
        """Return the function that resolves an event and does with each field as it is found what `writes` writes."""
        read = self._readers.get(writes)
        if read is None:
            read = generate_by_shape(self._node, writes) if isinstance(self._node, Object) else _nothing
            self._readers[writes] = read
        return read

    def _generated(self) -> Resolver:
        self._resolve = generate_by_shape(self._node)
        return self._resolve

    def explain(self, event: dict[str, Any], taken: Taken = NONE_TAKEN) -> Sequence[Explanation]:
        """Return for each leaf of the output which paths of the event it was made from. Slow: for people.

        `taken` says of fields whose reader refused the first candidate which one it took, counted from 0.
        Raises MappingError where the event is nested too deeply.
        """
        try:
            return explain(self._node, event, taken)
        except RecursionError:
            raise self._too_deep() from None

    def literal(self, *keys: str) -> Any:
        """Return the value that the mapping holds at `keys` whatever the event, MISSING where it depends on the event.

        >>> compile_mapping({"event_name": "checkout"}).literal("event_name")
        'checkout'
        """
        node = self._node
        for key in keys:
            members = dict(node.members) if isinstance(node, Object) else {}
            node = members.get(key, Constant(value=MISSING))
        return _literal(node)

    @property
    def asked(self) -> Collection[tuple[str, ...]]:
        """The keys that lead to each object of an event of which the mapping asks a member."""
        return asked_members(self._node).keys()

    def _too_deep(self) -> MappingError:
        return MappingError([Fault(self._at, "cannot be resolved: the event is nested too deeply")])


def _literal(node: Node) -> Any:
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, List):
        items = [_literal(item) for item in node.items]
        return MISSING if MISSING in items else items
    return MISSING


class Resolution:
    """The fields that a mapping gives for one event: resolved when they are asked for, or read without."""

    __slots__ = ("_event", "_fields", "_mapping")

    def __init__(self, mapping: Mapping, event: dict[str, Any]) -> None:
        self._mapping = mapping
        self._event = event
        self._fields: dict[str, Any] | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """All fields; none where the mapping gives nothing. Raises MappingError as `Mapping.resolve` does."""
        if self._fields is None:
            self._fields = self._mapping.resolve(self._event) or {}
        return self._fields

    def read_by(self, writes: Writes) -> Any:
        """Return what the mapping's `reader` makes of the event; None for nothing.

        Nothing is also where the mapping passes anything over, or the event is nested too deeply. Raises MappingError
        as `Mapping.resolve` does.
        """
        told: list[PassedOver] = []
        try:
            made = self._mapping.reader(writes)(self._event, told)
        except RecursionError:
            return None
        return None if told else made


def _nothing(_: Any, __: list[PassedOver]) -> None:
    """Stand for the reader of a mapping that gives no object."""
