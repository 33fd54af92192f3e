"""How much of a test is done: three levels, each a target of make, told by the variable TESTS.

quick    what is fast: no program is started, nothing that is marked `slow`; a few examples of each property
test     everything: of what takes long by nature one round, of properties a seventh of the usual examples
prove    only what takes long by nature and the properties: many rounds, many examples

What takes long by nature is marked `prove` and asks the fixture `rounds` how often to do it: `rounds("kills")`.
"""

import os
from collections.abc import Sequence
from typing import Literal, TypeAlias, TypeVar

T = TypeVar("T")
Kind: TypeAlias = Literal["kills", "failovers", "storms", "fuzzing", "seeds", "minutes"]

LEVELS = ("quick", "test", "prove")
LEVEL = os.environ.get("TESTS", "test")
assert LEVEL in LEVELS, f"TESTS: one of {', '.join(LEVELS)}"

#: How often each kind is done by `make prove`.
ROUNDS: dict[Kind, int] = {"kills": 20, "failovers": 20, "storms": 10, "fuzzing": 10, "seeds": 30, "minutes": 60}

#: By how much the usual number of examples is multiplied, and fewer than which it never becomes by that.
_EXAMPLES = {"quick": (0.1, 2), "test": (0.15, 2), "prove": (15, 0)}
#: Of the events of the suite every so-manieth is taken.
_STEPS = {"quick": 10, "test": 6, "prove": 1}


def rounds_of(kind: Kind) -> int:
    """Return how often what is of this kind is done: once, many times by `make prove`."""
    return ROUNDS[kind] if LEVEL == "prove" else 1


def some_of(items: Sequence[T]) -> Sequence[T]:
    """Return every sixth of these, in `make quick` every tenth: for what goes through the events of the suite.

    `make prove` takes all, of a test that is marked so.
    """
    return items[:: _STEPS[LEVEL]]


def examples(usual: int) -> int:
    """Return how many examples a property is tried with: of what is usual a part, or many times as many."""
    times, least = _EXAMPLES[LEVEL]
    return max(min(usual, least), round(usual * times))
