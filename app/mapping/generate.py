"""Turn a compiled mapping into straight-line Python functions.

A tree of closures spends most of its time on calls: the default mapping runs five times slower that way. The text
contains only names from this module and the `repr` of the mapping's keys and values, never text of the mapping itself.

    {"email": {"@coalesce": [{"@path": "$.properties.email"}, {"@path": "$.traits.email"}]}}

becomes

    def resolve(event, told):
        e0 = EMPTY if event is MISSING else event
        if e0.__class__ is not dict: e0 = NotAnObject(e0)
        e1 = e0['properties'] if 'properties' in e0 else EMPTY
        if e1 is not EMPTY and e1.__class__ is not dict: e1 = NotAnObject(e1)
        ...
        o1 = {}
        if e1 and ('email' in e1 and <v2 := e1['email'] is usable, else told>) or e2 and (...):
            o1['email'] = v2
        return o1

An `ObjectText` writes the code that processes a member when it is found (`o1['email'] = v2`). With the emitter of an
action, a single function resolves and reads the fields.

With recording on, the text also records the origin of each leaf. `generate_candidates` writes a function that continues
with the next place, for a reader that rejects the first. Most members that a mapping looks up are absent, and `in`
detects this in half the time of `.get`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import groupby, islice, product
from typing import Any, Final, TypeAlias

from app.core.values.amounts import Computed
from app.core.values.candidates import Candidate, PassedOver, Read
from app.core.values.generated_functions import FunctionNames, ObjectText, PlainObject, Writes, indented
from app.core.values.placeholders import FIRST_CHARACTERS, says_nothing, says_something
from app.mapping.javascript import NotAnObject
from app.mapping.nodes import (
    MISSING,
    NOTHING,
    TOLD,
    About,
    Call,
    Choice,
    Constant,
    If,
    Keys,
    List,
    ListPath,
    Node,
    Object,
    Path,
    Resolver,
    leaves_choice,
    looks_into_lists,
    needed_by_any,
    needed_places,
    needs_all,
    note_passed_over,
    parent_keys,
    places_of,
)
from app.mapping.paths import read_in_lists

_SMALL: Final = 2**53
#: Larger numbers of members are tested together.
_FEW: Final = 6
#: Deeper expressions become separate functions, because Python's parser has a limit.
_MAX_NESTING: Final = 8
#: Maximum number of candidates of a field, because nested choices multiply.
MAX_CANDIDATES: Final = 200
#: The types of numbers in JSON and arithmetic; all their values are finite.
_NUMBERS: Final = frozenset({int, float, Computed})
#: Stands in for an absent object.
_EMPTY: Final[dict[str, Any]] = {}

#: Returns all possible values of a node, the default first; appends skipped values to the list.
FindsCandidates: TypeAlias = Callable[[Any, list[PassedOver]], Iterator[Candidate]]


def generate(node: Node, *, of_object: bool = False) -> Resolver:
    """Return the function that resolves `node` for an event; `of_object`: the argument is always a dict."""
    function = _Function()
    return function.made("event, told", function.statements(node, PlainObject), of_object=of_object)


def generate_reader(node: Object, writes: Writes, *, recording: bool = False) -> Callable[..., Any]:
    """Return the function that finds the members of `node` in an event and processes each as `writes` describes.

    The parameters are the event, the list of skipped values, the Places of the event, and with `recording` a dict that
    receives the Candidate of each leaf.
    """
    function = _Function(rows=recording)
    return function.made("event, told, places, rows", function.statements(node, writes))


def generate_candidates(node: Node) -> FindsCandidates:
    """Return the function that yields all possible values of `node`, each with the values that were read for it."""
    function = _Candidates()
    return function.made("event, told", [*function.alternatives(node), " yield from ()"])


def _generate_recorded(node: Node) -> Callable[..., Any]:
    """Return the function that resolves `node` and appends the values that it reads to a list, its third parameter."""
    function = _Function(recording=True)
    return function.made("event, told, reads", function.statements(node, PlainObject))


class _Function(FunctionNames):
    """The text of a function during its generation."""

    def __init__(self, *, rows: bool = False, recording: bool = False) -> None:
        """Record reads in `reads` with `recording`; with `rows` also in `rows`, by leaf."""
        super().__init__(
            MISSING=MISSING,
            NotAnObject=NotAnObject,
            EMPTY=_EMPTY,
            FIRST=FIRST_CHARACTERS,
            NUMBERS=_NUMBERS,
            says_nothing=says_nothing,
            passed_over=note_passed_over,
            Candidate=Candidate,
            noted=_noted,
        )
        self._rows = rows
        self._recording = rows or recording
        #: Parent objects are read once, at the start: path of the parent -> its name.
        self._parents: dict[Keys, str] = {}
        #: Results that several nodes share, each with its name.
        self._shared: dict[Call, str] = {}
        self._body: list[str] = []
        self._nesting = 0

    def made(self, parameters: str, statements: Sequence[str], *, of_object: bool = False) -> Callable[..., Any]:
        """Return the function of these statements, with code before them that reads the parent objects."""
        flat = of_object and list(self._parents) == [()]
        fetched = [" odd = False", f" {self._parents[()]} = event"] if flat else self._fetched()
        unknown = [f" {name} = None" for name in self._shared.values()]
        return self.function(parameters, [*fetched, *unknown, *statements])

    def statements(self, node: Node, writes: Writes) -> list[str]:
        """Return the statements that resolve a node; the last statement returns the result."""
        result = self._object(node, writes(self), "") if isinstance(node, Object) else self._expression(node)
        return [*self._body, f" return {result}"]

    def _object(self, node: Object, text: ObjectText, at: str) -> str:
        """Write the statements that find the members of an object, and return the resulting expression."""
        members = dict(node.members)
        names = list(text.ordered(members))
        around, self._body = self._body, text.begin()
        for name in names:
            self._member(name, members.get(name, NOTHING), text, f"{at}.{name}" if at else name)
        self._body += text.end()
        places = needed_by_any(members.values()) if text.needs_members else None
        if places is not None and len(places) > _FEW:  # most events have no member of most objects
            self._body = [f" if {self._any_there(places)}:", *indented(self._body)]
        self._body = [*around, *self._body]
        return text.result

    def _member(self, name: str, node: Node, text: ObjectText, at: str) -> None:
        self.reuse("v")
        if isinstance(node, Object):
            if inner := text.inner(name):
                self._object(node, inner, at)
            else:
                made = self._object(node, PlainObject(self), at)
                self._body += text.member(name, made)
            return
        if self._rows:
            self._body.append(" reads = []")
        if isinstance(node, Constant):
            is_there = node.value is not MISSING
            rows = self._row(at, self.bound(node.value)) if is_there and self._rows else []
            self._body += [*rows, *(text.constant(name, node.value) if is_there else text.absent(name))]
            return
        condition, given = self._found(node)
        lines, absent = [*self._row(at, given), *text.member(name, given)], text.absent(name)
        if not condition:
            self._body += lines
            return
        self._body += [f" if {condition}:", *indented(lines)]
        if absent:
            self._body += [" else:", *indented(absent)]

    def _row(self, at: str, given: str) -> list[str]:
        return [f" rows[{at!r}] = Candidate('', {given}, reads)"] if self._rows else []

    def _found(self, node: Node) -> tuple[str, str]:
        """Return the test whether a node has a value ("" if it always has), and the expression of the value."""
        if isinstance(node, Path) and node.keys and node.hands_on and not self._recording:
            return self._asked(node), self._given(node)
        name = self.new("v")
        if isinstance(node, List):
            self._body.append(f" {name} = {self._expression(node)}")
            return "", name
        return self._gives(node, name), name

    def _parent(self, keys: Keys) -> str:
        """Return the name of the object at `keys`; EMPTY if the object is absent."""
        if keys not in self._parents:
            if keys:
                self._parent(keys[:-1])
            self._parents[keys] = f"e{len(self._parents)}"
        return self._parents[keys]

    def _fetched(self) -> list[str]:
        """Return the code that reads the parent objects. Other values are wrapped to behave like objects.

        The code sets `odd` if any value was wrapped.
        """
        if not self._parents:
            return [" odd = False"]
        return [
            " odd = False",
            f" {' = '.join(self._parents.values())} = EMPTY",
            " if event is not MISSING:",
            *indented(self._fetching((), "event")),
        ]

    def _fetching(self, keys: Keys, given: str) -> list[str]:
        name = self._parents[keys]
        lines = [f" {name} = {given}", f" if {name}.__class__ is not dict: {name} = NotAnObject({name}); odd = True"]
        for below in [each for each in self._parents if each[:-1] == keys and each]:
            found = f"{name}[{below[-1]!r}]"
            lines += [f" if {below[-1]!r} in {name}:", *indented(self._fetching(below, found))]
        return lines

    def _given(self, path: Path) -> str:
        """Return the expression of the value at a path after `_asked` succeeded."""
        given = f"{self._parent(path.keys[:-1])}[{path.keys[-1]!r}]"
        return f"noted(reads, {path.text!r}, {given})" if self._recording else given

    def _asked(self, path: Path) -> str:
        """Return the test whether a path has a value, without lists."""
        return f"{path.keys[-1]!r} in {self._parent(path.keys[:-1])}"

    def _path(self, path: Path) -> str:
        """Return the expression of the value at a path, including lists if the path enters them."""
        if path.hands_on:
            return f"({self._given(path)} if {self._asked(path)} else MISSING)"
        parent, key = self._parent(path.keys[:-1]), path.keys[-1]
        in_lists = self.called(partial(read_in_lists, path.keys), "event")
        found = f"({parent}[{key!r}] if {key!r} in {parent} and {parent} else {in_lists} if odd else MISSING)"
        return f"noted(reads, {path.text!r}, {found})" if self._recording else found

    def _expression(self, node: Node) -> str:
        return self._nested(self._shallow, node)

    def _nested(self, write: Callable[[Node], str], node: Node) -> str:
        if self._nesting == _MAX_NESTING:
            return self._apart(node)
        self._nesting += 1
        try:
            return write(node)
        finally:
            self._nesting -= 1

    def _apart(self, node: Node) -> str:
        """Return the call of a separate function for a node."""
        if self._recording:
            return self.called(_generate_recorded(node), "event", "told", "reads")
        return self.called(generate(node), "event", "told")

    def _shallow(self, node: Node) -> str:  # noqa: PLR0911 - one line a kind of node
        match node:
            case Constant(value=value):
                return self._constant(value)
            case Path(keys=()):
                return f"noted(reads, {node.text!r}, event)" if self._recording else "event"
            case Path():
                return self._path(node)
            case ListPath(under=under):
                found = self._listed(node)
                return f"({found} if {self._any_there(under, looks_into_lists=False)} else MISSING)" if under else found
            case Choice() | If() if self._recording:
                return self.called(_first, self._all_of(node), "reads")
            case Choice():
                return self._choice(node)
            case If():
                return self._if(node, self._expression)
            case List(items=items):
                return f"[{', '.join(map(self._item, items))}]"
            case Call():
                may_be = "" if self._recording else self._may_be(node)
                return f"({self._call(node)} if {may_be} else MISSING)" if may_be else self._call(node)
        return "told" if node is TOLD else self._apart(node)

    def _listed(self, path: ListPath) -> str:
        """Return the expression of the values of a path into lists."""
        found = self.called(path.find, "event")
        return f"noted(reads, {path.text!r}, {found})" if self._recording else found

    def _if(self, node: If, write: Callable[[Node], str]) -> str:
        """Return a conditional expression with its branches written by `write`."""
        return f"({write(node.then)} if {self._condition(node)} else {write(node.otherwise)})"

    def _call(self, node: Call) -> str:
        """Return the call of a function after `_may_be` succeeded."""
        write = self._expression if self._recording or node.needs != "all" else self._sure
        if node.is_shared and self._recording:
            return "None"
        called = self.called(node.function, *map(write, node.operands))
        if not node.is_shared:
            return called
        name = self._shared.get(node) or self._shared.setdefault(node, self.new("s"))
        return f"({name} if {name} is not None else ({name} := {called}))"

    def _sure(self, node: Node) -> str:
        """Return the expression of an operand after `_may_be` succeeded."""
        if isinstance(node, Path) and node.keys and node.hands_on:
            return self._given(node)
        return self._call(node) if isinstance(node, Call) else self._expression(node)

    def _may_be(self, node: Node) -> str:
        """Return a test that is false if a node is MISSING; "" if the test is not worth its cost.

        Most computations of a default mapping have absent operands.
        """
        match node:
            case Call(operands=nodes, needs="all"):
                return " and ".join(filter(None, map(self._may_be, nodes)))
            case Choice(options=nodes) | Call(operands=nodes, needs="any") if any(map(needs_all, nodes)):
                asked = [self._may_be(each) for each in nodes if each != NOTHING]
                return f"({' or '.join(asked)})" if all(asked) else ""
        needed = needed_places(node)
        return "" if needed is None else self._any_there(needed, looks_into_lists=looks_into_lists(node))

    def _any_there(self, places: Collection[Keys], *, looks_into_lists: bool = True) -> str:
        """Return the test whether any of these places, or a list on the way, has a value."""
        names: dict[str, list[str]] = {}
        for *above, key in places:
            names.setdefault(self._parent(tuple(above)), []).append(key)
        parts = ["odd"] if looks_into_lists else []
        for parent, keys in names.items():
            if len(keys) > _FEW and looks_into_lists:
                parts.append(f"not {self.bound(frozenset(keys).isdisjoint)}({parent})")
            else:
                asked = " or ".join(f"{key!r} in {parent}" for key in keys)
                parts.append(f"{parent} and ({asked})" if len(keys) > 1 and looks_into_lists else asked)
        return f"({' or '.join(parts) or 'False'})"

    def _constant(self, value: Any) -> str:
        is_plain = value is None or isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < _SMALL)
        return repr(value) if is_plain else "MISSING" if value is MISSING else self.bound(value)

    def _item(self, node: Node) -> str:
        if isinstance(node, Constant) and node.value is not MISSING:
            return self._constant(node.value)
        name = self.new("v")
        return f"None if ({name} := {self._expression(node)}) is MISSING else {name}"

    def _choice(self, node: Choice) -> str:
        """Return the expression of the first usable option; MISSING if there is none."""
        name = self.new("v")
        return f"({name} if {self._taken(node, name)} else MISSING)" if node.options else "MISSING"

    def _taken(self, node: Choice, name: str) -> str:
        """Return the test whether any option of a choice is usable; it binds `name` to the first usable value.

        Adjacent options with the same parent share a test for an empty parent, because most spellings of a default
        mapping are absent.
        """
        parts = []
        for parent, group in groupby(zip(node.options, node.about, strict=True), key=self._parent_of):
            tests = [self._usable(option, name, self._test(node, name, option, about)) for option, about in group]
            parts += tests if parent is None else [f"{self._parent(parent)} and ({' or '.join(tests)})"]
        return " or ".join(parts) or "False"

    def _parent_of(self, option: tuple[Node, About]) -> Keys | None:
        """Return the path of an object that an option requires; `None` if there is no single such object."""
        node = option[0]
        return node.under[0] if isinstance(node, ListPath) and self._is_in_known(node) else parent_keys(option)

    def _is_in_known(self, path: ListPath) -> bool:
        """Return whether the list is in an object that other nodes read too."""
        return len(path.under) == 1 and path.under[0] in self._parents

    def _test(self, node: Choice, name: str, option: Node, about: About) -> str:
        """Return the end of the test whether `name`, in brackets just before, is usable; "" if that is known.

        Nearly every value is a number, or a text whose first character shows that it is not empty.
        """
        if isinstance(option, Constant) and option.value is not MISSING and node.is_usable(option.value):
            return ""
        at_once = f".__class__ is str and {name} and {name}[0] not in FIRST or {name}" if node.takes_texts else ""
        if node.takes_numbers:
            at_once += f".__class__ in NUMBERS or {name}"
        return f"{at_once} is not None and ({self._usable_or_noted(node, name, about)})"

    def _usable_or_noted(self, choice: Choice, name: str, about: About) -> str:
        """Return the test whether the value in `name` is usable; an unusable value is reported."""
        says_something_ = choice.is_usable is says_something
        usable = f"not says_nothing({name})" if says_something_ else self.called(choice.is_usable, name)
        if choice.is_silent:
            return usable
        return f"{usable} or passed_over(told, {self.seldom(about)}, {name})"

    def _all_of(self, node: Node) -> str:
        """Return the expression of all candidates of a node."""
        return self.called(generate_candidates(node), "event", "told")

    def _usable(self, option: Node, name: str, test: str) -> str:
        """Return the test whether an option with an existing parent is usable; it binds `name` to the value."""
        if isinstance(option, Path) and option.keys and option.hands_on:
            return f"({self._asked(option)} and (({name} := {self._given(option)}){test}))"
        gives = self._gives(option, name)
        return f"({gives} and (({name}){test}))" if test else gives

    def _gives(self, node: Node, name: str) -> str:
        """Return the test whether a node has a value; it binds `name` to the value."""
        if self._recording or self._nesting == _MAX_NESTING:
            return f"({name} := {self._expression(node)}) is not MISSING"
        return self._nested(partial(self._gives_something, name), node)

    def _gives_something(self, name: str, node: Node) -> str:
        asked, given = "", ""
        match node:
            case Constant(value=value) if value is MISSING:
                return "False"
            case Choice():
                return f"({self._taken(node, name)})"
            case If():
                return self._if(node, lambda branch: self._gives(branch, name))
            case Path(keys=(_, *_), hands_on=True):
                asked, given = self._asked(node), self._given(node)
            case ListPath(under=(first, *_) as under):
                is_fetched = self._is_in_known(node)
                asked = self._parent(first) if is_fetched else self._any_there(under, looks_into_lists=False)
                given = self._listed(node)
            case Call():
                asked, given = self._may_be(node), self._call(node)
                if node.marks and isinstance(path := node.operands[-1], Path) and path.keys and path.hands_on:
                    text = self._given(path)
                    marks = " or ".join(f"{mark!r} in {text}" for mark in node.marks)
                    asked += f" and ({text}.__class__ is not str or {text} and ({marks} or {text}[0] in FIRST))"
        asked = f"{asked} and " if asked else ""
        return f"({asked}({name} := {given or self._expression(node)}) is not MISSING)"

    def _condition(self, node: If) -> str:
        """Return the test of a condition."""
        name = self.new("v")
        gives = self._gives(node.value, name)
        if node.test is None:
            return f"({gives} and {name} is not None)"
        test = self.called(node.test, name)
        if node.text is not None:
            test = f"({name} == {node.text!r} if {name}.__class__ is str else {test})"
        else:
            yes, no = map(node.test, (True, False))  # nearly every flag is a boolean
            test = f"({yes} if {name} is True else {no} if {name} is False else {test})"
        # Most values are missing, so the result of the test for MISSING is computed once, here.
        return f"(not {gives} or {test})" if node.test(MISSING) else f"({gives} and {test})"


class _Candidates(_Function):
    """The text of a function that yields values, each with the values that were read for it."""

    def __init__(self) -> None:
        super().__init__(recording=True)

    def alternatives(self, node: Node) -> list[str]:
        """Return the statements that yield all possible values of a node."""
        match node:
            case Choice(options=options, about=about):
                return [line for each in zip(options, about, strict=True) for line in self._option(node, *each)]
            case If(then=then, otherwise=otherwise):
                condition = self._condition(node)
                chosen = f"{self._all_of(then)} if {condition} else {self._all_of(otherwise)}"
                return [
                    " reads = []",
                    f" for place, value, more in {chosen}:",
                    "  yield Candidate(place, value, [*reads, *more])",
                ]
            case Call(function=function, operands=operands) if leaves_choice(node):
                given = ", ".join(map(self._all_of, operands))
                combined = self.called(_combined, self.seldom(function), repr(_place(node)), f"[{given}]")
                return [f" yield from {combined}"]
        return [*self._one_value(node), f"  yield Candidate({_place(node)!r}, value, reads)"]

    def _option(self, choice: Choice, option: Node, about: About) -> list[str]:
        if isinstance(option, If) or leaves_choice(option):
            usable = self._usable_or_noted(choice, "found.value", about)
            return [f" for found in {self._all_of(option)}:", f"  if {usable}: yield found"]
        usable = self._usable_or_noted(choice, "value", about)
        found = f"  if {usable}: yield Candidate({_place(option)!r}, value, reads)"
        lines = [*self._one_value(option), found]
        if isinstance(option, Path) and option.keys:  # false and 0 have no members from the sender
            asked = f" and {self._asked(option)}" if option.hands_on else ""
            return [f" if {self._parent(option.keys[:-1])}{asked}:", *indented(lines)]
        return lines

    def _one_value(self, node: Node) -> list[str]:
        return [" reads = []", f" value = {self._expression(node)}", " if value is not MISSING:"]


def _place(node: Node) -> str:
    return ", ".join(places_of(node)) or "the mapping"


def _noted(reads: list[Read], path: str, value: Any) -> Any:
    """Record the read of a path if it has a value, and return the value."""
    if value is not MISSING:
        reads.append(Read(path, value))
    return value


def _first(candidates: Iterator[Candidate], reads: list[Read]) -> Any:
    """Return the first of several values, and record the values that were read for it; MISSING if there is none."""
    found = next(candidates, None)
    if found is None:
        return MISSING
    reads += found.reads
    return found.value


def _combined(function: Callable[..., Any], place: str, operands: Sequence[Iterator[Candidate]]) -> Iterator[Candidate]:
    """Yield the results of a function for all combinations of its operands; none if the first result is MISSING."""
    nothing = Candidate("", MISSING)
    given = [list(islice(operand, MAX_CANDIDATES)) or [nothing] for operand in operands]
    for number, combination in enumerate(product(*given)):
        value = function(*(each.value for each in combination))
        if value is MISSING and number == 0:
            return
        if value is not MISSING:
            yield Candidate(place, value, [read for each in combination for read in each.reads])
