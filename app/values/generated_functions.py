"""Functions that are generated as text, because a loop over tables would take most of its time to look things up.

The text holds only names made here and the `repr` of keys, never text of somebody else.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Final

#: Functions share most of their texts, and to compile one takes longer than all else.
_code: Final = lru_cache(512)(partial(compile, filename="<generated>", mode="exec"))


class FunctionNames:
    """The names in the text of one function, and what those stand for that it does not make itself."""

    def __init__(self, **known: Any) -> None:
        """Begin with names that the text may use."""
        self._known = known
        self._count = 0

    def new(self, letter: str) -> str:
        """Return a name that nothing has yet."""
        self._count += 1
        return f"{letter}{self._count}"

    def bound(self, value: Any) -> str:
        """Return a name for a value."""
        name = self.new("c")
        self._known[name] = value
        return name

    def function(self, parameters: str, statements: Sequence[str]) -> Callable[..., Any]:
        """Return the function of these parameters and statements, each of which begins with a blank."""
        # Values are free variables: global ones are slow where several functions share one code.
        lines = [f"def make({', '.join(self._known)}):", f" def made({parameters}):"]
        made: dict[str, Any] = {}
        text = "\n".join([*lines, *(f" {line}" for line in statements), " return made"])
        exec(_code(text), made)  # noqa: S102 - the text is made of our names and of `repr`
        function: Callable[..., Any] = made["make"](**self._known)
        return function
