"""A mapping, compiled once and resolved for each event."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from typing import Any

from app.core.values.candidates import Candidate, FieldPath, Fields, PassedOver, Read, Resolvable
from app.core.values.generated_functions import PlainObject, Writes
from app.errors import Fault, MappingError
from app.mapping.choice_context import NO_READERS, Readers
from app.mapping.compiler import PRODUCT_ID, Compiler, Conditions, Pieces, json_kind
from app.mapping.directives import DIRECTIVES
from app.mapping.generate import MAX_CANDIDATES, FindsCandidates, generate, generate_candidates, generate_reader
from app.mapping.lists import joined_members
from app.mapping.nodes import (
    MISSING,
    NOTHING,
    Call,
    Choice,
    Constant,
    If,
    List,
    Node,
    Object,
    Resolver,
    asked_by_items,
    asked_objects,
    asked_paths,
    leaves,
    leaves_choice,
)


def compile_mapping(
    mapping: Any,
    *,
    prefix: str = "",
    joined: Collection[str] = (),
    readers: Readers = NO_READERS,
    like: "Mapping | None" = None,
    content_id: str = PRODUCT_ID,
    conditions: Conditions | None = None,
) -> "Mapping":
    """Compile a mapping, a JSON object with directives.

    If a directive returns a list of objects for a member of `joined`, the objects are merged into an object of lists.
    `readers` has the values that readers accept if a choice cannot leave the decision to them, see `choice_context`.
    `like` is a mapping with the same prefix and readers that was the base of this mapping: objects that both share are
    not compiled again. `content_id` is for `@productId`, see `Mapping.under`. `conditions` compiles `where` of `@each`.

    Raises `MappingError` with all faults, each with its JSON pointer below `prefix` (`compile_mapping(m,
    prefix="/mapping")` returns `/mapping/user_data/email/@if/then`).
    """
    if not isinstance(mapping, dict):
        raise MappingError([Fault(prefix, f"should be an object but it is {json_kind(mapping)}")])
    compiler = Compiler(DIRECTIVES, readers, like.under(content_id).parts if like else None, content_id, conditions)
    node = compiler.compile(mapping, prefix)
    if compiler.faults:
        raise MappingError(compiler.faults)
    compiled = partial(
        compile_mapping, mapping, prefix=prefix, joined=joined, readers=readers, like=like, conditions=conditions
    )
    return Mapping(_with_joined(node, joined), at=prefix, parts=compiler.parts, content_id=content_id, again=compiled)


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
    """Return whether the type of a member depends on the event."""
    return not isinstance(node, Object | List | Constant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The origin of a leaf of the output."""

    #: The path in the output: `user_data.email`; "" is the whole output.
    path: str
    value: Any
    #: In the order of reading. Empty if the value is in the mapping itself.
    reads: tuple[Read, ...]


