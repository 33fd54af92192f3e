"""The text of one Python function that resolves a mapping: its names, and the objects of the event that it asks."""

from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import Any, Final, NamedTuple

from app.core.values.generated_functions import FunctionNames, ObjectText
from app.core.values.placeholders import FIRST_CHARACTERS
from app.mapping.javascript import NotAnObject
from app.mapping.nodes import MISSING, Choice, Node, Path
from app.mapping.paths import read_in_lists
from app.mapping.shapes import NO_SHAPE, Keys, Shape, is_there

#: The classes of numbers of JSON, of which every one is finite.
NUMBERS: Final = frozenset({int, float})
#: What stands where an object is not there.
EMPTY: Final[dict[str, Any]] = {}


class Objects(NamedTuple):
    """The objects of an event that a mapping asks: how they are fetched, and what they are called."""

    #: By the way to it, an object in front of those that lie in it.
    names: Mapping[Keys, str]
    #: The statements that fetch each. One that is not there is EMPTY; what is no object is wrapped as NotAnObject.
    fetched: Mapping[Keys, tuple[str, ...]]

    @property
    def fetch(self) -> list[str]:
        """The statements that fetch all of these objects from the event."""
        return list(chain.from_iterable(self.fetched.values()))


class FunctionText(FunctionNames):
    """The text of one function in the making."""

    def __init__(
        self, objects: Objects | None = None, shape: Shape = NO_SHAPE, names: Mapping[str, Any] | None = None
    ) -> None:
        """Begin a function that has `objects`, or fetches what it needs; `names` are what its text may use besides."""
        known = {"MISSING": MISSING, "NotAnObject": NotAnObject, "EMPTY": EMPTY}
        super().__init__(**known, FIRST=FIRST_CHARACTERS, NUMBERS=NUMBERS, **(names or {}))
        #: Parent objects are fetched once, before all else: path of the parent -> its name.
        self._parents: dict[Keys, str] = dict(objects.names) if objects else {}
        self._fetched: dict[Keys, tuple[str, ...]] = dict(objects.fetched) if objects else {}
        self.shape = shape

    @property
    def objects(self) -> Objects:
        """The objects that the function asks."""
        return Objects(self._parents, self._fetched)

    def parent(self, keys: Keys) -> str:
        """Name the object at `keys`; what is no object is wrapped, so that it can be asked like one."""
        if keys not in self._parents:
            above = self.parent(keys[:-1]) if keys else ""
            name = f"e{len(self._parents)}"
            fetch, asked = f" {name} = EMPTY if event is MISSING else event", ""
            if keys:
                fetch = f" {name} = {above}[{keys[-1]!r}] if {keys[-1]!r} in {above} else EMPTY"
                asked = f"{name} is not EMPTY and "
            self._fetched[keys] = (fetch, f" if {asked}{name}.__class__ is not dict: {name} = NotAnObject({name})")
            self._parents[keys] = name
        return self._parents[keys]

    def given(self, path: Path) -> str:
        """Write what stands at a path about which `asked` says yes."""
        parent, key = self.parent(path.keys[:-1]), path.keys[-1]
        given = f"{parent}[{key!r}]"
        if path.hands_on or is_there(self.shape, path.keys):
            return given
        return (
            f"({given} if {parent} and {key!r} in {parent} else {self.bound(partial(read_in_lists, path.keys))}(event))"
        )

    def at_once(self, node: Node, name: str, text: ObjectText, member: str) -> list[str]:
        """Write how the first option of a choice is put in where that is there and its reader surely takes it.

        `name` holds it then; nothing is written where none is known to be there.
        """
        match node:
            case Choice(options=(Path(keys=(_, *_) as keys) as first, *_)) if is_there(self.shape, keys):
                lines = text.at_once(member, name) if node.takes_texts else []
                return [f" {name} = {self.given(first)}", *lines] if lines else []
        return []

    def asked(self, path: Path) -> str:
        """Write the question whether anything stands at a path; "" where it does for sure."""
        if is_there(self.shape, path.keys):
            return ""
        parent = self.parent(path.keys[:-1])
        asked = f"{path.keys[-1]!r} in {parent}"
        if path.hands_on:
            return asked
        above = [path.keys[:end] for end in range(len(path.keys)) if self.shape.get(path.keys[:end]) is None]
        lists = "".join(f" or {self.parent(keys)}.__class__ is NotAnObject" for keys in above)
        return f"({parent} and {asked}{lists})"
