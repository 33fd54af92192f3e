"""Functions that are generated as text, because a loop over tables would take most of its time to look things up.

The text holds only names made here and the `repr` of keys, never text of somebody else.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from types import FunctionType, MethodType
from typing import Any, Final, Protocol, TypeAlias

#: Functions share most of their texts, and to compile one takes longer than all else.
_code: Final = lru_cache(1_024)(partial(compile, filename="<generated>", mode="exec"))


class FunctionNames:
    """The names in the text of one function, and what those stand for that it does not make itself."""

    def __init__(self, **known: Any) -> None:
        """Begin with names that the text may use."""
        self._known = known
        self._seldom: list[Any] = []
        #: By letter.
        self._counts: dict[str, int] = {}

    def new(self, letter: str) -> str:
        """Return a name that nothing has yet."""
        self._counts[letter] = self._counts.get(letter, 0) + 1
        return f"{letter}{self._counts[letter]}"

    def reuse(self, letter: str) -> None:
        """Begin anew with the names of a letter: each of them is cleared at every call."""
        self._counts.pop(letter, None)

    def bound(self, value: Any) -> str:
        """Return a new name that stands for this value in the text."""
        name = self.new("c")
        self._known[name] = _without_detour(value)
        return name

    def seldom(self, value: Any) -> str:
        """Return an expression for a value that few calls ask for: each name of its own is copied at every call."""
        self._seldom.append(_without_detour(value))
        return f"seldom[{len(self._seldom) - 1}]"

    def called(self, function: Callable[..., Any], *given: str) -> str:
        """Write the call of a function; a partial is taken apart, which costs twice as much as what it calls."""
        if isinstance(function, partial) and not function.keywords:
            return self.called(function.func, *map(self.seldom, function.args), *given)
        return f"{self.seldom(function)}({', '.join(given)})"

    def function(self, parameters: str, statements: Sequence[str]) -> Callable[..., Any]:
        """Return the function of these parameters and statements, each of which begins with a blank."""
        # Values are free variables: global ones are slow where several functions share one code.
        self._known["seldom"] = tuple(self._seldom)
        lines = [f"def make({', '.join(self._known)}):", f" def made({parameters}):"]
        made: dict[str, Any] = {}
        text = "\n".join([*lines, *(f" {line}" for line in statements), " return made"])
        exec(_code(text), made)  # noqa: S102 - the text is made of our names and of `repr`
        function: Callable[..., Any] = made["make"](**self._known)
        return function


def _without_detour(value: Any) -> Any:
    """Return the method by which an object is called: to call the object itself takes more than twice as long."""
    call = type(value).__call__ if callable(value) else None
    return MethodType(call, value) if isinstance(call, FunctionType) else value


def indented(lines: Iterable[str]) -> list[str]:
    """Return statements as they stand in the block of another."""
    return [f" {line}" for line in lines]


class ObjectText(Protocol):
    """Writes what a function does with the members of one object, in the order in which they are found.

    All that is written are statements, each of which begins with a blank.
    """

    #: What it makes of the object, as an expression; known once all is written.
    result: str
    #: Without any member all that is written may be left out.
    needs_members: bool = False

    def ordered(self, names: Iterable[str]) -> Iterable[str]:
        """Return the members in the order in which they are to be written: as they come. Asked before all else."""
        return names

    def begin(self) -> list[str]: ...

    def inner(self, name: str) -> "ObjectText | None":
        """Return who writes a member that is always an object; None where it is made first, and written as a value."""
        ...

    def constant(self, name: str, value: Any) -> list[str]:
        """Write a member that is the same whatever the event."""
        ...

    def member(self, name: str, given: str) -> list[str]: ...

    def absent(self, name: str) -> list[str]:  # noqa: ARG002 - for those that say something then
        """Write what is done where a member is not there: nothing."""
        return []

    def end(self) -> list[str]:
        """Write what stands behind the last member."""
        ...


#: Begins the text of what is made of an object.
Writes: TypeAlias = Callable[[FunctionNames], ObjectText]


class PlainObject(ObjectText):
    """Writes how an object becomes a dict."""

    def __init__(self, text: FunctionNames, put: str = "") -> None:
        """Write in the function `text`; `put` is the beginning of a statement that puts the object in another."""
        self._text = text
        self._put = put
        self.result = text.new("o")

    def begin(self) -> list[str]:
        return [f" {self.result} = {{}}"]

    def inner(self, name: str) -> ObjectText:
        return PlainObject(self._text, f"{self.result}[{name!r}] = ")

    def constant(self, name: str, value: Any) -> list[str]:
        """Put it in; bound, since most presets differ in one constant alone, and share the text then."""
        return self.member(name, self._text.bound(value))

    def member(self, name: str, given: str) -> list[str]:
        return [f" {self.result}[{name!r}] = {given}"]

    def end(self) -> list[str]:
        return [f" {self._put}{self.result}"] if self._put else []