class Mapping:
    """A compiled mapping from `compile_mapping`. Immutable, so threads may share it."""

    def __init__(self, node: Node, *, at: str, parts: Pieces, content_id: str, again: Callable[..., "Mapping"]) -> None:
        #: For `compile_mapping(..., like=...)`.
        self.parts = parts
        self._node = node
        self._at = at
        #: Compiles the same mapping for another CONTENT_ID.
        self._again = again
        #: By CONTENT_ID.
        self._under = {content_id: self}
        #: By emitter of the fields' readers; as many as there are kinds of ad accounts.
        self._readers: dict[Writes, Callable[..., Any]] = {}
        self._recorders: dict[Writes, Callable[..., Any]] = {}
        #: By field, and with or without arithmetic; `None` if there is no choice.
        self._candidates: dict[tuple[FieldPath, bool], FindsCandidates | None] = {}
        #: The position of each leaf.
        self._ranks = {path: number for number, (path, _) in enumerate(leaves(node))}

    def under(self, content_id: str) -> "Mapping":
        """Return the same mapping for another CONTENT_ID, compiled on first use."""
        mapping = self._under.get(content_id)
        if mapping is None:
            mapping = self._under[content_id] = self._again(content_id=content_id)
        return mapping

    def resolve(self, event: dict[str, Any]) -> Any:
        """Return the result of the mapping for an event, usually `Fields`; `None` without a result.

        Parts of the event are passed by reference, so neither may be changed afterwards. Raises `MappingError` in the
        same cases as Segment's engine (the event must contain a path or template but does not), and if the event is
        nested too deeply.
        """
        if not isinstance(event, dict):
            raise MappingError([Fault(self._at, f"needs an event, which is an object, but this is {json_kind(event)}")])
        places = Resolution(self, event)
        try:
            value = self._resolve(event, places.told)
        except RecursionError:
            raise self.too_deep() from None
        if type(value) is dict:
            return Fields(value, places)
        return None if value is MISSING else value

    @cached_property
    def _resolve(self) -> Resolver:
        """Generate the function on first use: presets that are switched off, and most commands, never need it."""
        return generate(self._node)

    def of(self, event: dict[str, Any]) -> Resolvable | dict[str, Any]:
        """Return the fields of an event for a reader on demand.

        If a single directive makes all fields, they are resolved immediately, with the errors of `resolve`.
        """
        return Resolution(self, event) if isinstance(self._node, Object) else _object_or_none(self.resolve(event))

    def reader(self, writes: Writes, *, recording: bool = False) -> Callable[..., Any]:
        """Return the function that finds each field and processes it as `writes` describes: see `generate_reader`."""
        made = self._recorders if recording else self._readers
        if writes not in made and isinstance(self._node, Object):
            made[writes] = generate_reader(self._node, writes, recording=recording)
        return made.get(writes, _nothing)

    def candidates(
        self, event: dict[str, Any], told: list[PassedOver], path: FieldPath, *, written: bool = False
    ) -> Iterator[Candidate]:
        """Return the possible values of the field at `path`, the default first; none if the mapping has no choice.

        Skipped values are appended to `told`. With `written`, computed values are omitted.
        """
        if (path, written) not in self._candidates:
            node = self._at_path(path)
            node = _without_arithmetic(node) if written else node
            self._candidates[path, written] = generate_candidates(node) if leaves_choice(node) else None
        find = self._candidates[path, written]
        return iter(()) if find is None else islice(find(event, told), MAX_CANDIDATES)

    def explain(self, event: dict[str, Any]) -> Sequence[Explanation]:
        """Return the paths of the event for each leaf of the output. Slow: for people.

        Raises MappingError if the event is nested too deeply.
        """
        recorded = self.recorded(event)
        recorded.find_all()
        return recorded.explanations()

    def recorded(self, event: dict[str, Any]) -> "Recorded":
        """Return the fields of an event with a record of their origin."""
        return Recorded(self, event)

    def first(self, event: dict[str, Any]) -> Candidate | None:
        """Return the result of the mapping as a whole, with the values that were read for it."""
        return next(generate_candidates(self._node)(event, []), None)

    def places(self, field: str) -> tuple[str, ...]:
        """Return the paths of a dotted field, including those of conditions; none if the field is constant."""
        return asked_paths(self._at_path(field.split(".")))

    def places_of_items(self, field: str) -> dict[str, tuple[str, ...]]:
        """Return the paths of each member of the items, if a dotted field is a list with a shape; otherwise empty."""
        return asked_by_items(self._at_path(field.split(".")))

    def rank(self, field: str) -> int:
        """Return the position of a field, or of the leaf that contains it."""
        while field and field not in self._ranks:
            field = field.rpartition(".")[0]
        return self._ranks.get(field, 0)

    @property
    def is_object(self) -> bool:
        """Return whether the members are known before any event."""
        return isinstance(self._node, Object)

    def _at_path(self, path: Sequence[str]) -> Node:
        node = self._node
        for key in path:
            node = dict(node.members).get(key, NOTHING) if isinstance(node, Object) else NOTHING
        return node

    def literal(self, *keys: str) -> Any:
        """Return the constant value of the mapping at `keys`; MISSING if the value depends on the event.

        >>> compile_mapping({"event_name": "checkout"}).literal("event_name")
        'checkout'
        """
        return _literal(self._at_path(keys))

    @property
    def asked(self) -> Collection[tuple[str, ...]]:
        """Return the keys of all objects in an event that the mapping reads members of."""
        return asked_objects(self._node)

    def too_deep(self) -> MappingError:
        """Return the error for an event that is nested too deeply."""
        return MappingError([Fault(self._at, "cannot be resolved: the event is nested too deeply")])


def _without_arithmetic(node: Node) -> Node:
    """Return a node with the values of the event itself, without computed values."""
    match node:
        case Choice(options=options, about=about):
            written = zip(map(_without_arithmetic, options), about, strict=True)
            kept = [(option, about) for option, about in written if option != NOTHING]
            return replace(node, options=tuple(each for each, _ in kept), about=tuple(each for _, each in kept))
        case If():
            then, otherwise = _without_arithmetic(node.then), _without_arithmetic(node.otherwise)
            return NOTHING if then == otherwise == NOTHING else replace(node, then=then, otherwise=otherwise)
        case Call(computes=True):
            return NOTHING
    return node


