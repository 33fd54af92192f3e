"""Finding the refused among the good: nothing is lost, the order is kept, and few calls are made."""

from collections.abc import Sequence
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.delivery import halving


def play(members: Sequence[int], bad: set[int]) -> tuple[list[int], list[int], int]:
    """Answer who was taken and who was refused alone, in order, and how many calls that took."""
    taken: list[int] = []
    refused_alone: list[int] = []
    calls = 0
    parts = halving(members)
    part = next(parts)
    try:
        while True:
            calls += 1
            refused = bool(bad & set(part))
            if not refused:
                taken += part
            elif len(part) == 1:
                refused_alone += part
            part = parts.send(refused)
    except StopIteration:
        return taken, refused_alone, calls


@given(count=st.integers(1, 300), data=st.data())
def test_every_good_one_is_taken_once_in_order_and_every_bad_one_stands_alone(count: int, data: st.DataObject) -> None:
    members = list(range(count))
    bad = data.draw(st.sets(st.sampled_from(members)))

    taken, refused_alone, _ = play(members, bad)

    assert taken == [member for member in members if member not in bad]
    assert refused_alone == sorted(bad)


@given(count=st.integers(1, 1_000), data=st.data())
def test_one_bad_one_in_n_costs_at_most_two_log_n_more_calls(count: int, data: st.DataObject) -> None:
    _, _, calls = play(range(count), {data.draw(st.integers(0, count - 1))})

    assert calls - 1 <= 2 * ceil(log2(count))


@pytest.mark.parametrize(
    ("count", "bad", "calls"),
    [
        (1, set(), 1),
        (1_000, set(), 1),
        (1, {0}, 1),
        (2, {0}, 3),  # both, first, second
        (2, {1}, 3),
        (4, {0}, 5),  # four, 0-1, 0, 1, 2-3
        (4, {3}, 4),  # four, 0-1, 2, 3: that 2-3 is refused is known
        (4, {0, 3}, 7),
    ],
)
def test_calls(count: int, bad: set[int], calls: int) -> None:
    assert play(range(count), bad)[2] == calls


def test_an_empty_batch_asks_for_nothing() -> None:
    assert list(halving([])) == [[]]
