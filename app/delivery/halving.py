"""Finding the refused event in a call that was refused whole, when nobody says which it was."""

from collections.abc import Generator, Sequence
from typing import TypeVar

_Member = TypeVar("_Member")


def halving(members: Sequence[_Member]) -> Generator[Sequence[_Member], bool, bool]:
    """Yield what to send next and be told whether that was refused whole, until every good member was sent.

    A refused part is halved until the refused member stands alone (then it has its answer).
    Where the left half of a refused part was taken, the refused one is in the right half, which is halved unsent:
    one refused member in n costs at most 2 log2 n more calls, and log2 n where it stands last.
    """
    refused = yield members
    if refused and len(members) > 1:
        yield from _halves(members)
    return refused


def _halves(members: Sequence[_Member]) -> Generator[Sequence[_Member], bool, None]:
    middle = len(members) // 2
    left, right = members[:middle], members[middle:]
    left_was_refused = yield from halving(left)
    if left_was_refused or len(right) == 1:
        yield from halving(right)
    else:
        yield from _halves(right)