def _literal(node: Node) -> Any:
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, List):
        items = [_literal(item) for item in node.items]
        return MISSING if MISSING in items else items
    return MISSING


class Resolution:
    """The fields that a mapping finds for an event, on demand."""

    __slots__ = ("_mapping", "event", "later", "told")

    def __init__(self, mapping: Mapping, event: dict[str, Any]) -> None:
        self._mapping = mapping
        self.event = event
        #: Values that were skipped before the first place of each field.
        self.told: list[PassedOver] = []
        #: Values that were skipped before later places.
        self.later: list[PassedOver] = []

    def candidates(self, path: FieldPath) -> Iterator[Candidate]:
        """Return all candidates of a field in order; none if the mapping has a single place."""
        return self._mapping.candidates(self.event, self.later, path)

    def written(self, path: FieldPath) -> Iterator[Candidate]:
        """Return the candidates that are in the event, without computed values; does not record reads."""
        return self._mapping.candidates(self.event, [], path, written=True)

    @property
    def passed_over(self) -> Sequence[PassedOver]:
        """Return the values that the mapping skipped so far, in the order of its fields."""
        if not self.told:
            return self.later
        return [*sorted(self.told, key=lambda each: self._mapping.rank(each.field)), *self.later]

    def read_by(self, writes: Writes, rows: dict[str, Candidate] | None = None) -> Any:
        """Return the result of the mapping's `reader` for the event. Raises MappingError as `Mapping.resolve` does.

        `rows` receives the origin of each leaf.
        """
        try:
            return self._mapping.reader(writes, recording=rows is not None)(self.event, self.told, self, rows)
        except RecursionError:
            raise self._mapping.too_deep() from None


class Recorded(Resolution):
    """A Resolution that records the origin of each field."""

    __slots__ = ("_asked_for", "_looked_at", "_rows")

    def __init__(self, mapping: Mapping, event: dict[str, Any]) -> None:
        super().__init__(mapping, event)
        self._rows: dict[str, Candidate] = {}
        #: By field, the last candidate that its reader, or an additional rule, examined.
        self._looked_at: dict[str, Candidate] = {}
        self._asked_for: dict[str, Candidate] = {}

    def given(self) -> Resolvable | dict[str, Any]:
        """Return the object that reads the fields, as `Mapping.of` does."""
        return self if self._mapping.is_object else self._mapping.of(self.event)

    def candidates(self, path: FieldPath) -> Iterator[Candidate]:
        """Yield all candidates of a field. The last one that is yielded is the one that the reader accepted."""
        for found in super().candidates(path):
            self._looked_at[".".join(path)] = found
            yield found

    def written(self, path: FieldPath) -> Iterator[Candidate]:
        """Yield the candidates that are in the event: any of them may be the reason to reject the event."""
        for found in super().written(path):
            self._asked_for[".".join(path)] = found
            yield found

    def read_by(self, writes: Writes, rows: dict[str, Candidate] | None = None) -> Any:
        """Read as `Resolution.read_by` does, and record the leaves."""
        return super().read_by(writes, self._rows if rows is None else rows)

    def find_all(self) -> None:
        """Record all leaves, if no reader has run or the event was rejected."""
        self.read_by(PlainObject)

    def explanations(self, is_sent: Callable[[str], bool] | None = None) -> Sequence[Explanation]:
        """Return the origin of each leaf.

        `is_sent` returns for a leaf with several candidates whether its reader accepted the last candidate; `None` if
        the event was rejected.
        """
        if not self._mapping.is_object:
            found = self._mapping.first(self.event)
            return [] if found is None else [Explanation(path="", value=found.value, reads=tuple(found.reads))]
        if is_sent is None:
            rows = self._rows | self._looked_at | self._asked_for
        else:
            rows = self._rows | {path: found for path, found in self._looked_at.items() if is_sent(path)}
        return [
            Explanation(path=path, value=rows[path].value, reads=tuple(rows[path].reads))
            for path in sorted(rows, key=self._mapping.rank)
        ]


def _object_or_none(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _nothing(*_: Any) -> None:
    """Stand in for the reader of a mapping whose result is not an object."""
