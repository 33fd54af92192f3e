"""Functions that are generated as text, because a loop over tables would spend most of its time on look-ups.

The text contains only names from this module and the `repr` of keys, never foreign text.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from types import FunctionType, MethodType
from typing import Any, Final, Protocol, TypeAlias

#: Functions share most of their texts, and compilation is the slowest step.
_code: Final = lru_cache(1_024)(partial(compile, filename="<generated>", mode="exec"))


class FunctionNames:
    """The names in the text of a function, and the external values that they refer to."""

    def __init__(self, **known: Any) -> None:
        """Start with names that the text may use."""
        self._known = known
        self._seldom: list[Any] = []
        #: By letter.
        self._counts: dict[str, int] = {}

    def new(self, letter: str) -> str:
        """Return a new name."""
        self._counts[letter] = self._counts.get(letter, 0) + 1
        return f"{letter}{self._counts[letter]}"

    def reuse(self, letter: str) -> None:
        """Reuse the names of a letter: each of them is reset at every call."""
        self._counts.pop(letter, None)

    def bound(self, value: Any) -> str:
        """Return a new name that refers to this value."""
        name = self.new("c")
        self._known[name] = _without_detour(value)
        return name

    def seldom(self, value: Any) -> str:
        """Return an expression for a value that few calls need: each separate name would be copied at every call."""
        self._seldom.append(_without_detour(value))
        return f"seldom[{len(self._seldom) - 1}]"

    def called(self, function: Callable[..., Any], *given: str) -> str:
        """Return the call of a function.

        The call of a partial is flattened, because a partial doubles the cost of a call.
        """
        if isinstance(function, partial) and not function.keywords:
            return self.called(function.func, *map(self.seldom, function.args), *given)
        return f"{self.seldom(function)}({', '.join(given)})"

    def function(self, parameters: str, statements: Sequence[str]) -> Callable[..., Any]:
        """Return the function with these parameters and statements, each of which begins with a blank."""
        # Values are free variables, because global variables are slow if several functions share a code object.
        self._known["seldom"] = tuple(self._seldom)
        lines = [f"def make({', '.join(self._known)}):", f" def made({parameters}):"]
        made: dict[str, Any] = {}
        text = "\n".join([*lines, *(f" {line}" for line in statements), " return made"])
        exec(_code(text), made)  # noqa: S102 - the text is made of our names and of `repr`
        function: Callable[..., Any] = made["make"](**self._known)
        return function


def _without_detour(value: Any) -> Any:
    """Return the `__call__` method of an object: a call of the object itself takes more than twice as long."""
    call = type(value).__call__ if callable(value) else None
    return MethodType(call, value) if isinstance(call, FunctionType) else value


def indented(lines: Iterable[str]) -> list[str]:
    """Indent statements for the block of another statement."""
    return [f" {line}" for line in lines]


class ObjectText(Protocol):
    """Writes the code that processes the members of an object, in the order in which they are found.

    All results are statements, each of which begins with a blank.
    """

    #: The result for the object, as an expression; complete after the last member.
    result: str
    #: Without members the code may be omitted.
    needs_members: bool = False

    def ordered(self, names: Iterable[str]) -> Iterable[str]:
        """Return the members in the order in which they are to be written: unchanged. Called first."""
        return names

    def begin(self) -> list[str]: ...

    def inner(self, name: str) -> "ObjectText | None":
        """Return the emitter of a member that is always an object.

        `None`: the member is created first and then written as a value.
        """
        ...

    def constant(self, name: str, value: Any) -> list[str]:
        """Write a constant member."""
        ...

    def member(self, name: str, given: str) -> list[str]: ...

    def absent(self, name: str) -> list[str]:  # noqa: ARG002 - for those that say something then
        """Write the code for an absent member: no code."""
        return []

    def end(self) -> list[str]:
        """Write the code after the last member."""
        ...


#: Starts the code for an object.
Writes: TypeAlias = Callable[[FunctionNames], ObjectText]


class PlainObject(ObjectText):
    """Writes the code that converts an object to a dict."""

    def __init__(self, text: FunctionNames, put: str = "") -> None:
        """Write to the function `text`; `put` is the start of a statement that adds the object to another object."""
        self._text = text
        self._put = put
        self.result = text.new("o")

    def begin(self) -> list[str]:
        return [f" {self.result} = {{}}"]

    def inner(self, name: str) -> ObjectText:
        return PlainObject(self._text, f"{self.result}[{name!r}] = ")

    def constant(self, name: str, value: Any) -> list[str]:
        """Add the member by a bound name: most presets differ only in a constant, and then share the text."""
        return self.member(name, self._text.bound(value))

    def member(self, name: str, given: str) -> list[str]:
        return [f" {self.result}[{name!r}] = {given}"]

    def end(self) -> list[str]:
        return [f" {self._put}{self.result}"] if self._put else []
