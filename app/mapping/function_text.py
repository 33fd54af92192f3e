"""The text of one Python function that resolves a mapping: its names, and the objects of the event that it asks."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from app.mapping.javascript import NotAnObject
from app.mapping.nodes import MISSING, Path, tell
from app.mapping.shapes import NO_SHAPE, Keys, Shape, is_there
from app.values.placeholders import FIRST_CHARACTERS

#: What stands where an object is not there.
EMPTY: Final[dict[str, Any]] = {}
#: The presets share most of their texts, and to compile one takes longer than all else.
_code: Final = lru_cache(512)(partial(compile, filename="<mapping>", mode="exec"))


class Objects(NamedTuple):
    """The objects of an event that a mapping asks: how they are fetched, and what they are called."""

    #: By the way to it, an object in front of those that lie in it.
    names: Mapping[Keys, str]
    #: The statements that fetch them. One that is not there is EMPTY; what is no object is wrapped as NotAnObject.
    fetch: tuple[str, ...]


class FunctionText:
    """The text of one function in the making."""

    def __init__(
        self, objects: Objects | None = None, shape: Shape = NO_SHAPE, names: Mapping[str, Any] | None = None
    ) -> None:
        """Begin a function that has `objects`, or fetches what it needs; `names` are what its text may use besides."""
        self._names: dict[str, Any] = {
            "MISSING": MISSING,
            "NotAnObject": NotAnObject,
            "EMPTY": EMPTY,
            "FIRST": FIRST_CHARACTERS,
            "tell": tell,
            **(names or {}),
        }
        self._named = 0
        #: Parent objects are fetched once, before all else: path of the parent -> its name.
        self._parents: dict[Keys, str] = dict(objects.names) if objects else {}
        self._head: list[str] = list(objects.fetch) if objects else []
        self.shape = shape

    @property
    def objects(self) -> Objects:
        """The objects that the function asks."""
        return Objects(self._parents, tuple(self._head))

    def compiled(self, parameters: str, statements: list[str]) -> Callable[..., Any]:
        """Return the function of these parameters and statements."""
        known = self._names  # free variables: global ones are slow where several functions share one code
        lines = [f"def make({', '.join(known)}):", f" def resolve({parameters}):", *(f" {line}" for line in statements)]
        made: dict[str, Any] = {}
        exec(_code("\n".join([*lines, " return resolve"])), made)  # noqa: S102 - made here, of our names and of `repr`
        resolve: Callable[..., Any] = made["make"](**known)
        return resolve

    def name(self, letter: str) -> str:
        """Return a name that nothing has yet."""
        self._named += 1
        return f"{letter}{self._named}"

    def bound(self, value: Any) -> str:
        """Return a name for a value."""
        name = self.name("c")
        self._names[name] = value
        return name

    def parent(self, keys: Keys) -> str:
        """Name the object at `keys`; what is no object is wrapped, so that it can be asked like one."""
        if keys not in self._parents:
            above = self.parent(keys[:-1]) if keys else ""
            name = f"e{len(self._parents)}"
            if keys:
                self._head.append(f" {name} = {above}[{keys[-1]!r}] if {keys[-1]!r} in {above} else EMPTY")
                asked = f"{name} is not EMPTY and "
            else:
                self._head.append(f" {name} = EMPTY if event is MISSING else event")
                asked = ""
            self._head.append(f" if {asked}{name}.__class__ is not dict: {name} = NotAnObject({name})")
            self._parents[keys] = name
        return self._parents[keys]

    def given(self, path: Path) -> str:
        """Write what stands at a path."""
        return f"{self.parent(path.keys[:-1])}[{path.keys[-1]!r}]"

    def asked(self, path: Path) -> str:
        """Write the question whether anything stands at a path; "" where it does for sure."""
        if is_there(self.shape, path.keys):
            return ""
        parent = self.parent(path.keys[:-1])
        asked = f"{path.keys[-1]!r} in {parent}"
        return asked if path.hands_on else f"({parent} and {asked})"
